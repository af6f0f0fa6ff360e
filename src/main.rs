//! The `switchback` program: arguments in, exit code out.

use std::process::ExitCode;

/// A webhook allocates some dozens of small things and another thread frees half of them: with
/// glibc's allocator a fifth of a worker's time went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    switchback::cli::run(std::env::args_os())
}
