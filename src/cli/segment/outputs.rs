//! Where results go, and whether they are there.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use uniseg_imaging::NiftiHeader;
use uniseg_imaging::ndarray::Array3;
use uniseg_onnx::Task;
use uniseg_runtime::{
    ComputedOn, InputFile, MergedTable, Model, Segmentation, Statistics, WindowOptions, nifti_stem,
    recipe_sha256, write_labels, write_merged, write_statistics,
};

use super::super::check_folder_of;
use super::{Segment, ours};
use crate::atomic;

/// Where the files of one task go.
pub(super) struct Outputs {
    pub(super) labels: PathBuf,
    pub(super) statistics: PathBuf,
    pub(super) preview: Option<PathBuf>,
    pub(super) probabilities: Option<PathBuf>,
}

/// How an earlier run finished a task of a case.
pub(super) struct Before {
    /// What it was computed on, as far as the record says.
    on: Option<ComputedOn>,
    /// Whether an image was written again since, with as many bytes.
    touched: bool,
}

/// How earlier runs finished the tasks of a case.
pub(super) struct Finished(pub(super) Vec<Before>);

impl Finished {
    /// Whether the same results would come from what computes `now`.
    pub(super) fn is_alike(&self, now: ComputedOn) -> bool {
        let alike = |before: &Before| before.on.is_some_and(|on| on.is_alike(now));
        self.0.iter().all(alike)
    }

    /// Whether an image was written again since.
    pub(super) fn is_touched(&self) -> bool {
        self.0.iter().any(|before| before.touched)
    }
}

impl Segment {
    /// Decides where everything goes, and refuses what cannot work before any time is spent.
    pub(super) fn outputs(&self, tasks: &[Task]) -> anyhow::Result<Vec<Outputs>> {
        let mut outputs = match statistics_of(&self.output) {
            Some(statistics) => {
                ensure!(
                    !self.merge,
                    "--merge writes merged.nii.gz into a folder: give one with -o"
                );
                ensure!(
                    tasks.len() == 1,
                    "{} tasks cannot share the label map {}: give a folder with -o",
                    tasks.len(),
                    self.output.display()
                );
                let statistics = self.statistics.clone().unwrap_or(statistics);
                let labels = self.output.clone();
                vec![Outputs {
                    labels,
                    statistics,
                    preview: self.preview.clone(),
                    probabilities: None,
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
                refuse_file_name(&self.output)?;
                tasks
                    .iter()
                    .map(|task| self.in_folder(task, tasks.len()))
                    .collect()
            }
        };
        if self.probabilities {
            for outputs in &mut outputs {
                outputs.probabilities = Some(outputs.probabilities_path());
            }
        }
        let merged = if self.merge {
            merged(&self.output).to_vec()
        } else {
            Vec::new()
        };
        let paths = || all_paths(&outputs, &merged);
        paths().try_for_each(|path| self.check(path))?;
        refuse_twins(paths())?;
        // A file that was named is meant; what lies in a folder may be somebody else's.
        if statistics_of(&self.output).is_none() && !self.again {
            for outputs in &outputs {
                outputs.check_ours()?;
            }
            if self.merge {
                check_merged_ours(&self.output)?;
            }
        }
        Ok(outputs)
    }

    fn in_folder(&self, task: &Task, tasks: usize) -> Outputs {
        let name = file_name(task);
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
            probabilities: None,
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
            _ => check_folder_of(output),
        }
    }
}

impl Outputs {
    /// Where a task's files of a case go: `FOLDER/CASE.nii.gz`, or `FOLDER/CASE/TASK.nii.gz` if
    /// there are several tasks.
    pub(super) fn of_case(folder: &Path, case: &str, task: &Task, tasks: usize) -> Outputs {
        let stem = match tasks {
            1 => folder.join(case),
            _ => folder.join(case).join(file_name(task)),
        };
        // A dot in the name must survive.
        let named = |extension: &str| {
            let mut path = stem.clone().into_os_string();
            path.push(extension);
            PathBuf::from(path)
        };
        Outputs {
            labels: named(".nii.gz"),
            statistics: named(".json"),
            preview: None,
            probabilities: None,
        }
    }

