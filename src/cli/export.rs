mod precision;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use uniseg::bridge::{Batch, Compiled, Request};
use uniseg_export::{Cost, Dtype, Handover, Opset};
use uniseg_train::Checkpoint;
use uniseg_train::run::checkpoint_folder;

use super::{Outcome, check_folder_of, import::read_plan};
use crate::report;
use precision::Form;

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
    /// Only for these tasks (names, aliases or ids): what only others need is left out
    #[arg(long, value_name = "TASK", value_delimiter = ',', num_args = 1..)]
    task: Vec<String>,
    /// Only for tasks all of whose images are of this modality, as in CT
    #[arg(long, value_name = "MODALITY")]
    modality: Option<String>,
    /// Write two files, MODEL.encoder.onnx, which does not depend on the task, and
    /// MODEL.decoder.onnx: many tasks on one window cost one encoding
    #[arg(long)]
    split: bool,
    /// Numbers in which MODEL.encoder.onnx hands features over: in 16 bits they take half the memory
    /// while the tasks of a window run
    #[arg(
        long,
        value_enum,
        default_value = "f32",
        value_name = "P",
        requires = "split"
    )]
    features: FeaturesName,
    /// Hand features over with their channels last, as OpenVINO computes: it need not reorder them.
    /// Other engines have to
    #[arg(long, requires = "split")]
    channels_last: bool,
    /// Let the network take any number of windows at once (the axis is named `batch`)
    #[arg(long)]
    open_batch: bool,
    /// Take a quarter less memory to run: no tensor of skip connection and upsampled features
    /// together at the finest level. Tasks that run on a window together share more of their work.
    /// Costs no time in OpenVINO, a tenth of it in ONNX Runtime's own cpu provider. int8 does it
    /// always: the halves then have ranges of their own
    #[arg(long)]
    lean: bool,
    /// Merge each upsampling with the convolution behind it: a tenth fewer operations, no upsampled
    /// features kept. For OpenVINO in f32; other engines and bf16 lose time, and ONNX Runtime's own
    /// cpu provider takes a multiple of the memory
    #[arg(long)]
    merge_upsampling: bool,
    /// Compute 3x3x3 convolutions with half the products (Winograd along the first axis) where
    /// that takes little memory: faster in f32 on processors. The file grows by a quarter; only
    /// for f32, whose rounding it takes tenfold
    #[arg(long)]
    winograd: bool,
    /// Version of ONNX's operators, 17 to 23: newer ones have GELU (20) and attention (23) as one
    /// node, and fewer engines read them
    #[arg(long, default_value_t = Opset::DEFAULT, value_name = "N")]
    opset: Opset,
    /// Show what each pass of the compiler changed, and what that saves
    #[arg(long)]
    explain: bool,
    /// List the burn operations, each with what it becomes or why it cannot, and stop
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

#[derive(Clone, Copy, ValueEnum)]
enum FeaturesName {
    /// Nothing is lost
    F32,
    /// Rounded to 11 bits, up to 65504
    F16,
    /// Rounded to 8 bits; OpenVINO's provider does not take them
    Bf16,
}

