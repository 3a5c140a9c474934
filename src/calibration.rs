//! Real volumes for what must be measured: ranges of activations, and what fewer bits cost.

mod disturbance;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use uniseg_export::{CalibrationError, Calibrator, Readings};
use uniseg_onnx::proto::ModelProto;
use uniseg_onnx::{IMAGE, Manifest, TASK, Task, encode};
use uniseg_runtime::{
    Case, CohortError, EngineOptions, Model, Pieces, RuntimeError, Sample, Tensor, TensorView,
    find_cases, open_engine, sample_windows, select_tasks,
};

use uniseg_imaging::ndarray::{Array1, ArrayD};

use disturbance::disturbance;

/// Why there are no windows to measure on.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The folder is no folder of cases, or a case lacks a channel.
    #[error(transparent)]
    Cases(#[from] CohortError),
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
        let mut pairs: Vec<(Vec<PathBuf>, Vec<Task>)> = Vec::new();
        for files in cases(&self.path)? {
            let choice = select_tasks(manifest, &self.task, files.len())
                .map_err(|source| self.fault(&files, source))?;
            pairs.push((files, choice.tasks));
        }
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

/// Most windows on which each layer is tried in bytes.
const TRIED: usize = 4;

/// Voxels that those windows may have together; one alone may have more.
const TRIED_VOXELS: usize = 1 << 22;

/// Runs the compiler's probes in an engine, on windows of real volumes.
pub struct VolumeCalibrator<'a> {
    /// The network at full precision.
    pieces: &'a Pieces,
    /// Whether it is the encoder of a pair that is measured.
    encoder: bool,
    samples: &'a [Sample],
    engine: EngineOptions,
    tell: &'a Tell,
    /// Logits at full precision of the windows that layers are tried on, once they are known.
    full: Vec<ArrayD<f32>>,
}

/// Hears what is being measured, and how much of how much is done.
pub type Tell = dyn Fn(&str, usize, usize);

impl<'a> VolumeCalibrator<'a> {
    /// Measures the network `pieces`, which is at full precision, or the `encoder` of the pair
    /// that it is, on `samples`.
    pub fn new(
        pieces: &'a Pieces,
        encoder: bool,
        samples: &'a [Sample],
        engine: EngineOptions,
    ) -> Self {
        Self {
            pieces,
            encoder,
            samples,
            engine,
            tell: &|_, _, _| {},
            full: Vec::new(),
        }
    }

    /// The same, with somebody who hears how far it is.
    #[must_use]
    pub fn telling(self, tell: &'a Tell) -> Self {
        Self { tell, ..self }
    }

    /// What is measured of the network.
    fn measured(&self) -> &'a Model {
        match (self.encoder, self.pieces.encoder()) {
            (true, Some(encoder)) => encoder,
            _ => self.pieces.model(),
        }
    }

    /// Samples on which layers are tried, spread over all: of the first task alone where one window
    /// has as many voxels as are tried.
    fn tried(&self) -> impl Iterator<Item = &'a Sample> + use<'a> {
        let samples = self.samples;
        let voxels = samples.first().map_or(1, |sample| {
            let (_, _, d, h, w) = sample.image.dim();
            (d * h * w).max(1)
        });
        let count = (TRIED_VOXELS / voxels).clamp(1, TRIED).min(samples.len());
        (0..count).filter_map(move |n| samples.get(n * samples.len() / count))
    }

    /// The logits of the tried samples where `model` stands in for what is measured.
    fn logits(&self, model: &Model) -> Result<Vec<ArrayD<f32>>, CalibrationError> {
        let open = |model: &Model| Ok::<_, RuntimeError>(open_engine(model, &self.engine)?.engine);
        let mut encoder = match self.pieces.encoder() {
            Some(encoder) => Some(open(if self.encoder { model } else { encoder })?),
            None => None,
        };
        let with_logits = match self.encoder {
            true => self.pieces.model(),
            false => model,
        };
        let mut engine = open(with_logits)?;
        self.tried()
            .map(|sample| {
                let task = task(sample);
                let mut outputs = match &mut encoder {
                    None => engine.run(&[image(sample), (TASK, TensorView::I64(task.view()))])?,
                    Some(encoder) => {
                        let features = encoder.run(&[image(sample)])?;
                        engine.run(&behind(&features, &task))?
                    }
                };
                match outputs.pop() {
                    Some((_, Tensor::F32(logits))) if outputs.is_empty() => Ok(logits),
                    _ => Err("a network has other outputs than logits".into()),
                }
            })
            .collect()
    }
}

impl Calibrator for VolumeCalibrator<'_> {
    fn run(
        &mut self,
        probe: &ModelProto,
        take: &mut dyn FnMut(Readings),
    ) -> Result<(), CalibrationError> {
        let probe = self.measured().with_graph(encode(probe));
        let mut engine = open_engine(&probe, &self.engine)?.engine;
        // What a decoder reads comes from the encoder at full precision.
        let mut before = match self.pieces.encoder().filter(|_| !self.encoder) {
            Some(encoder) => Some(open_engine(encoder, &self.engine)?.engine),
            None => None,
        };
        for (done, sample) in self.samples.iter().enumerate() {
            (self.tell)("windows measured", done, self.samples.len());
            let task = task(sample);
            let outputs = match &mut before {
                Some(encoder) => {
                    let features = encoder.run(&[image(sample)])?;
                    engine.run(&behind(&features, &task))?
                }
                None if self.encoder => engine.run(&[image(sample)])?,
                None => engine.run(&[image(sample), (TASK, TensorView::I64(task.view()))])?,
            };
            take(
                outputs
                    .into_iter()
                    .filter_map(|(name, tensor)| match tensor {
                        Tensor::F32(values) => Some((name, values.into_iter().collect())),
                        Tensor::I64(_) => None,
                    })
                    .collect(),
            );
        }
        Ok(())
    }

    fn progress(&mut self, done: usize, all: usize) {
        (self.tell)("layers tried in bytes", done, all);
    }

    fn disturbance(&mut self, model: &ModelProto) -> Result<f64, CalibrationError> {
        if self.full.is_empty() {
            self.full = self.logits(self.measured())?;
        }
        let ours = self.logits(&self.measured().with_graph(encode(model)))?;
        let windows = self.tried().zip(self.full.iter().zip(&ours));
        Ok(windows
            .map(|(sample, (full, ours))| disturbance(full, ours, sample.task.labels.len()))
            .sum())
    }
}

fn image(sample: &Sample) -> (&str, TensorView<'_>) {
    (IMAGE, TensorView::F32(sample.image.view().into_dyn()))
}

fn task(sample: &Sample) -> ArrayD<i64> {
    Array1::from_elem(1, i64::from(sample.task.id)).into_dyn()
}

/// What a decoder reads.
fn behind<'a>(
    features: &'a [(String, Tensor)],
    task: &'a ArrayD<i64>,
) -> Vec<(&'a str, TensorView<'a>)> {
    let features = features.iter();
    features
        .map(|(name, tensor)| (name.as_str(), tensor.view()))
        .chain([(TASK, TensorView::I64(task.view()))])
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
        assert_eq!(
            (source.task.as_str(), source.path),
            ("all:CT", "images".into())
        );
        let source: Source = "images".parse().unwrap();
        assert_eq!(source.task, "all");
    }
}