    /// Where probabilities go: beside the labels.
    pub(super) fn probabilities_path(&self) -> PathBuf {
        let json = statistics_of(&self.labels).unwrap_or_else(|| self.labels.clone());
        let mut path = json.with_extension("").into_os_string();
        path.push(".probabilities.nii.gz");
        path.into()
    }

    /// How an earlier run finished this task, if it did with the same weights and settings, on
    /// images of the same names and sizes.
    pub(super) fn finished(
        &self,
        task: &Task,
        model: &Model,
        options: &WindowOptions,
        images: &[PathBuf],
    ) -> Option<Before> {
        let found = self.record()?;
        let names = images
            .iter()
            .map(|path| path.file_name().unwrap_or_default().to_string_lossy());
        let files: Vec<InputFile> = images
            .iter()
            .map(|path| InputFile::of(path).ok())
            .collect::<Option<_>>()?;
        let sizes = |files: &[InputFile]| -> Vec<u64> { files.iter().map(|f| f.bytes).collect() };
        let done = self.labels.is_file()
            && self
                .probabilities
                .as_ref()
                .is_none_or(|path| found.probabilities && path.is_file())
            && found.weights_sha256 == model.manifest().weights_sha256
            // Records of earlier versions do not say.
            && (found.recipe_sha256.is_none()
                || found.recipe_sha256 == Some(recipe_sha256(model.manifest(), task)))
            && found.task == task.name
            && names.eq(found.inputs.iter().cloned())
            // Records of earlier versions do not say.
            && (found.files.is_empty() || sizes(&files) == sizes(&found.files))
            && (found.step, found.mirror, found.skip, found.fast)
                == (options.step, options.mirror, options.skip, options.fast);
        done.then(|| Before {
            on: found.computed_on(),
            touched: files != found.files,
        })
    }

    /// What an earlier run wrote about the labels that are there.
    pub(super) fn record(&self) -> Option<Statistics> {
        ours::read(&self.statistics)
    }

    /// Refuses to replace files that no record calls results of this program: they may be a data
    /// set's own labels. The record, if there is one of a finished result.
    pub(super) fn check_ours(&self) -> anyhow::Result<Option<Statistics>> {
        let results = [Some(&self.labels), self.probabilities.as_ref()];
        ours::check(results.into_iter().flatten(), &self.statistics)
    }

