use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::atomic::write_atomically;
use crate::data::{DataError, ResolvedTask, Split};

use super::{CachedCase, FORMAT_VERSION};

const FILE: &str = "index.json";

/// What a task's folder of the cache holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheIndex {
    /// Format of the cache.
    pub format_version: u32,
    /// The task, as its cases were preprocessed.
    pub task: ResolvedTask,
    /// Cases that are there, sorted by name.
    pub cases: Vec<CachedName>,
    /// Which of them are trained on and which are held out.
    pub split: Split,
    /// Cases without foreground that the task leaves out.
    pub dropped: Vec<String>,
}

/// A case of the cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedName {
    /// Its name.
    pub name: String,
    /// Its key; see [`super::CaseDescription::key`].
    pub key: String,
}

impl CacheIndex {
    /// Folder of a task.
    pub fn folder(cache: &Path, task: &str) -> PathBuf {
        cache.join(task)
    }

    /// File of a case.
    pub fn case_path(cache: &Path, task: &str, case: &str) -> PathBuf {
        Self::folder(cache, task).join(format!("{case}.safetensors"))
    }

    /// Reads the index of a task.
    ///
    /// Errors: [`DataError::Io`], [`DataError::Json`], [`DataError::NewerCache`].
    pub fn read(cache: &Path, task: &str) -> Result<Self, DataError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let path = Self::folder(cache, task).join(FILE);
        let text = std::fs::read_to_string(&path).map_err(DataError::io("read", &path))?;
        let json = |source| DataError::Json {
            what: "cache index",
            path: path.clone(),
            source,
        };
        let version: Version = serde_json::from_str(&text).map_err(json)?;
        if version.format_version > FORMAT_VERSION {
            let found = version.format_version;
            return Err(DataError::NewerCache {
                path,
                found,
                supported: FORMAT_VERSION,
            });
        }
        serde_json::from_str(&text).map_err(json)
    }

    /// Opens a case of this index.
    ///
    /// Errors: those of [`CachedCase::open`]; [`DataError::TornCache`] if the file is of another
    /// run than the index.
    pub fn open(&self, cache: &Path, case: &CachedName) -> Result<CachedCase, DataError> {
        let path = Self::case_path(cache, &self.task.name, &case.name);
        let opened = CachedCase::open(&path)?;
        let description = opened.description();
        if description.key == case.key && opened.channels() == self.task.channels.len() {
            Ok(opened)
        } else {
            Err(DataError::torn(
                &path,
                "it is not the case that the index names",
            ))
        }
    }

    /// Writes the index, whole or not at all.
    pub(in crate::data) fn write(&self, cache: &Path) -> Result<(), DataError> {
        let path = Self::folder(cache, &self.task.name).join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|source| DataError::Json {
            what: "cache index",
            path: path.clone(),
            source,
        })?;
        write_atomically(&path, |out| out.write_all(&text)).map_err(DataError::io("write", &path))
    }
}
