use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use uniseg_onnx::Task;
use uniseg_runtime::{
    Case, EngineKind, Model, Segmentation, WindowOptions, open_engine, select_tasks, write_labels,
    write_statistics,
};

use super::{EngineArgs, EngineName, Outcome};
use crate::{preview, report};

/// Segment a volume
///
/// Reads a volume (one NIfTI file for each channel of the task), resamples and normalises it as
/// the model was trained, segments it and writes the labels on the voxels of the first file.
#[derive(Args)]
pub(crate) struct Segment {
    /// The artefact
    model: PathBuf,
    /// NIfTI files, one for each channel of the task, in the task's order
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Task by name, alias or id; `all`, or `all:CT` for those of one modality
    #[arg(short, long, value_name = "NAME|ID|all")]
    task: String,
    /// Label map to write (.nii or .nii.gz); or a folder, in which each task gets its files
    #[arg(short, long, value_name = "FILE|DIR")]
    output: PathBuf,
    /// Distance of two windows as a fraction of the patch [default: the model's own]
    #[arg(long, value_name = "F")]
    step: Option<f64>,
    /// Average over all mirror views: slower, and better only for models trained with mirroring
    #[arg(long)]
    mirror: bool,
    /// Engine to compute with
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineName,
    #[command(flatten)]
    engine_args: EngineArgs,
    /// Statistics to write: voxels and millilitres of each label [default: beside the labels]
    #[arg(long, value_name = "JSON")]
    statistics: Option<PathBuf>,
    /// Picture to write: three orthogonal slices with the labels in colour
    #[arg(long, value_name = "PNG")]
    preview: Option<PathBuf>,
}

/// Where the files of one task go.
struct Outputs {
    labels: PathBuf,
    statistics: PathBuf,
    preview: Option<PathBuf>,
}

pub(super) fn run(command: Segment) -> anyhow::Result<Outcome> {
    command.engine_args.limit_threads();
    let model = Model::open(&command.model)?;
    let choice = select_tasks(model.manifest(), &command.task, command.images.len())?;
    if let Some(note) = &choice.note {
        report::note(note);
    }
    let outputs = command.outputs(&choice.tasks)?;
    let mut options = WindowOptions::of(model.manifest());
    options.step = command.step.unwrap_or(options.step);
    options.mirror |= command.mirror;

    let progress = report::CaseProgress::new();
    let mut case = Case::read(&command.images, &mut |step| progress.show(step))?;
    for warning in case.warnings() {
        report::note(&format!("warning: {warning}"));
    }
    let kind: EngineKind = command.engine.into();
    let opened = open_engine(&model, &command.engine_args.options(kind))?;
    if let Some(note) = &opened.note {
        report::note(note);
    }
    let mut engine = opened.engine;

    let mut failed = 0;
    for (task, outputs) in choice.tasks.iter().zip(&outputs) {
        let result = case
            .segment(&model, engine.as_mut(), task, &options, &mut |step| {
                progress.show(step)
            })
            .map_err(anyhow::Error::from)
            .and_then(|segmentation| {
                outputs.write(&segmentation, &case)?;
                Ok(segmentation)
            });
        progress.finish();
        match result {
            Ok(segmentation) => report::result(&table(&segmentation, &outputs.labels)),
            // With one task its error is the command's; with several the others still run.
            Err(error) if choice.tasks.len() == 1 => return Err(error),
            Err(error) => {
                report::error(&error.context(format!("task {} failed", task.name)));
                failed += 1;
            }
        }
    }
    ensure!(
        failed == 0,
        "{failed} of {} tasks failed",
        choice.tasks.len()
    );
    Ok(Outcome::Done)
}

