//! Exit statuses: an interface that scripts rely on.

/// Done, with or without findings.
pub const DONE: u8 = 0;
/// A finding that `--fail-on` names.
pub const FINDING: u8 = 1;
/// Wrong usage; input that cannot be read or is not valid.
pub const USAGE: u8 = 2;
/// The run itself failed: out of memory, disk full, an error of libtorch.
pub const RUN_FAILED: u8 = 3;
/// Stopped by SIGINT, with everything until then written.
pub const INTERRUPTED: u8 = 130;
/// Stopped by SIGTERM, with everything until then written.
pub const TERMINATED: u8 = 143;
