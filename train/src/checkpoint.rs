//! Our checkpoint: a folder with `weights.safetensors` and `checkpoint.json`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use burn::prelude::*;
use burn::store::{ModuleSnapshot, SafetensorsStore};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plan::Plan;
use crate::{TrainError, UniSeg};

const FORMAT_VERSION: u32 = 1;
const WEIGHTS: &str = "weights.safetensors";
const DESCRIPTION: &str = "checkpoint.json";

/// A network with its plan and where it came from.
pub struct Checkpoint {
    /// Shape and tasks.
    pub plan: Plan,
    /// The weights.
    pub network: UniSeg,
    /// The file it was imported from, if it was.
    pub source: Option<Source>,
}

/// A foreign file that weights came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// File name, without its folder.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

impl Source {
    /// Describes a file that exists.
    pub fn of(path: &Path) -> Result<Self, TrainError> {
        let file = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        Ok(Self {
            file,
            sha256: sha256_of(path)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Description {
    format_version: u32,
    weights_sha256: String,
    source: Option<Source>,
    plan: Plan,
}

impl Checkpoint {
    /// Imports an official PyTorch checkpoint; see [`crate::import`].
    pub fn import(path: &Path, plan: Plan, device: &Device) -> Result<Self, TrainError> {
        let network = crate::import::official(path, &plan.network, device)?;
        Ok(Self {
            plan,
            network,
            source: Some(Source::of(path)?),
        })
    }

    /// A network with random weights, the same for the same seed; see [`UniSeg::random`].
    pub fn random(plan: Plan, seed: u64, device: &Device) -> Self {
        Self {
            network: UniSeg::random(&plan.network, seed, device),
            plan,
            source: None,
        }
    }

    /// Writes the checkpoint into a folder, which is made if need be.
    ///
    /// Both files are replaced atomically, weights first; the description holds their digest, so
    /// a save that was cut off between them is noticed when it is read.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        std::fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
        let weights = folder.join(WEIGHTS);
        let mut store = SafetensorsStore::from_file(&weights).overwrite(true);
        self.network
            .save_into(&mut store)
            .map_err(|error| TrainError::Weights {
                action: "write",
                path: weights.clone(),
                reason: error.to_string(),
            })?;
        let description = Description {
            format_version: FORMAT_VERSION,
            weights_sha256: sha256_of(&weights)?,
            source: self.source.clone(),
            plan: self.plan.clone(),
        };
        let path = folder.join(DESCRIPTION);
        let json =
            serde_json::to_string_pretty(&description).map_err(|source| TrainError::Json {
                what: "checkpoint description",
                path: path.clone(),
                source,
            })?;
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(json.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(TrainError::io("write", &path))
    }

    /// Reads a checkpoint folder.
    pub fn open(folder: &Path, device: &Device) -> Result<Self, TrainError> {
        let path = folder.join(DESCRIPTION);
        let text = std::fs::read_to_string(&path).map_err(TrainError::io("read", &path))?;
        let json = |source| TrainError::Json {
            what: "checkpoint description",
            path: path.clone(),
            source,
        };
        // The version is looked at first: a newer description may well have other fields.
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let Version { format_version } = serde_json::from_str(&text).map_err(json)?;
        if format_version > FORMAT_VERSION {
            return Err(TrainError::NewerCheckpoint {
                path: path.clone(),
                found: format_version,
                supported: FORMAT_VERSION,
            });
        }
        let description: Description = serde_json::from_str(&text).map_err(json)?;
        let plan = description.plan.complete()?;

        let weights = folder.join(WEIGHTS);
        if sha256_of(&weights)? != description.weights_sha256 {
            return Err(TrainError::TornCheckpoint { path: weights });
        }
        let network = load_weights(&weights, &plan, device)?;
        Ok(Self {
            plan,
            network,
            source: description.source,
        })
    }
}

fn load_weights(path: &Path, plan: &Plan, device: &Device) -> Result<UniSeg, TrainError> {
    let failed = |reason: String| TrainError::Weights {
        action: "read",
        path: PathBuf::from(path),
        reason,
    };
    let mut network = UniSeg::new(&plan.network, device);
    let mut store = SafetensorsStore::from_file(path);
    let result = network
        .load_from(&mut store)
        .map_err(|error| failed(error.to_string()))?;
    match result.unused.first() {
        Some(name) => Err(failed(format!("'{name}' has no place in the network"))),
        None => Ok(network),
    }
}

pub(crate) fn sha256_of(path: &Path) -> Result<String, TrainError> {
    let mut file = std::fs::File::open(path).map_err(TrainError::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file
            .read(&mut chunk)
            .map_err(TrainError::io("read", path))?
        {
            0 => break,
            length => hasher.update(&chunk[..length]),
        }
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Waits until every file of a folder is on the disk.
pub(crate) fn sync_files(folder: &Path) -> Result<(), TrainError> {
    for entry in std::fs::read_dir(folder).map_err(TrainError::io("list", folder))? {
        let path = entry.map_err(TrainError::io("list", folder))?.path();
        std::fs::File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(TrainError::io("write", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{NetworkConfig, paper};

    fn tiny() -> Plan {
        let network = NetworkConfig {
            patch_size: [8, 16, 16],
            strides_between_stages: vec![[1, 2, 2], [2; 3]],
            kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3]],
            base_num_features: 4,
            ..paper().network
        };
        Plan { network, ..paper() }
    }

    #[test]
    fn a_saved_checkpoint_reads_back_the_same() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let saved = Checkpoint::random(tiny(), 3, &device);
        saved.save(folder.path()).unwrap();
        saved.save(folder.path()).unwrap();
        let read = Checkpoint::open(folder.path(), &device).unwrap();
        assert_eq!(read.plan, saved.plan);
        let weight = |checkpoint: &Checkpoint| {
            checkpoint.network.prompt.as_ref().unwrap().fuse[1]
                .conv
                .weight
                .val()
                .into_data()
        };
        weight(&read).assert_eq(&weight(&saved), true);
    }

    #[test]
    fn changed_weights_are_refused() {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        Checkpoint::random(tiny(), 3, &device)
            .save(folder.path())
            .unwrap();
        let path = folder.path().join(WEIGHTS);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = Checkpoint::open(folder.path(), &device).err().unwrap();
        assert!(
            matches!(error, TrainError::TornCheckpoint { .. }),
            "{error}"
        );
    }
}
