//! The `uniseg` command: parse, dispatch, and turn the outcome into an exit code.

mod allocator;
mod atomic;
mod child;
mod cli;
#[cfg(feature = "train")]
mod evaluation;
#[cfg(feature = "train")]
mod html;
mod interrupt;
#[cfg(feature = "train")]
mod plot;
mod preview;
mod report;
#[cfg(feature = "train")]
mod watch;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = cli::Cli::parse();
    match cli::run(command) {
        Ok(cli::Outcome::Done) => ExitCode::SUCCESS,
        Ok(cli::Outcome::CheckFailed) => ExitCode::from(1),
        Err(error) => {
            report::error(&error);
            ExitCode::from(2)
        }
    }
}
