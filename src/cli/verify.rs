mod bisect;

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use uniseg_runtime::{
    Bounds, Comparison, Device, EngineKind, EngineOptions, Model, Precision, RuntimeError,
    TaskDifference, compare, open_engine,
};

use super::{EngineArgs, Outcome};
use crate::report;

/// Check that two independent engines compute the same
///
/// Runs every task once through ONNX Runtime, on the device and in the precision asked for, and once
/// through tract in f32 on the same random inputs and compares the logits; with --checkpoint, the
/// network as burn computes it too. Exit code 1 if they differ by more than the tolerance, or if none
/// is given by more than `uniseg tune` lets pass: logits 0.001 of the largest and 0.1 % of the labels
/// in f32; 0.1 and 0.5 % in tf32, bf16, f16 and int8.
#[derive(Args)]
pub(crate) struct Verify {
    /// The artefact
    model: PathBuf,
    /// Largest absolute difference of two logits that is accepted, instead of the bounds above; for
    /// --bisect a relative one [default there: 0.001]
    #[arg(long, value_name = "X")]
    tolerance: Option<f64>,
    /// Seed of the random inputs
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Also compare the network that the artefact was compiled from: a checkpoint folder, or the
    /// folder of a training run
    #[cfg(feature = "train")]
    #[arg(long, value_name = "RUN")]
    checkpoint: Option<PathBuf>,
    /// Compare node by node, on the first task, and name the first node whose relative difference
    /// is beyond the tolerance
    #[arg(long)]
    bisect: bool,
    /// Print the comparison as JSON; with --checkpoint or --bisect, an object of all of them
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

pub(super) fn run(command: Verify) -> anyhow::Result<Outcome> {
    if let Some(tolerance) = command.tolerance {
        ensure!(tolerance >= 0.0, "--tolerance {tolerance} is no tolerance");
    }
    command.engine.limit_threads();
    let model = Model::open(&command.model)?;
    if !model.manifest().network.part.is_whole() {
        return Err(RuntimeError::HalfOfAPair.into());
    }
    let engines = engines_compared(&model, &command.engine, command.seed)?;
    let comparisons: Vec<Comparison> = std::iter::once(engines)
        .chain(network_compared(&model, &command)?)
        .collect();
    let bisection = match command.bisect {
        true => Some(bisect::bisected(&model, &command.engine, command.seed)?),
        false => None,
    };
    if command.json {
        let json = match (comparisons.as_slice(), &bisection) {
            ([one], None) => serde_json::to_string_pretty(one)?,
            _ => serde_json::to_string_pretty(&serde_json::json!({
                "comparisons": comparisons,
                "bisection": bisection,
            }))?,
        };
        report::result(&(json + "\n"));
    } else {
        for comparison in &comparisons {
            report::result(&table(comparison));
        }
        if let Some(bisection) = &bisection {
            report::result(&bisect::table(
                bisection,
                command.tolerance.unwrap_or(TOLERANCE),
            ));
        }
    }
    // An artefact in bytes is rounded whatever it is computed in.
    let precision = match model.stored_precision() {
        Precision::F32 => ort_options(&model, &command.engine).precision,
        stored => stored,
    };
    let verdicts = comparisons
        .iter()
        .map(|comparison| judge(comparison, command.tolerance, precision));
    let failed = verdicts.fold(false, |failed, one| failed | (one == Outcome::CheckFailed));
    Ok(if failed {
        Outcome::CheckFailed
    } else {
        Outcome::Done
    })
}

/// A build without burn has no network to compare with.
#[cfg(not(feature = "train"))]
fn network_compared(_: &Model, _: &Verify) -> anyhow::Result<Option<Comparison>> {
    Ok(None)
}

/// Compares the network of --checkpoint, in burn, with the artefact in ONNX Runtime.
#[cfg(feature = "train")]
fn network_compared(model: &Model, command: &Verify) -> anyhow::Result<Option<Comparison>> {
    let Some(folder) = &command.checkpoint else {
        return Ok(None);
    };
    let device = burn::prelude::Device::flex();
    let folder = uniseg_train::run::checkpoint_folder(folder)?;
    let checkpoint = uniseg_train::Checkpoint::open(&folder, &device)?;
    let network = &checkpoint.plan.network;
    let promised = &model.manifest().network;
    ensure!(
        network.patch_size == promised.patch_zyx
            && network.stem_slots() == promised.slots
            && network.num_classes == promised.classes,
        "the checkpoint in {} is not the network of {}: patch, channels or classes differ",
        folder.display(),
        command.model.display()
    );
    let mut burn = uniseg::burn_engine::BurnEngine::new(&checkpoint);
    let mut ort = open_engine(model, &ort_options(model, &command.engine))?.engine;
    Ok(Some(compare(
        model.manifest(),
        &mut burn,
        ort.as_mut(),
        command.seed,
        &mut |_| {},
    )?))
}

/// What a comparison is held to: the tolerance given, or the bounds of its precision.
fn judge(comparison: &Comparison, tolerance: Option<f64>, precision: Precision) -> Outcome {
    match tolerance {
        Some(tolerance) => verdict(comparison, tolerance),
        None => within(comparison, Bounds::of(precision)),
    }
}

/// ONNX Runtime as it is checked: what was asked for, not what happened to be fastest.
fn ort_options(model: &Model, args: &EngineArgs) -> EngineOptions {
    let mut options = args.options(EngineKind::Ort);
    if options.precision == Precision::Auto {
        options.precision = model.stored_precision();
    }
    if options.device == Device::Auto {
        options.device = Device::Cpu;
    }
    options
}

/// tract as the check: on the cpu, in the artefact's own precision.
fn tract_options(args: &EngineArgs) -> EngineOptions {
    EngineOptions {
        device: Device::Cpu,
        precision: Precision::Auto,
        ..args.options(EngineKind::Tract)
    }
}

/// Beyond this relative difference a node is named.
const TOLERANCE: f64 = 1e-3;

/// Says whether a comparison stays within the bounds of a precision.
fn within(comparison: &Comparison, bounds: Bounds) -> Outcome {
    let (flipped, voxels) = comparison
        .tasks
        .iter()
        .fold((0, 0), |(flipped, voxels), task| {
            (flipped + task.flipped, voxels + task.voxels)
        });
    let share = flipped as f64 / voxels.max(1) as f64;
    let agree = comparison.max_rel() <= bounds.max_rel && share <= bounds.flipped;
    report::note(&format!(
        "the engines {}: logits {:.1e} of the largest (bound {:.0e}), labels {:.2} % (bound {:.2} %)",
        if agree { "agree" } else { "differ" },
        comparison.max_rel(),
        bounds.max_rel,
        100.0 * share,
        100.0 * bounds.flipped
    ));
    if agree {
        Outcome::Done
    } else {
        Outcome::CheckFailed
    }
}

/// Compares the two engines on every task.
pub(super) fn engines_compared(
    model: &Model,
    args: &EngineArgs,
    seed: u64,
) -> anyhow::Result<Comparison> {
    let mut ort = open_engine(model, &ort_options(model, args))?.engine;
    let mut tract = open_engine(model, &tract_options(args))?.engine;
    Ok(compare(
        model.manifest(),
        ort.as_mut(),
        tract.as_mut(),
        seed,
        &mut |_| {},
    )?)
}

/// Says whether a comparison stays within a tolerance.
pub(super) fn verdict(comparison: &Comparison, tolerance: f64) -> Outcome {
    let worst = comparison.max_abs();
    // Written so that a difference that is not a number fails.
    if worst <= tolerance {
        report::note(&format!(
            "the engines agree: {worst:.2e} is within {tolerance:.0e}"
        ));
        return Outcome::Done;
    }
    report::note(&format!(
        "the engines differ: {worst:.2e} is beyond {tolerance:.0e}"
    ));
    Outcome::CheckFailed
}

pub(super) fn table(comparison: &Comparison) -> String {
    let [reference, other] = &comparison.engines;
    format!(
        "{reference} against {other}\n{}",
        report::table(&rows(comparison))
    )
}

/// A row a task, below a heading.
pub(super) fn rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let heading = [
        "id",
        "task",
        "max abs",
        "max rel",
        "flipped voxels",
        "seconds",
    ];
    std::iter::once(heading.map(str::to_owned).to_vec())
        .chain(comparison.tasks.iter().map(row))
        .collect()
}

fn row(task: &TaskDifference) -> Vec<String> {
    let [reference, other] = task.seconds;
    vec![
        task.id.to_string(),
        task.task.clone(),
        format!("{:.2e}", task.max_abs),
        format!("{:.2e}", task.max_rel),
        format!("{} of {}", task.flipped, task.voxels),
        format!("{reference:.2} and {other:.2}"),
    ]
}