pub(super) fn run(command: Export) -> anyhow::Result<Outcome> {
    if command.list_ops {
        let rows: Vec<_> = std::iter::once(vec!["burn".to_owned(), "ONNX".to_owned()])
            .chain(uniseg_export::operations().map(|operation| {
                let onnx = match operation.onnx {
                    Ok(operators) if operation.since > Opset::DEFAULT => {
                        format!("{} (from opset {})", operators.join(" "), operation.since)
                    }
                    Ok(operators) => operators.join(" "),
                    Err(reason) => format!("none: {reason}"),
                };
                vec![operation.name.to_owned(), onnx]
            }))
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
    // Before calibrating, which can take minutes.
    check_folder_of(output)?;
    anyhow::ensure!(
        !output.is_dir(),
        "{} is a folder: name a file",
        output.display()
    );
    let request = Request {
        tasks: command.task.clone(),
        modality: command.modality.clone(),
        batch: match command.open_batch {
            true => Batch::Open,
            false => Batch::One,
        },
        lean: command.lean,
        merge_upsampling: command.merge_upsampling,
        winograd: command.winograd,
        precision: command.precision.precision(),
        features: Handover {
            dtype: match command.features {
                FeaturesName::F32 => Dtype::F32,
                FeaturesName::F16 => Dtype::F16,
                FeaturesName::Bf16 => Dtype::BF16,
            },
            channels_last: command.channels_last,
        },
        opset: command.opset,
    };
    let form = match command.split {
        true => Form::Pair,
        false => Form::Whole,
    };
    let compiled = command.precision.compile(&checkpoint, &request, form)?;
    let asked: Vec<&str> = [
        ("lean", command.lean),
        ("merge-upsampling", command.merge_upsampling),
        ("winograd", command.winograd),
    ]
    .into_iter()
    .filter_map(|(name, asked)| asked.then_some(name))
    .collect();
    match compiled.as_slice() {
        [encoder, decoder] => {
            // The passes ran on the whole, so that they are shown once.
            let [first, second] =
                ["encoder.onnx", "decoder.onnx"].map(|ending| output.with_extension(ending));
            save(encoder, &first, &asked, command.explain)?;
            save(decoder, &second, &asked, false)?;
        }
        all => {
            for whole in all {
                save(whole, output, &asked, command.explain)?;
            }
        }
    }
    Ok(Outcome::Done)
}

/// Writes an artefact and tells of it, also of those passes that were `asked` for and found nothing.
fn save(compiled: &Compiled, output: &Path, asked: &[&str], explain: bool) -> anyhow::Result<()> {
    let bytes = compiled.artefact.save(output)?;
    let [_, cost] = compiled.costs;
    report::note(&format!(
        "wrote {}: {} nodes from {} recorded operations, {:.1} GFLOP, {:.1} MB",
        output.display(),
        cost.nodes,
        compiled.recorded_operations,
        cost.flops as f64 / 1e9,
        bytes as f64 / 1e6
    ));
    for pass in compiled.passes.iter().filter(|pass| pass.changes == 0) {
        if asked.contains(&pass.name) {
            let name = pass.name;
            report::note(&format!(
                "--{name} found no convolution left that it pays for"
            ));
        }
    }
    if explain {
        report::result(&report::table(&explanation(compiled)));
    }
    Ok(())
}

fn explanation(compiled: &Compiled) -> Vec<Vec<String>> {
    let head = [
        "pass",
        "changes",
        "nodes",
        "GFLOP",
        "MB read and written",
        "MB at once",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let row = |name: &str, changes: String, nodes: String, costs: [f64; 3], plus: bool| {
        let number = |value: f64| match plus {
            true if value == 0.0 => "0".to_owned(),
            true => format!("{value:+.3}"),
            false => format!("{value:.3}"),
        };
        let [flops, traffic, alive] = costs;
        vec![
            name.to_owned(),
            changes,
            nodes,
            number(flops / 1e9),
            number(traffic / 1e6),
            number(alive / 1e6),
        ]
    };
    let [before, after] = compiled.costs;
    let whole = |name: &str, cost: &Cost| {
        let costs = [cost.flops, cost.traffic_bytes, cost.activation_bytes];
        let costs = costs.map(|cost| cost as f64);
        row(name, String::new(), cost.nodes.to_string(), costs, false)
    };
    rows.push(whole("as recorded", &before));
    for pass in compiled.passes.iter().filter(|pass| pass.changes > 0) {
        let costs = [pass.flops, pass.traffic_bytes, pass.activation_bytes];
        let costs = costs.map(|cost| cost as f64);
        let [changes, nodes] = [pass.changes.to_string(), format!("{:+}", pass.nodes)];
        rows.push(row(pass.name, changes, nodes, costs, true));
    }
    rows.push(whole("as written", &after));
    rows
}
