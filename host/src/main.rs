//! The program `polyfold`: parse, run, report.

use std::process::ExitCode;

use polyfold::cli;

fn main() -> ExitCode {
    cli::main()
}
