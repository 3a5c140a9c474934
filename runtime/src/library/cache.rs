//! The folders this program installs into, and how a complete one is told from a damaged one.
//!
//! `CACHE/onnxruntime/PACKAGE-VERSION/` holds the libraries, their licences and a record of what
//! was installed from which wheel. It appears by one rename, so it is there as a whole or not at
//! all; the record tells if something was lost later.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    LibraryError,
    probe::{libraries_in, numbers},
};

const RECORD: &str = "installed.json";
/// Longest record read, in bytes.
const MAX_RECORD: u64 = 1 << 16;

/// What was installed into a folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Name of the wheel.
    pub(super) wheel: String,
    /// Its digest.
    pub(super) sha256: String,
    /// Size of each file in bytes.
    pub(super) files: BTreeMap<String, u64>,
}

impl Record {
    pub(super) fn write(&self, folder: &Path) -> Result<(), LibraryError> {
        let path = folder.join(RECORD);
        let json = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        json.and_then(|json| fs::write(&path, json))
            .map_err(LibraryError::cache("write", path))
    }

    /// The record of a folder in which every file it lists still has its size.
    pub(super) fn of_complete(folder: &Path) -> Option<Self> {
        let path = folder.join(RECORD);
        if fs::metadata(&path).ok()?.len() > MAX_RECORD {
            return None;
        }
        let record: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let whole = |(name, size): (&String, &u64)| {
            fs::metadata(folder.join(name)).is_ok_and(|file| file.is_file() && file.len() == *size)
        };
        record.files.iter().all(whole).then_some(record)
    }
}

/// The folder that holds the installations.
pub(super) fn root(cache: &Path) -> PathBuf {
    cache.join("onnxruntime")
}

/// The libraries of all complete installations: the plain package first, since it computes on any
/// machine, then the others by name; newest version first.
pub(super) fn libraries(cache: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root(cache)) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (package, version) = name.rsplit_once('-')?;
            let key = (package.to_owned(), std::cmp::Reverse(numbers(version)));
            (!name.starts_with('.')).then(|| (key, entry.path()))
        })
        .filter(|(_, folder)| Record::of_complete(folder).is_some())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .filter_map(|(_, folder)| libraries_in(&folder).into_iter().next())
        .collect()
}
