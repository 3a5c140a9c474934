//! The folders this program installs into, and how a complete one is told from a damaged one.
//!
//! `CACHE/onnxruntime/PACKAGE-VERSION/` holds the libraries, their licences and a record of what
//! was installed from which wheel. It appears by one rename, so it is there as a whole or not at
//! all; the record tells if something was lost later. Files are compared by their sizes whenever a
//! library is looked for, which takes no time, and by their digests when a folder is installed or
//! examined.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Flavour, LibraryError,
    digest::sha256_of,
    pins::flavour_of_package,
    probe::{flavour_of, libraries_in, numbers},
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
    /// Digest of each file; earlier versions of this program kept none.
    #[serde(default)]
    pub(super) digests: BTreeMap<String, String>,
}

/// What is wrong with a folder that this program installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallDamage {
    /// Nothing tells what was installed.
    #[error("{RECORD} is missing or cannot be read")]
    NoRecord,
    /// Something else was installed.
    #[error("{RECORD} is that of another build")]
    OtherBuild,
    /// A file is gone.
    #[error("{file} is missing")]
    Missing {
        /// Its name.
        file: String,
    },
    /// A file is shorter or longer than it was.
    #[error("{file} has {found} bytes instead of {expected}")]
    Size {
        /// Its name.
        file: String,
        /// Bytes it has.
        found: u64,
        /// Bytes it had.
        expected: u64,
    },
    /// A file has the bytes of another, or cannot be read.
    #[error("{file} is damaged")]
    Content {
        /// Its name.
        file: String,
    },
}

impl Record {
    /// What was unpacked into `folder`, with the digest of each file.
    ///
    /// Errors: one cannot be read.
    pub(super) fn of(
        folder: &Path,
        wheel: String,
        sha256: &str,
        files: BTreeMap<String, u64>,
    ) -> Result<Self, LibraryError> {
        let names: Vec<&String> = files.keys().collect();
        let digest = |name: &&String| {
            let path = folder.join(name);
            let digest = sha256_of(&path).map_err(LibraryError::cache("read", path))?;
            Ok(((*name).clone(), digest))
        };
        let digests = names
            .par_iter()
            .map(digest)
            .collect::<Result<_, LibraryError>>()?;
        let sha256 = sha256.to_owned();
        Ok(Self {
            wheel,
            sha256,
            files,
            digests,
        })
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), LibraryError> {
        let path = folder.join(RECORD);
        let json = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        json.and_then(|json| fs::write(&path, json))
            .map_err(LibraryError::cache("write", path))
    }

    fn read(folder: &Path) -> Option<Self> {
        let path = folder.join(RECORD);
        if fs::metadata(&path).ok()?.len() > MAX_RECORD {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// The record of a folder in which every file it lists still has its size.
    ///
    /// Errors: the first file that has not.
    pub(super) fn of_complete(folder: &Path) -> Result<Self, InstallDamage> {
        let record = Self::read(folder).ok_or(InstallDamage::NoRecord)?;
        for (name, &expected) in &record.files {
            let file = name.clone();
            match fs::metadata(folder.join(name)) {
                Ok(found) if found.is_file() && found.len() == expected => {}
                Ok(found) if found.is_file() => {
                    let found = found.len();
                    return Err(InstallDamage::Size {
                        file,
                        found,
                        expected,
                    });
                }
                _ => return Err(InstallDamage::Missing { file }),
            }
        }
        Ok(record)
    }

    /// Whether [`Record::check_content`] can tell of every file.
    pub(super) fn has_digests(&self) -> bool {
        self.files.keys().eq(self.digests.keys())
    }

    /// Reads every file, which takes a second for the largest builds.
    ///
    /// Errors: the first file that is not what was installed.
    pub(super) fn check_content(&self, folder: &Path) -> Result<(), InstallDamage> {
        let digests: Vec<(&String, &String)> = self.digests.iter().collect();
        let differs = |(name, digest): &&(&String, &String)| {
            sha256_of(&folder.join(name)).ok().as_ref() != Some(*digest)
        };
        match digests.par_iter().find_first(differs) {
            Some((file, _)) => Err(InstallDamage::Content {
                file: (*file).clone(),
            }),
            None => Ok(()),
        }
    }
}

/// What is wrong with the installation that `library` belongs to, by the sizes of its files; nothing
/// if it belongs to none.
pub(super) fn incomplete_around(library: &Path) -> Option<InstallDamage> {
    Record::of_complete(installed_around(library)?).err()
}

/// The same by the bytes of all its files.
pub(super) fn damage_around(library: &Path) -> Option<InstallDamage> {
    let folder = installed_around(library)?;
    let checked = Record::of_complete(folder).and_then(|record| record.check_content(folder));
    checked.err()
}

/// The folder of `library`, if there is a record in it.
fn installed_around(library: &Path) -> Option<&Path> {
    let folder = library.parent()?;
    folder.join(RECORD).is_file().then_some(folder)
}

/// The folder that holds the installations.
pub(super) fn root(cache: &Path) -> PathBuf {
    cache.join("onnxruntime")
}

/// A folder that something was installed into.
pub(super) enum Installation {
    /// It is complete, by its files' sizes: its library.
    Complete(PathBuf),
    /// It is not, and for what its package is.
    Damaged {
        folder: PathBuf,
        version: String,
        flavour: Flavour,
        damage: InstallDamage,
    },
}

/// For what the complete installations are, in the order of [`installations`].
pub(super) fn flavours(cache: &Path) -> Vec<Flavour> {
    let complete = |installation| match installation {
        Installation::Complete(library) => Some(flavour_of(&library)),
        Installation::Damaged { .. } => None,
    };
    let all = installations(cache);
    all.into_iter().filter_map(complete).collect()
}

/// All installations: the plain package first, since it computes on any machine, then the others by
/// name; newest version first.
pub(super) fn installations(cache: &Path) -> Vec<Installation> {
    let Ok(entries) = fs::read_dir(root(cache)) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (package, version) = name.rsplit_once('-')?;
            let newest_first = std::cmp::Reverse(numbers(version));
            let key = (package.to_owned(), newest_first, version.to_owned());
            (!name.starts_with('.')).then(|| (key, entry.path()))
        })
        .collect();
    folders.sort();
    let installation = |((package, _, version), folder): ((String, _, String), PathBuf)| {
        let damage = match Record::of_complete(&folder) {
            Ok(_) => {
                let library = libraries_in(&folder).into_iter().next()?;
                return Some(Installation::Complete(library));
            }
            Err(damage) => damage,
        };
        Some(Installation::Damaged {
            flavour: flavour_of_package(&package)?,
            folder,
            version,
            damage,
        })
    };
    folders.into_iter().filter_map(installation).collect()
}
