//! `uniseg bench train`: how fast this machine trains.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use uniseg_imaging::phantom::{PhantomTask, Protocol, write_dataset};
use uniseg_train::data::{PreprocessOptions, TaskData, Tasks, preprocess, recipes};
use uniseg_train::precision::Precision;
use uniseg_train::run::{self, EpochRecord, Event, Run};
use uniseg_train::{NetworkConfig, Plan, TrainSettings, plan};

use super::super::Outcome;
use super::super::train::{DeviceArgs, half_of_the_cores};
use crate::report;

/// Measure training: steps a second, share of the time waiting for data, peak memory
///
/// Makes a small dataset of synthetic patients in a temporary folder and trains the paper's network
/// on it by the paper's recipe, augmentation included. Nothing is kept.
#[derive(Args)]
pub(super) struct BenchTrain {
    /// Features of the first stage
    #[arg(long, default_value_t = 32, value_name = "N")]
    base: usize,
    /// Patch in voxels
    #[arg(long, default_value = "32,96,96", value_name = "Z,Y,X", value_parser = super::super::plan::patch_size)]
    patch: super::super::plan::PatchSize,
    /// Patches of a batch
    #[arg(long, default_value = "1", value_name = "N")]
    batch: NonZeroUsize,
    /// Steps that are measured, after two that are not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    steps: u32,
    /// Threads that prepare patches [default: half of the cores]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    #[command(flatten)]
    on: DeviceArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Serialize)]
struct Measured {
    device: String,
    precision: String,
    base_num_features: usize,
    patch_zyx: [usize; 3],
    batch_size: usize,
    steps: u32,
    seconds_per_step: f64,
    steps_per_second: f64,
    waiting_share: f64,
    peak_memory_mb: Option<u64>,
}

impl BenchTrain {
    pub(super) fn run(&self) -> anyhow::Result<Outcome> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let plan = self.plan()?;
        let (devices, precision) = self.on.open()?;
        report::note("making a dataset of synthetic patients");
        let task = PhantomTask::named("liver").context("the phantoms have no liver")?;
        let protocol = Protocol {
            varied_orientation: false,
            ..Protocol::MEDIUM
        };
        write_dataset(folder.path(), task, 1, 3, &protocol, &|_, _| {})?;
        let path = folder.path().join("tasks.toml");
        let tasks = Tasks::parse(recipes::text("phantom")?, &path, None)?;
        let task = tasks.find("liver")?;
        let cache = folder.path().join("cache");
        preprocess(
            &TaskData::open(task)?,
            &(&plan.tasks[0]).into(),
            &cache,
            &PreprocessOptions::default(),
            &mut |_| {},
        )?;

        report::note(&format!("training on {}", self.on.device.title()));
        let warm_up = 2;
        let mut records: Vec<EpochRecord> = Vec::new();
        // Epochs have one length: the warm-up are the first ones of one step each.
        let settings = TrainSettings {
            epochs: warm_up + self.steps,
            iterations_per_epoch: 1,
            validation_batches: 0,
            checkpoint_epochs: warm_up + self.steps,
            ..TrainSettings::default()
        };
        let run = Run {
            folder: &folder.path().join("run"),
            plan: &plan,
            settings: &settings,
            cache: &cache,
            devices: &devices,
            precision,
            workers: self.workers.unwrap_or_else(half_of_the_cores),
            start: None,
        };
        let bar = report::bar();
        bar.set_length(u64::from(settings.epochs));
        run::train(run, &mut |event| {
            if let Event::Epoch(record) = event {
                records.push(record.clone());
                bar.inc(1);
            }
            ControlFlow::Continue(())
        })?;
        bar.finish_and_clear();
        let measured = self.measured(&records[records.len().min(warm_up as usize)..], precision);
        ensure!(
            measured.seconds_per_step.is_finite(),
            "no step was measured"
        );
        if self.json {
            report::result(&(serde_json::to_string(&measured)? + "\n"));
        } else {
            report::result(&table(&measured));
        }
        Ok(Outcome::Done)
    }

    /// The paper's network for one task, with another patch and width.
    fn plan(&self) -> anyhow::Result<Plan> {
        let paper = plan::paper();
        let network = NetworkConfig {
            patch_size: self.patch,
            base_num_features: self.base,
            num_tasks: 1,
            num_classes: paper.tasks[0].labels.len(),
            input_channel_variants: vec![1],
            ..paper.network
        };
        let plan = Plan {
            network,
            batch_size: self.batch.get(),
            tasks: paper.tasks.into_iter().take(1).collect(),
        };
        Ok(plan.complete()?)
    }

    fn measured(&self, records: &[EpochRecord], precision: Precision) -> Measured {
        let seconds: f64 = records.iter().map(|record| record.seconds).sum();
        let waited: f64 = records
            .iter()
            .map(|record| record.waiting_share * record.seconds)
            .sum();
        let steps = records.len() as f64;
        Measured {
            device: self.on.device.to_string(),
            precision: precision.to_string(),
            base_num_features: self.base,
            patch_zyx: self.patch,
            batch_size: self.batch.get(),
            steps: records.len() as u32,
            seconds_per_step: seconds / steps,
            steps_per_second: steps / seconds,
            waiting_share: waited / seconds,
            peak_memory_mb: run::peak_memory_bytes().map(|bytes| bytes / 1_000_000),
        }
    }
}

fn table(measured: &Measured) -> String {
    let [z, y, x] = measured.patch_zyx;
    let rows = [
        ("device", measured.device.clone()),
        ("precision", measured.precision.clone()),
        (
            "patch",
            format!("{z} x {y} x {x}, batch {}", measured.batch_size),
        ),
        ("base features", measured.base_num_features.to_string()),
        (
            "seconds a step",
            format!("{:.3}", measured.seconds_per_step),
        ),
        (
            "steps a second",
            format!("{:.3}", measured.steps_per_second),
        ),
        (
            "waiting for data",
            format!("{:.1} %", 100.0 * measured.waiting_share),
        ),
        (
            "peak memory",
            measured
                .peak_memory_mb
                .map_or("unknown".into(), |megabytes| format!("{megabytes} MB")),
        ),
    ];
    let rows: Vec<Vec<String>> = std::iter::once(vec!["what".into(), "measured".into()])
        .chain(rows.map(|(what, value)| vec![what.to_owned(), value]))
        .collect();
    report::table(&rows)
}
