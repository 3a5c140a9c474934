//! The whole story once: see [`Demo`].

mod data;
mod page;

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::ensure;
use clap::Args;
use uniseg::bridge;
use uniseg_runtime::{EngineKind, Flavour, Model, find_ort, open_engine};
use uniseg_train::data::Tasks;
use uniseg_train::precision::Precision;
use uniseg_train::run::{Run, checkpoint_folder, read_log};
use uniseg_train::{Checkpoint, Plan, TrainSettings};

use super::train::half_of_the_cores;
use super::{EngineArgs, Outcome, runtime, verify};
use crate::evaluation::{self, EvaluateOptions, Evaluation};
use crate::{atomic, report, watch};

/// Two logits may differ by this much between the engines.
const TOLERANCE: f64 = 1e-3;

/// Run the whole story on synthetic patients: train a model, compile it, segment, evaluate
///
/// Makes CT and MR volumes of made-up patients, each labelled for one organ only, trains one small
/// network for all organs, compiles it to one ONNX file, verifies it with two engines, segments
/// patients that it never saw and evaluates the result. The last file is `report.html`, with curves
/// and pictures. The same command again goes on where it was stopped.
///
/// It is as small as it can be and still learn: other settings than the paper's, for minutes
/// instead of days.
#[derive(Args)]
pub(crate) struct Demo {
    /// Folder for the files
    #[arg(long, default_value = "uniseg-demo", value_name = "DIR")]
    out: PathBuf,
    /// Seed of patients and training
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Epochs of 50 steps; fewer are quicker and worse
    #[arg(long, default_value_t = 18, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    epochs: u32,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Says what was done, with the time since the beginning.
struct Steps(Instant);

impl Steps {
    fn say(&self, text: impl Display) {
        report::note(&format!(
            "[{:5.1} s] {text}",
            self.0.elapsed().as_secs_f64()
        ));
    }
}

pub(super) fn run(command: Demo) -> anyhow::Result<Outcome> {
    command.engine.limit_threads();
    let steps = Steps(Instant::now());
    let out = &command.out;
    atomic::make_folder(out)?;

    let tasks = data::make(out, command.seed, &steps)?;
    let plan = data::plan(out, &tasks)?;
    data::preprocess(out, &tasks, &plan, &steps)?;
    let run = command.train(&plan)?;
    steps.say(format_args!("trained {}", run.display()));

    let path = out.join("model.onnx");
    let device = burn::prelude::Device::flex();
    let compiled = bridge::compile(&Checkpoint::open(&checkpoint_folder(&run)?, &device)?)?;
    let bytes = compiled.artefact.save(&path)?;
    steps.say(format_args!(
        "compiled it to {} ({:.1} MB)",
        path.display(),
        bytes as f64 / 1e6
    ));

    let model = Model::open(&path)?;
    let both = command.has_both_engines(&steps)?;
    let comparison = match both {
        true => Some(verify::engines_compared(
            &model,
            &command.engine,
            command.seed,
        )?),
        false => None,
    };
    let evaluation = command.evaluate(&model, &tasks)?;
    steps.say("segmented and evaluated the held-out patients");

    let story = page::Story {
        folder: out,
        plan: &plan,
        tasks: &tasks,
        log: &read_log(&run)?,
        evaluation: &evaluation,
        comparison: comparison.as_ref(),
    };
    let same = page::same_volume(&model, &command.engine, &tasks)?;
    let page = out.join("report.html");
    story.write(&page, &same)?;
    report::result(&page::summary(&evaluation, &same));
    steps.say(format_args!("done; look at {}", page.display()));
    match comparison {
        Some(comparison) => Ok(verify::verdict(&comparison, TOLERANCE)),
        None => {
            report::note("only one engine ran, so nothing was verified");
            Ok(Outcome::CheckFailed)
        }
    }
}

impl Demo {
    fn train(&self, plan: &Plan) -> anyhow::Result<PathBuf> {
        let folder = self.out.join("run");
        let settings = TrainSettings {
            seed: self.seed,
            validation_batches: 4 * plan.tasks.len() as u32,
            ..TrainSettings::quick(self.epochs, 50)
        };
        let run = Run {
            folder: &folder,
            plan,
            settings: &settings,
            cache: &self.out.join("cache"),
            devices: &[burn::prelude::Device::flex()],
            precision: Precision::F32,
            workers: half_of_the_cores(),
            start: None,
        };
        let summary = watch::train(run, true)?;
        ensure!(
            summary.finished,
            "training was stopped after {} steps; the same command continues",
            summary.iteration
        );
        Ok(folder)
    }

    /// Whether ONNX Runtime is there beside tract, or could be installed.
    fn has_both_engines(&self, steps: &Steps) -> anyhow::Result<bool> {
        if self.engine.run.ort_lib.is_some() || find_ort(None)?.is_some() {
            return Ok(true);
        }
        steps.say("no ONNX Runtime is found: installing the pinned one");
        match runtime::install(Flavour::Cpu) {
            Ok(_) => Ok(true),
            Err(error) => {
                report::error(&error);
                Ok(false)
            }
        }
    }

    fn evaluate(&self, model: &Model, tasks: &Tasks) -> anyhow::Result<Evaluation> {
        let folder = evaluation_folder(&self.out);
        let options = EvaluateOptions {
            folder: Some(folder.clone()),
            previews: true,
            save_labels: true,
            ..EvaluateOptions::of(model)
        };
        let mut engine = open_engine(model, &self.engine.options(EngineKind::Auto))?.engine;
        let evaluation =
            evaluation::evaluate(model, engine.as_mut(), tasks, &options, &mut |event| {
                if let evaluation::Event::Failed { task, failure } = event {
                    report::note(&format!("{task}, {}: {}", failure.case, failure.error));
                }
            })?;
        evaluation::write(&evaluation, &folder)?;
        Ok(evaluation)
    }
}

/// Where the evaluation's files are.
fn evaluation_folder(out: &Path) -> PathBuf {
    out.join("evaluation")
}

/// Cases of each task; the last fifth is held out.
const CASES: NonZeroUsize = NonZeroUsize::new(14).expect("14 is not 0");
