use std::fs::File;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use super::state::{self, Progress};
use crate::TrainError;
use crate::data::atomic::{PREFIX, write_atomically};
use crate::data::try_lock;
use crate::plan::Plan;
use crate::settings::TrainSettings;
use crate::trainer::TrainState;

const DESCRIPTION: &str = "run.json";
const BEST: &str = "best.json";
const CHECKPOINTS: &str = "checkpoints";
const CHECKPOINT: &str = "iteration-";
/// Checkpoints that are kept beside the best one.
const KEPT: usize = 2;

/// What a run is; it cannot change between beginning and end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Description {
    plan: Plan,
    settings: TrainSettings,
}

/// Which checkpoint judged best.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Best {
    checkpoint: String,
    average_dice: f64,
    epoch: u32,
}

/// A run's folder, locked.
pub(super) struct RunFolder {
    path: PathBuf,
    _lock: File,
}

/// A state to continue from, and what was wrong with later ones.
pub(super) struct Resumed {
    pub found: Option<(TrainState, Progress)>,
    pub torn: Vec<String>,
}

impl RunFolder {
    /// Makes or opens a run's folder.
    ///
    /// Errors: [`TrainError::RunInUse`], [`TrainError::RunDiffers`], [`TrainError::Io`].
    pub(super) fn open(
        path: &Path,
        plan: &Plan,
        settings: &TrainSettings,
    ) -> Result<Self, TrainError> {
        let checkpoints = path.join(CHECKPOINTS);
        std::fs::create_dir_all(&checkpoints).map_err(TrainError::io("create", &checkpoints))?;
        let lock = path.join(".lock");
        let lock = try_lock(&lock)
            .map_err(TrainError::io("lock", &lock))?
            .ok_or_else(|| TrainError::RunInUse {
                path: path.to_path_buf(),
            })?;
        let folder = Self {
            path: path.to_path_buf(),
            _lock: lock,
        };
        let description = Description {
            plan: plan.clone(),
            settings: settings.clone(),
        };
        folder.describe(&description)?;
        folder.remove_leftovers()?;
        Ok(folder)
    }

    /// Writes the description, or compares it with the one that is there.
    fn describe(&self, description: &Description) -> Result<(), TrainError> {
        let path = self.path.join(DESCRIPTION);
        let json = |source| TrainError::Json {
            what: "run description",
            path: path.clone(),
            source,
        };
        if path.exists() {
            let text = std::fs::read_to_string(&path).map_err(TrainError::io("read", &path))?;
            let there: serde_json::Value = serde_json::from_str(&text).map_err(json)?;
            let mut findings = Vec::new();
            differences(
                "",
                &there,
                &serde_json::to_value(description).map_err(json)?,
                &mut findings,
            );
            if findings.is_empty() {
                return Ok(());
            }
            return Err(TrainError::RunDiffers {
                path: self.path.clone(),
                findings,
            });
        }
        let text = serde_json::to_vec_pretty(description).map_err(json)?;
        write_atomically(&path, |out| out.write_all(&text)).map_err(TrainError::io("write", &path))
    }

