mod precision;

use std::path::PathBuf;

use clap::Args;
use uniseg_train::Checkpoint;
use uniseg_train::run::checkpoint_folder;

use super::{Outcome, import::read_plan};
use crate::report;

/// Compile a checkpoint to one self-describing ONNX file
///
/// Records the network, compiles it to ONNX and writes one file that carries the network, its
/// tasks, labels and preprocessing. The same checkpoint always gives the same bytes.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["checkpoint", "plan", "list_ops"]))]
pub(crate) struct Export {
    /// Checkpoint folder, or the folder of a training run for its last checkpoint (RUN/best: its best)
    checkpoint: Option<PathBuf>,
    /// Instead of a checkpoint: a plan.json, or `paper`, with random weights
    #[arg(long, value_name = "PLAN|paper")]
    plan: Option<PathBuf>,
    /// Seed of the random weights
    #[arg(long, default_value_t = 0, requires = "plan", value_name = "N")]
    seed: u64,
    /// List the burn operations that can be exported, and stop
    #[arg(long)]
    list_ops: bool,
    /// File to write
    #[arg(
        short,
        long,
        value_name = "MODEL",
        required_unless_present = "list_ops"
    )]
    output: Option<PathBuf>,
    #[command(flatten)]
    precision: precision::PrecisionArgs,
}

pub(super) fn run(command: Export) -> anyhow::Result<Outcome> {
    if command.list_ops {
        let rows: Vec<_> = std::iter::once(vec!["burn".to_owned(), "ONNX".to_owned()])
            .chain(
                uniseg_export::supported_operations()
                    .map(|(burn, onnx)| vec![burn.to_owned(), onnx.join(" ")]),
            )
            .collect();
        report::result(&report::table(&rows));
        return Ok(Outcome::Done);
    }
    let device = burn::prelude::Device::flex();
    let checkpoint = match (&command.checkpoint, &command.plan) {
        (Some(folder), _) => Checkpoint::open(&checkpoint_folder(folder)?, &device)?,
        (None, Some(plan)) => Checkpoint::random(read_plan(plan)?, command.seed, &device),
        (None, None) => anyhow::bail!("give a checkpoint folder or --plan"),
    };
    let Some(output) = &command.output else {
        anyhow::bail!("give a file to write with -o")
    };
    let compiled = command.precision.compile(&checkpoint)?;
    let bytes = compiled.artefact.save(output)?;
    let nodes = compiled
        .artefact
        .model()
        .graph
        .as_ref()
        .map_or(0, |graph| graph.node.len());
    let passes: Vec<_> = compiled
        .passes
        .iter()
        .filter(|pass| pass.changes > 0)
        .map(|pass| format!("{} {}", pass.name, pass.changes))
        .collect();
    report::note(&format!(
        "wrote {}: {nodes} nodes from {} recorded operations ({}), {:.1} MB",
        output.display(),
        compiled.recorded_operations,
        passes.join(", "),
        bytes as f64 / 1e6
    ));
    Ok(Outcome::Done)
}
