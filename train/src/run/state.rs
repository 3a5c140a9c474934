use std::path::Path;

use burn::module::Module;
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{sha256_of, sync_files};
use crate::data::atomic::write_atomically;
use crate::optim::OptimizerState;
use crate::plan::Plan;
use crate::sampler::TaskSampler;
use crate::settings::TrainSettings;
use crate::trainer::TrainState;
use crate::{Checkpoint, Source, TrainError};

const FORMAT_VERSION: u32 = 1;
const STATE: &str = "state.json";
const OPTIMIZER: &str = "optimizer.burnpack";

/// What a run must remember beside network and optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Steps that were made.
    pub iteration: u64,
    /// Draws the task of the next step.
    pub sampler: TaskSampler,
    /// Steps in a row without a finite gradient.
    pub skipped: u32,
    /// Moving average of the validation Dice.
    pub average_dice: Option<f64>,
    /// Best average so far, and the epoch that reached it.
    pub best: Option<(f64, u32)>,
    /// Where the first weights came from.
    pub source: Option<Source>,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    format_version: u32,
    optimizer_sha256: String,
    #[serde(flatten)]
    progress: Progress,
}

/// Fills `folder` with all that a run continues from.
pub(super) fn save(
    folder: &Path,
    plan: &Plan,
    state: &TrainState,
    progress: &Progress,
) -> Result<(), TrainError> {
    let checkpoint = Checkpoint {
        plan: plan.clone(),
        network: state.network.valid(),
        source: progress.source.clone(),
    };
    checkpoint.save(folder)?;
    let path = folder.join(OPTIMIZER);
    let bytes = OptimizerState::of(&state.optimizer)?.to_bytes()?;
    write_atomically(&path, |out| out.write_all(&bytes)).map_err(TrainError::io("write", &path))?;
    let file = StateFile {
        format_version: FORMAT_VERSION,
        optimizer_sha256: sha256_of(&path)?,
        progress: progress.clone(),
    };
    let path = folder.join(STATE);
    let json = serde_json::to_vec_pretty(&file).map_err(|source| TrainError::Json {
        what: "training state",
        path: path.clone(),
        source,
    })?;
    write_atomically(&path, |out| out.write_all(&json)).map_err(TrainError::io("write", &path))?;
    sync_files(folder)
}

/// Reads what [`save`] wrote; every digest is checked.
pub(super) fn load(
    folder: &Path,
    settings: &TrainSettings,
    device: &Device,
) -> Result<(TrainState, Progress), TrainError> {
    let path = folder.join(STATE);
    let text = std::fs::read_to_string(&path).map_err(TrainError::io("read", &path))?;
    let file: StateFile = serde_json::from_str(&text).map_err(|source| TrainError::Json {
        what: "training state",
        path: path.clone(),
        source,
    })?;
    if file.format_version > FORMAT_VERSION {
        return Err(TrainError::NewerCheckpoint {
            path,
            found: file.format_version,
            supported: FORMAT_VERSION,
        });
    }
    let path = folder.join(OPTIMIZER);
    if sha256_of(&path)? != file.optimizer_sha256 {
        return Err(TrainError::TornCheckpoint { path });
    }
    let bytes = std::fs::read(&path).map_err(TrainError::io("read", &path))?;
    let network = Checkpoint::open(folder, device)?.network;
    let optimizer =
        OptimizerState::from_bytes(bytes)?.restore(settings.optimizer.init(), &network)?;
    let state = TrainState {
        network,
        optimizer,
        iteration: file.progress.iteration,
        skipped: file.progress.skipped,
    };
    Ok((state, file.progress))
}
