use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use uniseg::bridge;
use uniseg_runtime::{Model, open_engine};
use uniseg_train::Checkpoint;
use uniseg_train::data::Tasks;
use uniseg_train::run::checkpoint_folder;

use super::{EngineArgs, EngineName, Outcome};
use crate::evaluation::{self, EvaluateOptions, Evaluation, Event, SplitPart};
use crate::report;

/// Measure a model on annotated cases
///
/// Segments every held-out case of every task that the model and the tasks file share and compares
/// with the annotation on the image's own grid: Dice, surface Dice, 95 % Hausdorff distance and
/// average surface distance for each label, averaged over cases, labels and tasks as the paper
/// does. A run that was stopped goes on where it was. Exit code 1 if a case cannot be evaluated.
#[derive(Args)]
pub(crate) struct Evaluate {
    /// An artefact (.onnx) or a checkpoint folder
    model: PathBuf,
    /// Tasks file: datasets, label maps, splits
    #[arg(long, value_name = "TOML")]
    tasks: PathBuf,
    /// Folder of the datasets [default: the tasks file's own]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Tasks by name, alias or id [default: all that model and tasks file share]
    #[arg(long = "task", num_args = 1.., value_name = "NAME")]
    names: Vec<String>,
    /// Which cases
    #[arg(long, value_enum, default_value = "validation")]
    split: SplitPart,
    /// Folder for tables, plots and finished cases [default: only print]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Keep the predicted label maps: DIR/TASK/CASE.nii.gz
    #[arg(long, requires = "output")]
    save_labels: bool,
    /// Draw truth and prediction of every case: DIR/TASK/CASE.png
    #[arg(long, requires = "output")]
    preview: bool,
    /// Distance up to which the surface Dice counts a surface as met
    #[arg(long, default_value_t = 2.0, value_name = "MM")]
    tolerance_mm: f64,
    /// Exit with 1 if the mean Dice is below this
    #[arg(long, value_name = "X")]
    min_dice: Option<f64>,
    /// Distance of two windows as a fraction of the patch [default: the model's own]
    #[arg(long, value_name = "F")]
    step: Option<f64>,
    /// Average over all mirror views: slower, and better only for models trained with mirroring
    #[arg(long)]
    mirror: bool,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Engine to compute with
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineName,
    #[command(flatten)]
    engine_args: EngineArgs,
}

pub(super) fn run(command: Evaluate) -> anyhow::Result<Outcome> {
    command.engine_args.limit_threads();
    if let Some(least) = command.min_dice {
        ensure!(
            (0.0..=1.0).contains(&least),
            "--min-dice {least} is no Dice: it is from 0 to 1"
        );
    }
    let tasks = Tasks::read(&command.tasks, command.root.as_deref())?;
    let model = open_model(&command.model)?;
    let opened = open_engine(&model, &command.engine_args.options(command.engine.into()))?;
    if let Some(note) = &opened.note {
        report::note(note);
    }
    let mut engine = opened.engine;
    let mut options = EvaluateOptions {
        tasks: command.names,
        split: command.split,
        tolerance_mm: command.tolerance_mm,
        folder: command.output,
        save_labels: command.save_labels,
        previews: command.preview,
        ..EvaluateOptions::of(&model)
    };
    options.window.step = command.step.unwrap_or(options.window.step);
    options.window.mirror |= command.mirror;

    let progress = report::CaseProgress::new();
    let evaluation =
        evaluation::evaluate(&model, engine.as_mut(), &tasks, &options, &mut |event| {
            show(&progress, event)
        });
    progress.finish();
    let evaluation = evaluation?;
    if let Some(folder) = &options.folder {
        evaluation::write(&evaluation, folder)?;
        report::note(&format!(
            "wrote {}",
            folder.join("evaluation.html").display()
        ));
    }
    ensure!(
        evaluation.mean.is_some(),
        "none of {} case(s) could be evaluated",
        evaluation.failed()
    );
    if command.json {
        report::result(&(serde_json::to_string_pretty(&evaluation)? + "\n"));
    } else {
        report::result(&report::table(&evaluation.rows()));
    }
    Ok(verdict(&evaluation, command.min_dice))
}

/// An artefact as it is; a checkpoint is compiled to one in memory.
pub(super) fn open_model(path: &Path) -> anyhow::Result<Model> {
    // RUN/best is no folder, but names one.
    if path.is_file() || path.extension().is_some_and(|ending| ending == "onnx") {
        return Ok(Model::open(path)?);
    }
    let device = burn::prelude::Device::flex();
    let checkpoint = checkpoint_folder(path)
        .and_then(|folder| Checkpoint::open(&folder, &device))
        .with_context(|| format!("cannot use the folder {} as a checkpoint", path.display()))?;
    Ok(bridge::artefact(&checkpoint)?.into())
}

fn show(progress: &report::CaseProgress, event: Event<'_>) {
    match event {
        Event::Note(text) => progress.note(&text),
        Event::Begins {
            task,
            case,
            done,
            total,
        } => progress.begin(format!("[{}/{total}] {task} {case}: ", done + 1)),
        Event::Step(step) => progress.show(step),
        Event::Scored { task, score, kept } => {
            let kept = if kept { " (from an earlier run)" } else { "" };
            let text = format!("{task} {}: Dice {:.4}{kept}", score.case, score.dice());
            progress.note(&text);
        }
        Event::Dropped { task, case } => {
            progress.note(&format!("{task} {case}: left out, it has no labels"));
        }
        Event::Failed { task, failure } => {
            progress.note(&format!(
                "{task} {}: failed: {}",
                failure.case, failure.error
            ));
        }
    }
}

fn verdict(evaluation: &Evaluation, least: Option<f64>) -> Outcome {
    let failed = evaluation.failed();
    if failed > 0 {
        report::note(&format!("{failed} case(s) could not be evaluated"));
    }
    let dice = evaluation.mean_dice().unwrap_or(0.0);
    // Written so that a mean that is not a number fails.
    let enough = least.is_none_or(|least| dice >= least);
    if let Some(least) = least.filter(|_| !enough) {
        report::note(&format!("the mean Dice {dice:.4} is below {least}"));
    }
    if enough && failed == 0 {
        Outcome::Done
    } else {
        Outcome::CheckFailed
    }
}
