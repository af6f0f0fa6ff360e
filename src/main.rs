//! The `switchback` program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    switchback::cli::run(std::env::args_os())
}
