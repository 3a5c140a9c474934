//! Filling the cache: each case once, in parallel, to be continued after a kill.

mod key;
mod label;
mod locations;

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use uniseg_imaging::Recipe;
use uniseg_imaging::crop::nonzero_box;

use super::atomic::PREFIX;
use super::cache::{
    CacheIndex, CachedCase, CachedName, CaseDescription, FORMAT_VERSION, NewCase, write_case,
};
use super::fault::{Fault, Problem};
use super::tasks::{EmptyLabels, ResolvedTask};
use super::{Case, DataError, Split, TaskData, parallel, try_lock};

/// How a cache is filled.
#[derive(Debug, Clone)]
pub struct PreprocessOptions {
    /// Cases that are worked on at a time; each is in memory whole.
    pub threads: usize,
    /// Check every byte of the cases that are there already, not only header and length.
    pub verify: bool,
}

impl Default for PreprocessOptions {
    fn default() -> Self {
        Self {
            threads: parallel::all_cores(),
            verify: false,
        }
    }
}

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was preprocessed and written.
    Done,
    /// It was there already, of the same inputs and recipe.
    Reused,
    /// It has no foreground, and the task drops such cases.
    Dropped,
    /// It has a fault; the report names it.
    Failed,
}

/// How far preprocessing is.
#[derive(Debug, Clone, Copy)]
pub struct PreprocessProgress<'a> {
    /// The task.
    pub task: &'a str,
    /// The case that was just finished.
    pub case: &'a str,
    /// What became of it.
    pub outcome: Outcome,
    /// Cases that are finished.
    pub finished: usize,
    /// Cases of the dataset.
    pub total: usize,
    /// Volumes that were preprocessed a second, on the average so far.
    pub volumes_per_second: f64,
}

/// What was done.
#[derive(Debug)]
pub struct PreprocessReport {
    /// Cases that were written.
    pub done: usize,
    /// Cases that were there already.
    pub reused: usize,
    /// Cases that were left out.
    pub dropped: usize,
    /// Cases that could not be used, and why.
    pub failed: Vec<Problem>,
    /// Time taken.
    pub seconds: f64,
    /// Volumes written a second.
    pub volumes_per_second: f64,
    /// The index as it was written.
    pub index: CacheIndex,
}

/// Preprocesses all cases of a task into `cache`.
///
/// Cases that are there and whose inputs (name, size, time of change) and recipe are the same are
/// kept; torn files are redone. A bad case is reported and the others go on. Memory is one case
/// for each thread.
///
/// Errors: [`DataError::CacheInUse`], [`DataError::Io`] where the folder cannot be used,
/// [`DataError::Split`]. Source: nnU-Net v1, `GenericPreprocessor.run`.
pub fn preprocess(
    data: &TaskData,
    task: &ResolvedTask,
    cache: &Path,
    options: &PreprocessOptions,
    progress: &mut dyn FnMut(PreprocessProgress<'_>),
) -> Result<PreprocessReport, DataError> {
    let cases = &data.dataset.cases;
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let split = data.task.split.apply(&data.dataset.folder, &names)?;
    let recipe = task.recipe()?;
    let folder = CacheIndex::folder(cache, &task.name);
    std::fs::create_dir_all(&folder).map_err(DataError::io("create", &folder))?;
    let _lock = lock(&folder)?;
    remove_leftovers(&folder)?;

    let job = Job {
        data,
        task,
        recipe,
        cache,
        verify: options.verify,
    };
    let start = Instant::now();
    let mut results: Vec<Option<Finished>> = cases.iter().map(|_| None).collect();
    let (mut finished, mut written) = (0, 0_usize);
    parallel::for_each(
        cases.len(),
        options.threads,
        |index| job.run(&cases[index]),
        |index, result| {
            finished += 1;
            written += usize::from(result.outcome == Outcome::Done);
            progress(PreprocessProgress {
                task: &task.name,
                case: names[index],
                outcome: result.outcome,
                finished,
                total: cases.len(),
                volumes_per_second: per_second(written, &start),
            });
            results[index] = Some(result);
        },
    )?;

    let mut index = CacheIndex {
        format_version: FORMAT_VERSION,
        task: task.clone(),
        cases: Vec::new(),
        split,
        dropped: Vec::new(),
    };
    let (mut reused, mut failed) = (0, Vec::new());
    for (case, result) in cases.iter().zip(results.into_iter().flatten()) {
        match result.outcome {
            Outcome::Failed => failed.extend(result.problem),
            Outcome::Dropped => index.dropped.push(case.name.clone()),
            Outcome::Done | Outcome::Reused => {
                reused += usize::from(result.outcome == Outcome::Reused);
                index.cases.push(CachedName {
                    name: case.name.clone(),
                    key: result.key,
                });
            }
        }
    }
    let there = |name: &String| {
        index
            .cases
            .binary_search_by(|case| case.name.as_str().cmp(name))
            .is_ok()
    };
    let Split { train, validation } = &mut index.split;
    train.retain(&there);
    validation.retain(&there);
    index.write(cache)?;
    Ok(PreprocessReport {
        done: written,
        reused,
        dropped: index.dropped.len(),
        failed,
        seconds: start.elapsed().as_secs_f64(),
        volumes_per_second: per_second(written, &start),
        index,
    })
}

fn per_second(count: usize, start: &Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64().max(1e-9)
}

/// Held until the returned file is closed, also by a kill.
fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join(".lock");
    match try_lock(&path).map_err(DataError::io("lock", &path))? {
        Some(file) => Ok(file),
        None => Err(DataError::CacheInUse { path }),
    }
}

