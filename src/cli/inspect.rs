use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use uniseg_onnx::{Artefact, Manifest, Normalization, Task, ZScoreScope};

use super::Outcome;
use crate::report;

/// Show what an ONNX file says about itself
///
/// Checks an artefact and shows its tasks, labels, preprocessing and provenance.
#[derive(Args)]
pub(crate) struct Inspect {
    /// The artefact
    model: PathBuf,
    /// Print the manifest as JSON
    #[arg(long, conflicts_with = "graph")]
    json: bool,
    /// Print the graph as text
    #[arg(long)]
    graph: bool,
}

pub(super) fn run(command: Inspect) -> anyhow::Result<Outcome> {
    let artefact = Artefact::open(&command.model)?;
    if command.json {
        let json = serde_json::to_string_pretty(artefact.manifest())?;
        report::result(&(json + "\n"));
    } else if command.graph {
        report::result(&uniseg_onnx::text(artefact.model()));
    } else {
        report::result(&summary(&artefact));
    }
    Ok(Outcome::Done)
}

fn summary(artefact: &Artefact) -> String {
    let manifest = artefact.manifest();
    let Manifest {
        network,
        inference,
        provenance,
        ..
    } = manifest;
    let [d, h, w] = network.patch_zyx;
    let mut rows = vec![
        vec![
            "network".into(),
            format!("{}, {} parameters", network.name, network.parameters),
        ],
        vec!["patch".into(), format!("{d} x {h} x {w} voxels (z, y, x)")],
        vec![
            "inputs".into(),
            format!(
                "{} slots, task 0 to {}",
                network.slots,
                manifest.tasks.len().saturating_sub(1)
            ),
        ],
        vec!["output".into(), format!("{} classes", network.classes)],
        vec!["precision".into(), network.precision.clone()],
        vec![
            "window".into(),
            format!(
                "step {} of the patch, Gaussian sigma {} of it, mirroring {} by default",
                inference.step,
                inference.gaussian_sigma,
                if inference.mirror { "on" } else { "off" }
            ),
        ],
        vec!["made by".into(), provenance.producer.clone()],
    ];
    let optional = [
        ("from", &provenance.source),
        ("its sha256", &provenance.source_sha256),
        ("licence", &provenance.licence),
        ("notes", &provenance.notes),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            rows.push(vec![name.into(), value.clone()]);
        }
    }
    rows.push(vec![
        "weights".into(),
        format!("sha256 {}", manifest.weights_sha256),
    ]);
    rows.push(vec!["nodes".into(), operators(artefact)]);
    rows.push(vec![
        "file".into(),
        format!("{:.1} MB", artefact.bytes().len() as f64 / 1e6),
    ]);

    let mut tasks = vec![
        ["id", "task", "images", "labels", "grid (mm, z y x)"]
            .map(str::to_owned)
            .to_vec(),
    ];
    tasks.extend(manifest.tasks.iter().map(task_row));
    format!("{}\n{}", report::table(&rows), report::table(&tasks))
}

/// How many nodes of each operator, the most frequent first.
fn operators(artefact: &Artefact) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let nodes = artefact
        .model()
        .graph
        .as_ref()
        .map_or(&[][..], |graph| &graph.node);
    for node in nodes {
        *counts.entry(&node.op_type).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let list: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    format!("{} ({})", nodes.len(), list.join(", "))
}

fn task_row(task: &Task) -> Vec<String> {
    let mut name = task.name.clone();
    if !task.aliases.is_empty() {
        name += &format!(" ({})", task.aliases.join(", "));
    }
    let images: Vec<_> = task
        .channels
        .iter()
        .map(|channel| {
            format!(
                "{} {}",
                channel.modality,
                normalization(channel.normalization)
            )
        })
        .collect();
    let [z, y, x] = task.spacing_zyx_mm;
    vec![
        task.id.to_string(),
        name,
        images.join(" + "),
        task.labels
            .iter()
            .skip(1)
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
        format!("{z} {y} {x}"),
    ]
}

fn normalization(rule: Normalization) -> String {
    match rule {
        Normalization::None => "as is".into(),
        Normalization::ClipRescale { lower, upper } => format!("{lower}..{upper} to 0..1"),
        Normalization::ZScore {
            scope: ZScoreScope::Image,
        } => "z-score".into(),
        Normalization::ZScore {
            scope: ZScoreScope::Nonzero,
        } => "z-score of non-zero".into(),
    }
}
