//! The program that starts in milliseconds: what trains it hands over to `gradscope-train`.

#![forbid(unsafe_code)]

// Nothing of the crate `gradscope` may be named here: it would be linked, and libtorch with it.
fn main() -> std::process::ExitCode {
    gradscope_core::cli::main()
}
