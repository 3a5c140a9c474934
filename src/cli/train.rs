use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::prelude::Device;
use clap::Args;
use uniseg_train::device::DeviceSpec;
use uniseg_train::precision::Precision;
use uniseg_train::run::{Run, Summary};
use uniseg_train::{Checkpoint, Plan, TrainSettings};

use super::Outcome;
use crate::{report, watch};

/// Train a network
///
/// Trains the network of a plan on a cache of preprocessed cases, by the paper's recipe unless told
/// otherwise, and writes checkpoints into a folder. The same command again continues a run that
/// was stopped or killed.
#[derive(Args)]
#[command(after_help = "\
The whole way, from folders to a model:\n  \
uniseg plan tasks.toml -o plan.json\n  \
uniseg preprocess tasks.toml --plan plan.json -o cache\n  \
uniseg train --plan plan.json --cache cache -o run\n  \
uniseg export run -o model.onnx")]
pub(crate) struct Train {
    /// The plan, as `uniseg plan` writes it
    #[arg(long, value_name = "PLAN")]
    plan: PathBuf,
    #[command(flatten)]
    how: TrainArgs,
}

/// What training and fine-tuning share.
#[derive(Args)]
pub(super) struct TrainArgs {
    /// Preprocessed cases, as `uniseg preprocess` writes them
    #[arg(long, value_name = "DIR")]
    cache: PathBuf,
    /// Folder of the run: checkpoints and log
    #[arg(short, long, value_name = "RUN")]
    output: PathBuf,
    /// Settings file (TOML); options given here come before it
    #[arg(long, value_name = "TOML")]
    config: Option<PathBuf>,
    /// Epochs [default: the recipe's, 1000; 100 for fine-tuning]
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Steps of an epoch [default: the recipe's, 550; 250 for fine-tuning]
    #[arg(long, value_name = "N")]
    iterations: Option<u32>,
    /// Seed of weights, task order, patches and augmentation
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// AdamW with a one-cycle rate up to 3e-3, for short runs, instead of the paper's SGD
    #[arg(long)]
    quick: bool,
    /// Give each patch under two tasks that have the same image, instead of two patches of one task
    #[arg(long)]
    paired_tasks: bool,
    /// Leave patches as they are
    #[arg(long)]
    no_augmentation: bool,
    /// Stop after so many epochs without a better validation
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<u32>,
    /// Threads that prepare patches [default: half of the cores]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    #[command(flatten)]
    on: DeviceArgs,
    /// A line an epoch instead of the screen
    #[arg(long)]
    plain: bool,
}

/// Where to train.
#[derive(Args)]
pub(super) struct DeviceArgs {
    /// cpu; cuda, cuda:1, cuda:0,1 (several at once); libtorch, libtorch:0. GPUs need a program that
    /// was built with the cargo feature `cuda` or `libtorch`
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub(super) device: DeviceSpec,
    /// Numbers of the convolutions, f32 or bf16; the rest is f32 [default: bf16 on CUDA, else f32]
    #[arg(long, value_name = "NAME")]
    precision: Option<Precision>,
}

impl DeviceArgs {
    pub(super) fn open(&self) -> anyhow::Result<(Vec<Device>, Precision)> {
        let devices = self.device.open()?;
        let precision = self.device.precision(self.precision, &devices)?;
        Ok((devices, precision))
    }
}

pub(super) fn run(command: Train) -> anyhow::Result<Outcome> {
    let plan = Plan::read(&command.plan)?;
    let settings = command.how.settings(TrainSettings::default())?;
    let summary = command.how.train(&plan, &settings, None)?;
    report_end(&summary, &command.how.output)
}

impl TrainArgs {
    pub(super) fn settings(&self, recipe: TrainSettings) -> anyhow::Result<TrainSettings> {
        let mut settings = recipe;
        if self.quick {
            let quick = TrainSettings::quick(settings.epochs, settings.iterations_per_epoch);
            settings.optimizer = quick.optimizer;
            settings.rate = quick.rate;
        }
        if let Some(path) = &self.config {
            settings = settings.read_over(path)?;
        }
        settings.epochs = self.epochs.unwrap_or(settings.epochs);
        settings.iterations_per_epoch = self.iterations.unwrap_or(settings.iterations_per_epoch);
        settings.seed = self.seed.unwrap_or(settings.seed);
        settings.patience_epochs = self.patience.or(settings.patience_epochs);
        settings.paired_tasks |= self.paired_tasks;
        if self.no_augmentation {
            settings.augmentation = uniseg_train::augment::Augmentation::none();
        }
        settings.check()?;
        Ok(settings)
    }

    pub(super) fn train(
        &self,
        plan: &Plan,
        settings: &TrainSettings,
        start: Option<Checkpoint>,
    ) -> anyhow::Result<Summary> {
        ensure!(
            self.cache.is_dir(),
            "{} is no folder: `uniseg preprocess` makes a cache",
            self.cache.display()
        );
        let (devices, precision) = self.on.open()?;
        report::note(&format!(
            "training on {}, convolving in {precision}",
            self.on.device.title()
        ));
        let run = Run {
            folder: &self.output,
            plan,
            settings,
            cache: &self.cache,
            devices: &devices,
            precision,
            workers: self.workers.unwrap_or_else(half_of_the_cores),
            start,
        };
        watch::train(run, self.plain)
            .with_context(|| format!("the run in {} ended early", self.output.display()))
    }

    /// The device that weights live on.
    pub(super) fn device(&self) -> anyhow::Result<Device> {
        let (devices, _) = self.on.open()?;
        let first = devices.into_iter().next().context("no device is named")?;
        Ok(first.autodiff())
    }

    pub(super) fn output(&self) -> &Path {
        &self.output
    }
}

pub(super) fn half_of_the_cores() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    NonZeroUsize::new(cores.get() / 2).unwrap_or(NonZeroUsize::MIN)
}

/// Says how a run ended and what to do next.
pub(super) fn report_end(summary: &Summary, run: &Path) -> anyhow::Result<Outcome> {
    let how = match (summary.finished, summary.out_of_patience) {
        (true, _) => "done",
        (false, true) => "ended: the validation has not become better",
        (false, false) => "stopped; the same command continues",
    };
    let best = summary.best.map_or(String::new(), |(dice, epoch)| {
        format!(
            "; best patch Dice {dice:.3} (moving average) in epoch {}",
            epoch + 1
        )
    });
    report::note(&format!("{how} after {} steps{best}", summary.iteration));
    report::result(&format!("{}\n", summary.checkpoint.display()));
    report::note(&format!(
        "next: uniseg export {} -o model.onnx",
        run.display()
    ));
    Ok(Outcome::Done)
}