    /// Removes checkpoints that a killed run was writing.
    fn remove_leftovers(&self) -> Result<(), TrainError> {
        let checkpoints = self.path.join(CHECKPOINTS);
        let entries = std::fs::read_dir(&checkpoints);
        for entry in entries.map_err(TrainError::io("list", &checkpoints))? {
            let entry = entry.map_err(TrainError::io("list", &checkpoints))?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                let path = entry.path();
                std::fs::remove_dir_all(&path).map_err(TrainError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// The latest state that is whole.
    pub(super) fn resume(&self, settings: &TrainSettings, device: &Device) -> Resumed {
        let mut torn = Vec::new();
        for (_, path) in checkpoints(&self.path) {
            match state::load(&path, settings, device) {
                Ok(found) => {
                    return Resumed {
                        found: Some(found),
                        torn,
                    };
                }
                Err(error) => torn.push(error.to_string()),
            }
        }
        Resumed { found: None, torn }
    }

    /// Writes a checkpoint, marks it as the best if it is, and removes those that are not kept.
    pub(super) fn save(
        &self,
        plan: &Plan,
        state: &TrainState,
        progress: &Progress,
        is_best: bool,
    ) -> Result<PathBuf, TrainError> {
        let folder = self.path.join(CHECKPOINTS);
        let name = format!("{CHECKPOINT}{:08}", state.iteration);
        let path = folder.join(&name);
        let temporary = tempfile::Builder::new()
            .prefix(PREFIX)
            .suffix(".tmp")
            .tempdir_in(&folder)
            .map_err(TrainError::io("write", &path))?;
        state::save(temporary.path(), plan, state, progress)?;
        // The same number is there only if it was torn, or if nothing was done since.
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(TrainError::io("replace", &path))?;
        }
        std::fs::rename(temporary.path(), &path).map_err(TrainError::io("write", &path))?;
        // It has another name now: there is nothing left to remove.
        let _ = temporary.keep();
        // Some file systems refuse to sync a folder; the checkpoint's files are on the disk.
        let _ = File::open(&folder).and_then(|folder| folder.sync_all());
        if let (true, Some((average_dice, epoch))) = (is_best, progress.best) {
            self.mark_best(&Best {
                checkpoint: name,
                average_dice,
                epoch,
            })?;
        }
        self.remove_old()?;
        Ok(path)
    }

    fn mark_best(&self, best: &Best) -> Result<(), TrainError> {
        let path = self.path.join(BEST);
        let text = serde_json::to_vec_pretty(best).map_err(|source| TrainError::Json {
            what: "mark of the best checkpoint",
            path: path.clone(),
            source,
        })?;
        write_atomically(&path, |out| out.write_all(&text)).map_err(TrainError::io("write", &path))
    }

    fn remove_old(&self) -> Result<(), TrainError> {
        let best = best(&self.path);
        for (_, path) in checkpoints(&self.path).into_iter().skip(KEPT) {
            if Some(&path) != best.as_ref() {
                std::fs::remove_dir_all(&path).map_err(TrainError::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Whether a folder holds a training run.
pub fn is_run(path: &Path) -> bool {
    path.join(DESCRIPTION).is_file()
}

/// The folder of a checkpoint that people mean by `path`: the folder itself, `RUN` or `RUN/last`
/// for a run's last checkpoint, `RUN/best` for its best one.
///
/// Errors: [`TrainError::NoCheckpoint`] if the run has none yet. A path that is neither is returned
/// as it is: opening it says what is wrong.
pub fn checkpoint_folder(path: &Path) -> Result<PathBuf, TrainError> {
    let named = |name: &str| {
        let is_name = path.file_name().is_some_and(|last| last == name);
        path.parent().filter(|run| is_name && is_run(run))
    };
    let (run, found) = if is_run(path) {
        (path, last(path))
    } else if let Some(run) = named("last") {
        (run, last(run))
    } else if let Some(run) = named("best") {
        (run, best(run).or_else(|| last(run)))
    } else {
        return Ok(path.to_path_buf());
    };
    found.ok_or_else(|| TrainError::NoCheckpoint {
        path: run.to_path_buf(),
        findings: vec!["there is none yet".into()],
    })
}

fn last(run: &Path) -> Option<PathBuf> {
    checkpoints(run).into_iter().next().map(|(_, path)| path)
}

fn best(run: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(run.join(BEST)).ok()?;
    let best: Best = serde_json::from_str(&text).ok()?;
    // The name of a checkpoint of this run, not a path that leads elsewhere.
    let mut all = checkpoints(run).into_iter();
    all.find_map(|(_, path)| (path.file_name()? == best.checkpoint.as_str()).then_some(path))
}

/// The checkpoints of a run, latest first.
fn checkpoints(run: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(run.join(CHECKPOINTS)) else {
        return Vec::new();
    };
    let numbered = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(CHECKPOINT)?.parse().ok()?;
        Some((number, entry.path()))
    };
    let mut all: Vec<_> = entries.flatten().filter_map(numbered).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all
}

/// Paths at which two JSON values differ.
fn differences(
    at: &str,
    found: &serde_json::Value,
    expected: &serde_json::Value,
    out: &mut Vec<String>,
) {
    use serde_json::Value::Object;
    match (found, expected) {
        (Object(found), Object(expected)) => {
            let keys: std::collections::BTreeSet<&String> =
                found.keys().chain(expected.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<_, _>| map.get(key).cloned().unwrap_or_default();
                let at = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                differences(&at, &of(found), &of(expected), out);
            }
        }
        _ if found == expected => {}
        _ => out.push(format!("{at} was {found}, now {expected}")),
    }
}
