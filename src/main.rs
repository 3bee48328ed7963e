//! The process: parse, run, print the error chain, exit status.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
