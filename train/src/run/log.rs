use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::data::atomic::write_atomically;

const FILE: &str = "log.jsonl";

/// What an epoch was like: one line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 0.
    pub epoch: u32,
    /// Steps made by its end.
    pub iteration: u64,
    /// Mean loss of its steps.
    pub loss: f64,
    /// Mean loss of each task's batches; none where a task had no batch.
    pub task_losses: Vec<Option<f64>>,
    /// Learning rate of its last step.
    pub rate: f64,
    /// Mean norm of the gradients before clipping, of steps where it was finite.
    pub gradient_norm: f64,
    /// Steps that changed nothing, since a gradient was not finite.
    pub skipped_steps: u32,
    /// Mean patch Dice over tasks on held-out cases.
    pub validation_dice: Option<f64>,
    /// Patch Dice of each task.
    pub task_dice: Vec<Option<f64>>,
    /// Time taken by steps, validation apart.
    pub seconds: f64,
    /// Steps a second.
    pub iterations_per_second: f64,
    /// Share of the time in which the device waited for patches.
    pub waiting_share: f64,
    /// Most memory resident so far, in MB.
    pub peak_memory_mb: Option<u64>,
}

fn path(run: &Path) -> PathBuf {
    run.join(FILE)
}

/// The epochs of a run so far; none for a run without a log. A line cut short by a kill is left
/// out.
///
/// Errors: [`TrainError::Io`].
pub fn read_log(run: &Path) -> Result<Vec<EpochRecord>, TrainError> {
    let path = path(run);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(TrainError::io("read", &path)(error)),
    };
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

/// Forgets what a resumed run will do again.
pub(super) fn rewind(run: &Path, iteration: u64) -> Result<(), TrainError> {
    let kept = read_log(run)?;
    let lines: Vec<String> = kept
        .iter()
        .filter(|record| record.iteration <= iteration)
        .map(line)
        .collect();
    let path = path(run);
    write_atomically(&path, |out| {
        lines
            .iter()
            .try_for_each(|line| out.write_all(line.as_bytes()))
    })
    .map_err(TrainError::io("write", &path))
}

pub(super) fn append(run: &Path, record: &EpochRecord) -> Result<(), TrainError> {
    let path = path(run);
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(line(record).as_bytes()))
        .map_err(TrainError::io("write", &path))
}

fn line(record: &EpochRecord) -> String {
    // Numbers and options of numbers: what is not finite becomes null.
    serde_json::to_string(record).unwrap_or_default() + "\n"
}