/// Removes what a killed run left; the lock keeps others from writing meanwhile.
fn remove_leftovers(folder: &Path) -> Result<(), DataError> {
    for entry in std::fs::read_dir(folder).map_err(DataError::io("list", folder))? {
        let entry = entry.map_err(DataError::io("list", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.ends_with(".tmp") {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(DataError::io("remove", &path))?;
        }
    }
    Ok(())
}

struct Finished {
    outcome: Outcome,
    key: String,
    problem: Option<Problem>,
}

struct Job<'a> {
    data: &'a TaskData,
    task: &'a ResolvedTask,
    recipe: Recipe,
    cache: &'a Path,
    verify: bool,
}

impl Job<'_> {
    fn run(&self, case: &Case) -> Finished {
        let key = key::of(self.data, self.task, case);
        let path = CacheIndex::case_path(self.cache, &self.task.name, &case.name);
        if self.is_there(&path, &key) {
            return Finished {
                outcome: Outcome::Reused,
                key,
                problem: None,
            };
        }
        match self.make(case, &path, &key) {
            Ok(outcome) => Finished {
                outcome,
                key,
                problem: None,
            },
            Err((path, fault)) => {
                let problem = Problem {
                    task: self.task.name.clone(),
                    case: Some(case.name.clone()),
                    path,
                    fault,
                };
                Finished {
                    outcome: Outcome::Failed,
                    key,
                    problem: Some(problem),
                }
            }
        }
    }

    /// A file that cannot be opened is redone, whatever the reason.
    fn is_there(&self, path: &Path, key: &str) -> bool {
        CachedCase::open(path).is_ok_and(|there| {
            there.description().key == key && (!self.verify || there.verify().is_ok())
        })
    }

    fn make(
        &self,
        case: &Case,
        path: &Path,
        key: &str,
    ) -> Result<Outcome, (std::path::PathBuf, Fault)> {
        let at = |error: DataError| match error {
            DataError::Case { path, fault, .. } => (path, *fault),
            other => (case.labels.clone(), Fault::Dataset(Box::new(other))),
        };
        let loaded = self.data.load(case).map_err(at)?;
        if loaded.labels.iter().all(|label| *label == 0) {
            match self.data.task.empty_labels {
                EmptyLabels::Keep => {}
                EmptyLabels::Drop => return Ok(Outcome::Dropped),
                EmptyLabels::Refuse => return Err((case.labels.clone(), Fault::EmptyLabels)),
            }
        }
        let failed = |error| (case.labels.clone(), Fault::Preprocess(error));
        let volumes: Vec<_> = loaded.channels.iter().collect();
        let image = self.recipe.apply(&volumes).map_err(failed)?.channels;
        let views: Vec<_> = loaded
            .channels
            .iter()
            .map(|channel| channel.voxels())
            .collect();
        let crop = nonzero_box(&views).ok_or_else(|| (case.labels.clone(), Fault::EmptyImage))?;
        let cropped: Vec<_> = views.into_iter().map(|view| crop.view(view)).collect();
        let geometry = loaded.channels[0].geometry();
        let (_, z, y, x) = image.dim();
        let label = label::resample(
            crop.view(loaded.labels.view()),
            &cropped,
            [z, y, x],
            geometry.spacing,
            self.recipe.spacing,
        )
        .map_err(failed)?;
        let locations = locations::sample(label.view(), self.task.labels.len());
        let description = CaseDescription {
            format_version: FORMAT_VERSION,
            name: case.name.clone(),
            key: key.to_owned(),
            content_sha256: String::new(),
            spacing_zyx_mm: self.task.spacing_zyx_mm,
            original_zyx: geometry.extent.zyx(),
            crop_start_zyx: crop.start,
            crop_end_zyx: crop.end,
            locations: Vec::new(),
        };
        let new = NewCase {
            description,
            image: image.view(),
            label: label.view(),
            locations: &locations,
        };
        write_case(path, new).map_err(|error| (path.to_path_buf(), Fault::Write(error)))?;
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests;
