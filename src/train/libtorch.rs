//! The library that everything here is computed with.

/// Returns the version of libtorch that this build is linked against.
pub fn libtorch_version() -> &'static str {
    env!("GRADSCOPE_LIBTORCH")
}
