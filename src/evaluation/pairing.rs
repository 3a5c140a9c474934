//! Which task of the model is which of the tasks file, and which of its cases are asked for.

use anyhow::{Context, bail, ensure};
use uniseg_onnx::{Manifest, Task};
use uniseg_train::data::{Case, TaskData, Tasks, tasks};

use super::{EvaluateOptions, SplitPart};

/// A task of the model with annotated cases.
pub(super) struct Pair {
    /// As the model has it.
    pub(super) task: Task,
    /// As the tasks file has it, and its dataset.
    pub(super) data: TaskData,
    /// The cases to evaluate, by name.
    pub(super) cases: Vec<Case>,
}

impl Pair {
    /// The task's name in the tasks file, where a name is also a file's name.
    pub(super) fn name(&self) -> &str {
        &self.data.task.name
    }
}

/// Finds the tasks to evaluate, in the model's order.
pub(super) fn pairs(
    manifest: &Manifest,
    tasks: &Tasks,
    options: &EvaluateOptions,
    note: &mut dyn FnMut(String),
) -> anyhow::Result<Vec<Pair>> {
    let mut asked: Vec<(&Task, &tasks::Task)> = Vec::new();
    if options.tasks.is_empty() {
        for task in &manifest.tasks {
            match tasks.tasks.iter().find(|other| same(task, other)) {
                Some(other) => asked.push((task, other)),
                None => note(format!(
                    "task {} of the model is not in {}",
                    task.name,
                    tasks.path.display()
                )),
            }
        }
        ensure!(
            !asked.is_empty(),
            "the model and {} have no task in common: the model has {}; the file has {}",
            tasks.path.display(),
            list(manifest.tasks.iter().map(|task| &task.name)),
            list(tasks.tasks.iter().map(|task| &task.name)),
        );
    } else {
        for name in &options.tasks {
            asked.push(find(manifest, tasks, name)?);
        }
        asked.sort_by_key(|(task, _)| task.id);
        asked.dedup_by_key(|(task, _)| task.id);
    }
    asked
        .into_iter()
        .map(|(task, other)| {
            fit(task, other)?;
            open(task, other, options, note)
        })
        .collect()
}

/// The task that a user means, in the model and in the file.
fn find<'a>(
    manifest: &'a Manifest,
    tasks: &'a Tasks,
    name: &str,
) -> anyhow::Result<(&'a Task, &'a tasks::Task)> {
    match (manifest.task(name), tasks.find(name)) {
        (Ok(task), Ok(other)) => Ok((task, other)),
        (Ok(task), Err(absent)) => {
            let other = tasks.tasks.iter().find(|other| same(task, other));
            Ok((task, other.ok_or(absent)?))
        }
        (Err(absent), Ok(other)) => {
            let task = manifest.tasks.iter().find(|task| same(task, other));
            Ok((task.ok_or(absent)?, other))
        }
        (Err(absent), Err(_)) => Err(absent.into()),
    }
}

/// Whether two tasks share a name or alias.
fn same(task: &Task, other: &tasks::Task) -> bool {
    let ours = || std::iter::once(&task.name).chain(&task.aliases);
    std::iter::once(&other.name)
        .chain(&other.aliases)
        .any(|name| ours().any(|known| known.eq_ignore_ascii_case(name)))
}

/// A label map of one must mean the same to the other.
fn fit(task: &Task, other: &tasks::Task) -> anyhow::Result<()> {
    let foreground = |labels: &[String]| labels.get(1..).unwrap_or_default().to_vec();
    let (model, file) = (foreground(&task.labels), foreground(&other.labels));
    if model != file {
        bail!(
            "the labels of task {} differ: the model has {}, the tasks file has {}",
            other.name,
            list(&model),
            list(&file)
        );
    }
    let modalities: Vec<&String> = task.channels.iter().map(|c| &c.modality).collect();
    ensure!(
        modalities.len() == other.channels.len(),
        "task {} of the model takes {} channel(s), {}; the tasks file gives it {}, {}",
        other.name,
        modalities.len(),
        list(modalities.iter()),
        other.channels.len(),
        list(other.channels.iter().map(|channel| &channel.modality)),
    );
    Ok(())
}

fn open(
    task: &Task,
    other: &tasks::Task,
    options: &EvaluateOptions,
    note: &mut dyn FnMut(String),
) -> anyhow::Result<Pair> {
    let data = TaskData::open(other)?;
    for (path, fault) in &data.dataset.faults {
        note(format!("warning: {}: {fault}", path.display()));
    }
    if let Some(folder) = &options.folder {
        let inside = folder.canonicalize().is_ok_and(|folder| {
            data.dataset
                .folder
                .canonicalize()
                .is_ok_and(|d| folder.starts_with(d))
        });
        ensure!(
            !inside,
            "{} is in the dataset {}, which is not to be changed: name another folder",
            folder.display(),
            data.dataset.folder.display()
        );
    }
    let all = &data.dataset.cases;
    let wanted = match options.split {
        SplitPart::All => all.iter().map(|case| case.name.clone()).collect(),
        part => {
            let names: Vec<&str> = all.iter().map(|case| case.name.as_str()).collect();
            let split = other
                .split
                .apply(&data.dataset.folder, &names)
                .with_context(|| format!("cannot choose the cases of task {}", other.name))?;
            match part {
                SplitPart::Train => split.train,
                _ => split.validation,
            }
        }
    };
    let cases = all
        .iter()
        .filter(|case| wanted.contains(&case.name))
        .cloned()
        .collect();
    Ok(Pair {
        task: task.clone(),
        cases,
        data,
    })
}

fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| n.as_ref().to_owned()).collect();
    names.join(", ")
}
