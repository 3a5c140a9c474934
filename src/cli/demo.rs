use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use uniseg::bridge;
use uniseg_imaging::{Extent, Normalization, SpacingMm, dice, phantom};
use uniseg_onnx::Task;
use uniseg_runtime::{
    Case, EngineKind, Flavour, Model, Segmentation, WindowOptions, find_ort, open_engine,
    write_labels, write_statistics,
};
use uniseg_train::{Checkpoint, NetworkConfig, Plan, TaskPlan, plan};

use super::{EngineArgs, Outcome, runtime, verify};
use crate::{preview, report};

/// Run the whole pipeline on a generated volume and a small random network
///
/// Makes a CT-like volume and a small network with seeded random weights, compiles the network,
/// segments the volume with both engines, verifies that they agree and draws a picture. The labels
/// mean nothing: nobody trained the network.
#[derive(Args)]
pub(crate) struct Demo {
    /// Folder for the files
    #[arg(long, default_value = "uniseg-demo", value_name = "DIR")]
    out: PathBuf,
    /// Seed of the volume and of the weights
    #[arg(long, default_value_t = 5, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    engine: EngineArgs,
}

pub(super) fn run(command: Demo) -> anyhow::Result<Outcome> {
    command.engine.limit_threads();
    let out = &command.out;
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let start = Instant::now();
    let step =
        |text: String| report::note(&format!("[{:5.1} s] {text}", start.elapsed().as_secs_f64()));

    let ct = out.join("ct.nii.gz");
    let spacing = SpacingMm::from_zyx([4.0, 2.5, 2.5])?;
    let phantom = phantom::ct(Extent::from_zyx([64, 120, 144]), spacing, command.seed)?;
    uniseg_imaging::write_image(&ct, &phantom.image)?;
    step(format!(
        "made {}: {} voxels of {spacing}",
        ct.display(),
        phantom.image.geometry().extent
    ));

    let device = burn::prelude::Device::flex();
    let checkpoint = Checkpoint::random(small_plan(), command.seed, &device);
    checkpoint.save(&out.join("checkpoint"))?;
    let path = out.join("model.onnx");
    let compiled = bridge::compile(&checkpoint)?;
    let bytes = compiled.artefact.save(&path)?;
    step(format!(
        "compiled a random network to {} ({:.1} MB)",
        path.display(),
        bytes as f64 / 1e6
    ));

    let model = Model::open(&path)?;
    let task = model.manifest().task("abdomen")?.clone();
    let mut results = Vec::new();
    for kind in engines(&command, &step)? {
        let (segmentation, name) = segment(&model, &task, &ct, kind, &command, out)?;
        step(format!("segmented with {name}"));
        if results.is_empty() {
            preview::write(&out.join("preview.png"), &phantom.image, &segmentation)?;
        }
        results.push(segmentation);
    }
    let outcome = match results.as_slice() {
        [ort, tract] => {
            report::result(&(agreement(ort, tract) + "\n"));
            let comparison = verify::engines_compared(&model, &command.engine, command.seed)?;
            report::result(&verify::table(&comparison));
            verify::verdict(&comparison, 1e-3)
        }
        _ => {
            report::note("only one engine ran, so nothing was verified");
            Outcome::CheckFailed
        }
    };
    step(format!(
        "done; look at {} (the labels mean nothing: nobody trained the network)",
        out.join("preview.png").display()
    ));
    Ok(outcome)
}

/// Both engines; without ONNX Runtime, and without a way to get it, tract alone.
fn engines(command: &Demo, step: &dyn Fn(String)) -> anyhow::Result<Vec<EngineKind>> {
    let both = vec![EngineKind::Ort, EngineKind::Tract];
    if command.engine.ort_lib.is_some() || find_ort(None)?.is_some() {
        return Ok(both);
    }
    step("no ONNX Runtime is found: installing the pinned one".into());
    match runtime::install(Flavour::Cpu) {
        Ok(_) => Ok(both),
        Err(error) => {
            report::error(&error);
            Ok(vec![EngineKind::Tract])
        }
    }
}

/// How well two label maps agree, label by label.
fn agreement(first: &Segmentation, second: &Segmentation) -> String {
    let mut rows = vec![
        ["label", "voxels", "Dice of the engines"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(first.statistics.labels.iter().map(|label| {
        let same = dice(first.labels.view(), second.labels.view(), label.label);
        vec![
            label.name.clone(),
            label.voxels.to_string(),
            format!("{same:.5}"),
        ]
    }));
    report::table(&rows)
}

/// Segments with one engine and writes its label map.
fn segment(
    model: &Model,
    task: &Task,
    ct: &Path,
    kind: EngineKind,
    command: &Demo,
    out: &Path,
) -> anyhow::Result<(Segmentation, String)> {
    let progress = report::CaseProgress::new();
    let mut engine = open_engine(model, &command.engine.options(kind))?.engine;
    let options = WindowOptions::of(model.manifest());
    let mut case = Case::read(&[ct.to_path_buf()], &mut |step| progress.show(step))?;
    let segmentation = case.segment(model, engine.as_mut(), task, &options, &mut |step| {
        progress.show(step)
    })?;
    progress.finish();
    write_labels(
        &segmentation,
        case.header(),
        &out.join(format!("labels-{kind}.nii.gz")),
    )?;
    write_statistics(
        &segmentation.statistics,
        &out.join(format!("labels-{kind}.json")),
    )?;
    Ok((segmentation, engine.name().to_owned()))
}

/// The paper's network made small, for tasks with one, two and four channels.
fn small_plan() -> Plan {
    let paper = plan::paper();
    let ct = Normalization::ClipRescale {
        lower: -325.0,
        upper: 325.0,
    };
    let of_paper = |id: usize, name: &str| {
        let task = &paper.tasks[id];
        TaskPlan {
            name: name.into(),
            spacing_zyx_mm: [4.0; 3],
            ..task.clone()
        }
    };
    let tasks = [
        TaskPlan {
            labels: ["background", "one", "two", "three"]
                .map(str::to_owned)
                .to_vec(),
            channels: vec!["CT".into()],
            normalization: vec![ct],
            ..of_paper(0, "abdomen")
        },
        of_paper(8, "prostate"),
        of_paper(9, "brain"),
        of_paper(10, "whole_body"),
    ];
    let tasks: Vec<_> = tasks
        .into_iter()
        .enumerate()
        .map(|(id, task)| TaskPlan { id, ..task })
        .collect();
    Plan {
        network: NetworkConfig {
            patch_size: [32, 64, 64],
            base_num_features: 8,
            max_num_features: 64,
            num_tasks: tasks.len(),
            ..paper.network
        },
        batch_size: paper.batch_size,
        tasks,
    }
}
