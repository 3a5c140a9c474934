//! Windows of real images, to measure a model on.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use uniseg_onnx::{Manifest, Task};
use uniseg_runtime::{
    Case, CohortError, RuntimeError, Sample, find_cases, sample_windows, select_tasks,
};

/// Why there are no windows to measure on.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The folder is no folder of cases, or a case lacks a channel.
    #[error(transparent)]
    Cases(#[from] CohortError),
    /// An image is not there, or may not be read.
    #[error("cannot read {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A case does not fit the model's tasks, or cannot be read.
    #[error("cannot use {} to measure the model", path.display())]
    Case {
        /// Its first file.
        path: PathBuf,
        /// Why.
        source: Box<RuntimeError>,
    },
}

/// Where images are and what they are for: `[TASK=]PATH`.
///
/// TASK is what `segment --task` takes, and `all` if left out. PATH is one image, or a folder of
/// cases: `NAME_0000.nii.gz`, `NAME_0001.nii.gz`, ... are the channels of the case NAME, as in
/// nnU-Net's folders; any other image is a case of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    task: String,
    path: PathBuf,
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // A path may have a '=' in it; a task's name before one is what is meant otherwise.
        let (task, path) = match text.split_once('=') {
            Some((task, path)) if !Path::new(text).exists() => (task, path),
            _ => ("all", text),
        };
        Ok(Self {
            task: task.to_owned(),
            path: path.into(),
        })
    }
}

/// The files of a case, and the tasks that take them.
type Taken = (Vec<PathBuf>, Vec<Task>);

/// As it is parsed.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.task, self.path.display())
    }
}

impl Source {
    /// About `windows` windows of the source's cases, spread over its cases and tasks; `say` gets
    /// a line for each case that is read.
    ///
    /// Errors: a case that cannot be read or that no task takes, and a folder without cases.
    pub fn samples(
        &self,
        manifest: &Manifest,
        windows: usize,
        say: &mut dyn FnMut(&str),
    ) -> Result<Vec<Sample>, SampleError> {
        let pairs = self.pairs(manifest, say)?;
        let total: usize = pairs.iter().map(|(_, tasks)| tasks.len()).sum();
        // Every n-th pair of case and task if there are more pairs than windows.
        let taken = total.min(windows).max(1);
        let each = (windows / taken).max(1);
        let mut samples = Vec::new();
        let mut pair = 0;
        for (files, tasks) in pairs {
            let part = |pair: usize| pair * taken / total.max(1);
            let mut case: Option<Case> = None;
            for task in &tasks {
                pair += 1;
                if part(pair - 1) == part(pair) {
                    continue;
                }
                let fault = |source| self.fault(&files, source);
                let case = match &mut case {
                    Some(case) => case,
                    None => {
                        let first = files.first().map(|path| path.display().to_string());
                        say(&format!("reading {}", first.unwrap_or_default()));
                        case.insert(Case::read(&files, &mut |_| {}).map_err(fault)?)
                    }
                };
                let image = case.network_image(task).map_err(fault)?;
                samples.extend(sample_windows(manifest, task, image, each).map_err(fault)?);
            }
        }
        Ok(samples)
    }

    /// Finds what [`Source::samples`] would read, without reading it.
    ///
    /// Errors: those of [`Source::samples`] that do not depend on what is in the images.
    pub fn check(&self, manifest: &Manifest) -> Result<(), SampleError> {
        for (files, _) in self.pairs(manifest, &mut |_| {})? {
            for path in &files {
                File::open(path).map_err(|source| SampleError::Open {
                    path: path.clone(),
                    source,
                })?;
            }
        }
        Ok(())
    }

    /// All cases, without reading them.
    fn pairs(
        &self,
        manifest: &Manifest,
        say: &mut dyn FnMut(&str),
    ) -> Result<Vec<Taken>, SampleError> {
        let mut pairs = Vec::new();
        let mut said = None;
        for files in cases(&self.path)? {
            let choice = select_tasks(manifest, &self.task, files.len())
                .map_err(|source| self.fault(&files, source))?;
            // Once for a folder of cases that are alike.
            if let Some(note) = choice.note.filter(|note| said.as_ref() != Some(note)) {
                say(&note);
                said = Some(note);
            }
            pairs.push((files, choice.tasks));
        }
        Ok(pairs)
    }

    fn fault(&self, files: &[PathBuf], source: RuntimeError) -> SampleError {
        let path = files.first().unwrap_or(&self.path).clone();
        SampleError::Case {
            path,
            source: Box::new(source),
        }
    }
}

/// The files of each case at `path`, in the order of their names.
fn cases(path: &Path) -> Result<Vec<Vec<PathBuf>>, CohortError> {
    if !path.is_dir() {
        return Ok(vec![vec![path.to_owned()]]);
    }
    let cases = find_cases(path, None)?.unwrap_or_default();
    cases
        .into_iter()
        .map(|case| {
            case.check()?;
            Ok(case.images)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        folder
    }

    #[test]
    fn channels_of_a_case_are_put_together() {
        let names = ["b_0001.nii.gz", "b_0000.nii.gz", "a.nii", "notes.txt"];
        let folder = folder(&names);
        let found = cases(folder.path()).unwrap();
        let names: Vec<Vec<_>> = found
            .iter()
            .map(|case| case.iter().map(|file| file.file_name().unwrap()).collect())
            .collect();
        assert_eq!(
            names,
            [vec!["a.nii"], vec!["b_0000.nii.gz", "b_0001.nii.gz"]]
        );
    }

    #[test]
    fn a_folder_without_cases_and_a_case_with_a_gap_are_refused() {
        let error = cases(folder(&["notes.txt"]).path()).unwrap_err();
        assert!(error.to_string().contains("holds no NIfTI file"), "{error}");
        let error = cases(folder(&["a_0000.nii", "a_0002.nii"]).path()).unwrap_err();
        assert!(error.to_string().contains("_0001"), "{error}");
        let error = cases(folder(&["a_0001.nii"]).path()).unwrap_err();
        assert!(matches!(error, CohortError::Gap { .. }), "{error}");
    }

    #[test]
    fn a_source_names_its_tasks() {
        let source: Source = "all:CT=images".parse().unwrap();
        assert_eq!(source.to_string().parse(), Ok(source.clone()));
        assert_eq!(
            (source.task.as_str(), source.path),
            ("all:CT", "images".into())
        );
        let source: Source = "images".parse().unwrap();
        assert_eq!(source.task, "all");
    }
}