impl Segment {
    /// Decides where everything goes, and refuses what cannot work before any time is spent.
    fn outputs(&self, tasks: &[Task]) -> anyhow::Result<Vec<Outputs>> {
        let outputs = match labels_stem(&self.output) {
            Some(stem) => {
                ensure!(
                    tasks.len() == 1,
                    "{} tasks cannot share the label map {}: give a folder with -o",
                    tasks.len(),
                    self.output.display()
                );
                let statistics = self
                    .statistics
                    .clone()
                    .unwrap_or_else(|| stem.with_extension("json"));
                let labels = self.output.clone();
                vec![Outputs {
                    labels,
                    statistics,
                    preview: self.preview.clone(),
                }]
            }
            None => {
                ensure!(
                    self.statistics.is_none() || tasks.len() == 1,
                    "--statistics names one file, but there are {} tasks: leave it out, each task \
                     gets its own in {}",
                    tasks.len(),
                    self.output.display()
                );
                ensure!(
                    self.output.is_dir() || !self.output.exists(),
                    "{} is a file that is there: name a folder, or a file that ends in .nii.gz",
                    self.output.display()
                );
                tasks
                    .iter()
                    .map(|task| self.in_folder(task, tasks.len()))
                    .collect()
            }
        };
        let mut seen = HashSet::new();
        for path in outputs.iter().flat_map(Outputs::paths) {
            self.check(path)?;
            let distinct = seen.insert(std::path::absolute(path)?);
            ensure!(
                distinct,
                "two outputs would be written to {}",
                path.display()
            );
        }
        Ok(outputs)
    }

    fn in_folder(&self, task: &Task, tasks: usize) -> Outputs {
        // Names come from the model: only what is safe in a file name is kept.
        let name: String = task
            .name
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || c == '-' || c == '_' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let named = |extension: &str| self.output.join(format!("{name}.{extension}"));
        let preview = self.preview.as_ref().map(|path| match tasks {
            1 => path.clone(),
            // One picture a task, told apart by its name.
            _ => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                path.with_file_name(format!("{stem}-{name}.png"))
            }
        });
        let statistics = self.statistics.clone().unwrap_or_else(|| named("json"));
        Outputs {
            labels: named("nii.gz"),
            statistics,
            preview,
        }
    }

    /// An output must not replace an input, and its folder must exist.
    fn check(&self, output: &Path) -> anyhow::Result<()> {
        if let Ok(existing) = output.canonicalize() {
            let inputs = self.images.iter().chain([&self.model]);
            for input in inputs.filter_map(|input| input.canonicalize().ok()) {
                ensure!(
                    input != existing,
                    "{} is an input: name another output",
                    output.display()
                );
            }
            ensure!(
                !existing.is_dir(),
                "{} is a folder, not a file",
                output.display()
            );
        }
        match output.parent() {
            // Made when there is something to put into it.
            Some(folder) if folder == self.output => Ok(()),
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                bail!(
                    "the folder {} of the output does not exist: create it",
                    folder.display()
                )
            }
            _ => Ok(()),
        }
    }
}

impl Outputs {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        [
            Some(&self.labels),
            Some(&self.statistics),
            self.preview.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
    }

    fn write(&self, segmentation: &Segmentation, case: &Case) -> anyhow::Result<()> {
        if let Some(folder) = self.labels.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        write_labels(segmentation, case.header(), &self.labels)?;
        write_statistics(&segmentation.statistics, &self.statistics)?;
        if let Some(path) = &self.preview {
            preview::write(path, case.image(), segmentation)?;
        }
        Ok(())
    }
}

/// The path of a label map without `.nii` or `.nii.gz`, or `None` if it names a folder.
fn labels_stem(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let stem = name
        .strip_suffix(".nii.gz")
        .or_else(|| name.strip_suffix(".nii"))?;
    // A dot in the stem must survive `with_extension`.
    Some(path.with_file_name(format!("{stem}.json")))
}

fn table(segmentation: &Segmentation, labels: &Path) -> String {
    let mut rows = vec![
        ["label", "name", "voxels", "ml", "colour"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(segmentation.statistics.labels.iter().skip(1).map(|label| {
        vec![
            label.label.to_string(),
            label.name.clone(),
            label.voxels.to_string(),
            format!("{:.2}", label.ml),
            preview::colour(label.label).0.to_owned(),
        ]
    }));
    format!(
        "{} -> {}\n{}",
        segmentation.task.name,
        labels.display(),
        report::table(&rows)
    )
}
