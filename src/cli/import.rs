use std::path::PathBuf;

use clap::Args;
use uniseg_train::{Checkpoint, Plan, plan};

use super::Outcome;
use crate::report;

/// Turn an official PyTorch checkpoint into a uniseg checkpoint
///
/// Reads the weights of an official checkpoint (nnU-Net v1 style `.model`, or `.pth` with a
/// `state_dict`) into a folder with `weights.safetensors` and `checkpoint.json`. No code in the
/// checkpoint is executed.
#[derive(Args)]
pub(crate) struct Import {
    /// The PyTorch checkpoint
    checkpoint: PathBuf,
    /// The network's plan.json, or `paper` for the paper's own plan with its eleven tasks
    #[arg(long, value_name = "PLAN|paper")]
    plan: PathBuf,
    /// Folder to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

pub(super) fn run(command: Import) -> anyhow::Result<Outcome> {
    let plan = read_plan(&command.plan)?;
    let device = burn::prelude::Device::flex();
    let checkpoint = Checkpoint::import(&command.checkpoint, plan, &device)?;
    checkpoint.save(&command.output)?;
    report::note(&format!(
        "imported {0} tasks into {1}; next: uniseg export {1} -o model.onnx",
        checkpoint.plan.tasks.len(),
        command.output.display()
    ));
    Ok(Outcome::Done)
}

/// A plan file, or the built-in plan called `paper`.
pub(super) fn read_plan(path: &std::path::Path) -> anyhow::Result<Plan> {
    match path.to_str() {
        Some("paper") => Ok(plan::paper()),
        _ => Ok(Plan::read(path)?),
    }
}
