//! What is kept of a finished case, so that a run that was stopped goes on where it was.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use uniseg_onnx::{Inference, Manifest, Network, Task};
use uniseg_train::data::{Case, CaseImages};

use super::EvaluateOptions;
use super::pairing::Pair;
use super::score::CaseScore;
use crate::atomic;

/// A finished case.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Everything that the scores depend on, as text.
    key: String,
    /// The scores; absent if the case was left out.
    pub(super) score: Option<CaseScore>,
}

#[derive(Serialize)]
struct Key<'a> {
    program: &'a str,
    weights_sha256: &'a str,
    network: &'a Network,
    inference: &'a Inference,
    task: &'a Task,
    step: f64,
    mirror: bool,
    tolerance_mm: f64,
    engine: &'a str,
    /// Label map, channels and the rule for empty cases of the tasks file.
    data: String,
    files: Vec<String>,
}

/// What the scores of a case depend on: model, settings, and name, size and time of change of
/// every file. Folders do not count, so that data can be moved.
pub(super) fn key(
    manifest: &Manifest,
    engine: &str,
    pair: &Pair,
    case: &Case,
    options: &EvaluateOptions,
) -> anyhow::Result<String> {
    let mut files: Vec<&PathBuf> = match &case.images {
        CaseImages::Separate(files) => files.iter().collect(),
        CaseImages::Stacked(file) => vec![file],
    };
    files.push(&case.labels);
    let task = &pair.data.task;
    Ok(serde_json::to_string(&Key {
        program: env!("CARGO_PKG_VERSION"),
        weights_sha256: &manifest.weights_sha256,
        network: &manifest.network,
        inference: &manifest.inference,
        task: &pair.task,
        step: options.window.step,
        mirror: options.window.mirror,
        tolerance_mm: options.tolerance_mm,
        engine,
        data: format!(
            "{:?} {:?} {:?}",
            pair.data.table, task.channels, task.empty_labels
        ),
        files: files.into_iter().map(|file| stamp(file)).collect(),
    })?)
}

fn stamp(file: &Path) -> String {
    let metadata = std::fs::metadata(file).ok();
    let size = metadata.as_ref().map(std::fs::Metadata::len);
    let changed = metadata
        .and_then(|metadata| metadata.modified().ok())
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let name = file.file_name().unwrap_or_default();
    format!("{name:?} {size:?} {changed:?}")
}

impl Record {
    /// The record at `path` if it is there, whole, and of the same key; anything else is redone.
    pub(super) fn read(path: &Path, key: &str) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let record: Self = serde_json::from_slice(&bytes).ok()?;
        (record.key == key).then_some(record)
    }

    /// Writes a finished case; the file is complete or absent.
    pub(super) fn write(path: &Path, key: String, score: Option<CaseScore>) -> anyhow::Result<()> {
        let record = Self { key, score };
        atomic::write(path, &serde_json::to_vec_pretty(&record)?)
    }
}