    /// Prepares for probabilities, which are written while the network runs: their folder is made,
    /// and those of an earlier run go, with the record that says that they belong to the labels.
    pub(super) fn begin(&self) -> anyhow::Result<()> {
        if let Some(probabilities) = &self.probabilities {
            make_folder_of(&self.labels)?;
            ours::begin(&self.statistics)?;
            remove(probabilities)?;
        }
        Ok(())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        [
            Some(&self.labels),
            Some(&self.statistics),
            self.preview.as_ref(),
            self.probabilities.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
    }

    /// Writes labels, then statistics: where these are, the labels are, and they belong together.
    /// Probabilities of an earlier run would belong to other labels.
    pub(super) fn write(
        &self,
        segmentation: &Segmentation,
        like: &NiftiHeader,
    ) -> anyhow::Result<()> {
        make_folder_of(&self.labels)?;
        if self.probabilities.is_none() && self.record().is_some_and(|old| old.probabilities) {
            let path = self.probabilities_path();
            // With a record of its own it is the label map of a case of that name.
            if !statistics_of(&path).is_some_and(|record| record.exists()) {
                remove(&path)?;
            }
        }
        let known = self.statistics.exists();
        ours::begin(&self.statistics)?;
        if let Err(error) = write_labels(segmentation, like, &self.labels) {
            // Nothing was written, and nothing says that something was.
            if !known {
                remove(&self.statistics)?;
            }
            return Err(error.into());
        }
        write_statistics(&segmentation.statistics, &self.statistics)?;
        Ok(())
    }
}

fn make_folder_of(path: &Path) -> anyhow::Result<()> {
    path.parent().map_or(Ok(()), atomic::make_folder)
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a merged map that an earlier run made in `folder`: it was made of other label maps than
/// those that are written now.
pub(super) fn remove_merged(folder: &Path) -> anyhow::Result<()> {
    let [map, json] = merged(folder);
    remove(&map)?;
    remove(&json)
}

/// Refuses to replace a merged map in `folder` that this program did not make.
pub(super) fn check_merged_ours(folder: &Path) -> anyhow::Result<()> {
    let [map, json] = merged(folder);
    ours::check::<MergedTable>([&map], &json)?;
    Ok(())
}

/// Writes a merged map and its table into `folder`.
pub(super) fn write_merge(
    merged_map: &(Array3<u16>, MergedTable),
    like: &NiftiHeader,
    folder: &Path,
) -> anyhow::Result<()> {
    atomic::make_folder(folder)?;
    let [map, json] = merged(folder);
    ours::begin(&json)?;
    Ok(write_merged(merged_map, like, &map, &json)?)
}

/// A merged label map in `folder`, and the table of its values.
pub(super) fn merged(folder: &Path) -> [PathBuf; 2] {
    ["merged.nii.gz", "merged.json"].map(|name| folder.join(name))
}

/// Whether the merged map in `folder` is what joining the maps of `tasks` that lie at `outputs` gives.
pub(super) fn is_merged(
    folder: &Path,
    tasks: &[Task],
    priority: &[String],
    outputs: &[Outputs],
) -> bool {
    let [map, json] = merged(folder);
    let statistics: Option<Vec<Vec<u8>>> = outputs
        .iter()
        .map(|outputs| std::fs::read(&outputs.statistics).ok())
        .collect();
    let table = std::fs::read(json).ok();
    let table = table.and_then(|bytes| serde_json::from_slice::<MergedTable>(&bytes).ok());
    let tasks: Vec<&Task> = tasks.iter().collect();
    map.is_file()
        && table
            .zip(statistics)
            .is_some_and(|(table, statistics)| table.is_of(&tasks, priority, &statistics))
}

/// A task's name as a file name: names come from the model, only what is safe is kept.
fn file_name(task: &Task) -> String {
    let safe = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let kept = task.name.chars();
    kept.map(|c| if safe(c) { c } else { '_' }).collect()
}

/// Where the statistics of a label map go, or `None` if `path` names a folder.
fn statistics_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    // What stands before the ending stays as it is, whatever its bytes are.
    let dots = name.strip_prefix(nifti_stem(&name)?)?.matches('.').count();
    let unpacked = (1..dots).fold(path.to_owned(), |path, _| path.with_extension(""));
    Some(unpacked.with_extension("json"))
}

/// Every file of a case: those of its tasks, and the merged map's.
pub(super) fn all_paths<'a>(
    outputs: &'a [Outputs],
    merged: &'a [PathBuf],
) -> impl Iterator<Item = &'a Path> {
    let own = outputs.iter().flat_map(Outputs::paths);
    own.chain(merged.iter().map(PathBuf::as_path))
}

/// Refuses two outputs in one file.
pub(super) fn refuse_twins<'a>(paths: impl Iterator<Item = &'a Path>) -> anyhow::Result<()> {
    let mut seen = HashSet::new();
    for path in paths {
        ensure!(
            seen.insert(std::path::absolute(path)?),
            "two outputs would be written to {}",
            path.display()
        );
    }
    Ok(())
}

/// Refuses a name for a folder that looks like that of a file.
pub(super) fn refuse_file_name(path: &Path) -> anyhow::Result<()> {
    const FILES: [&str; 12] = [
        "csv", "gz", "hdr", "img", "json", "mha", "mhd", "nii", "npz", "nrrd", "png", "txt",
    ];
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ensure!(
        path.is_dir() || FILES.iter().all(|file| extension != *file),
        "{} looks like a file: give a folder here, or for one task of one case a name that ends in \
         .nii.gz or .nii",
        path.display()
    );
    Ok(())
}
