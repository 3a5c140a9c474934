//! `uniseg bench`: how fast this machine is.

mod case;
#[cfg(feature = "train")]
mod train;

use clap::{Args, Subcommand};

use super::Outcome;

/// Measure how fast this machine is
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    #[cfg(feature = "train")]
    Train(train::BenchTrain),
    Case(case::BenchCase),
}

pub(super) fn run(command: Bench) -> anyhow::Result<Outcome> {
    match command.what {
        #[cfg(feature = "train")]
        What::Train(command) => command.run(),
        What::Case(command) => command.run(),
    }
}
