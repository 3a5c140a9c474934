//! Synthetic patients, and what a small network makes of them.

use std::path::Path;

use anyhow::{Context, ensure};
use uniseg_imaging::phantom::{PhantomTask, Protocol, write_dataset};
use uniseg_train::data::{PreprocessOptions, TaskData, Tasks, preprocess as fill_cache};
use uniseg_train::{NetworkConfig, Plan, plan as plans};

use super::{CASES, Steps};
use crate::atomic;

/// Task, modality, normalisation, spacing (z, y, x) in millimetres. Coarse, so that a patch that is
/// quick to compute shows half of a body.
const TASKS: [(&str, &str, &str, [f64; 3]); 4] = [
    ("liver", "CT", "clip_-325_325_to_0_1", CT_SPACING),
    ("kidney", "CT", "clip_-325_325_to_0_1", CT_SPACING),
    ("spleen", "CT", "clip_-325_325_to_0_1", CT_SPACING),
    ("prostate", "MR", "zscore", [7.0, 2.5, 2.5]),
];
const CT_SPACING: [f64; 3] = [10.0, 6.0, 6.0];

/// Makes the datasets and the tasks file that names them.
pub(super) fn make(out: &Path, seed: u64, steps: &Steps) -> anyhow::Result<Tasks> {
    let raw = out.join("raw");
    // The CT datasets share their scans, as the parts of one archive would that several groups
    // labelled: pairs of tasks on one image are what a small network learns its prompt from.
    let protocol = Protocol {
        varied_orientation: false,
        same_scans: true,
        ..Protocol::SMALL
    };
    atomic::make_folder(&raw)?;
    let mut text = String::from("root = \"raw\"\n");
    for (name, modality, normalization, spacing) in TASKS {
        let phantom = PhantomTask::named(name)
            .with_context(|| format!("there is no phantom of a task named {name}"))?;
        write_dataset(&raw, phantom, seed, CASES.get(), &protocol, &|_, _| {})?;
        text += &format!(
            "\n[[task]]\nname = \"{name}\"\ndataset = \"{}\"\nspacing_zyx_mm = {spacing:?}\n\
             channels = [{{ modality = \"{modality}\", normalization = \"{normalization}\" }}]\n\
             labels = [\"{name}\"]\n\
             label_map = {{ \"*\" = \"{name}\" }} # tumours belong to their organ\n\
             empty_labels = \"keep\"\nsplit = {{ fraction = 0.2, sorted = true }}\n",
            phantom.dataset()
        );
    }
    let path = out.join("tasks.toml");
    atomic::write(&path, text.as_bytes())?;
    steps.say(format_args!(
        "made {} patients for each of {} tasks in {}",
        CASES,
        TASKS.len(),
        raw.display()
    ));
    Ok(Tasks::read(&path, None)?)
}

/// A network of the paper's kind with one stage less and an eighth of its features in a patch of
/// 16 x 48 x 48 voxels, which leaves a bottleneck of 2 x 3 x 3: with less, the prompt starves.
pub(super) fn plan(out: &Path, tasks: &Tasks) -> anyhow::Result<Plan> {
    let tasks = tasks
        .tasks
        .iter()
        .enumerate()
        .map(|(id, task)| Ok(task.resolve(None)?.to_plan(id)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let paper = plans::paper();
    let network = NetworkConfig {
        patch_size: [16, 48, 48],
        strides_between_stages: vec![[1, 2, 2], [2; 3], [2; 3], [2; 3]],
        kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3], [3; 3], [3; 3]],
        base_num_features: 8,
        max_num_features: 128,
        num_tasks: tasks.len(),
        num_classes: 2,
        input_channel_variants: vec![1],
        ..paper.network
    };
    let plan = Plan {
        network,
        tasks,
        ..paper
    };
    let plan = plan.complete()?;
    plan.write(&out.join("plan.json"))?;
    Ok(plan)
}

/// Fills the cache.
pub(super) fn preprocess(
    out: &Path,
    tasks: &Tasks,
    plan: &Plan,
    steps: &Steps,
) -> anyhow::Result<()> {
    let cache = out.join("cache");
    let mut volumes = 0;
    for (task, planned) in tasks.tasks.iter().zip(&plan.tasks) {
        let options = PreprocessOptions::default();
        let data = TaskData::open(task)?;
        let report = fill_cache(&data, &planned.into(), &cache, &options, &mut |_| {})?;
        for problem in &report.failed {
            crate::report::note(&problem.to_string());
        }
        ensure!(
            report.failed.is_empty(),
            "{} cannot be preprocessed",
            task.name
        );
        volumes += report.done + report.reused;
    }
    steps.say(format_args!("preprocessed {volumes} volumes"));
    Ok(())
}
