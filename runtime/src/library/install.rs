//! From a pinned wheel to a folder in the cache.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    Flavour, InstallDamage, LibraryError, LibrarySource, OrtLibrary,
    cache::{self, Record},
    digest::sha256_of,
    pins::{PYTHON_ABI, PYTHON_VERSION, Wheel},
    probe::{flavour_of, libraries_in, version_of},
    python::Python,
    search::Surroundings,
    unpack::unpack,
};
use crate::sentence;

/// Start of the names of folders in which an installation is under way.
const PARTIAL: &str = ".partial-";
/// Age from which such a folder was left by a program that was ended.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// What an installation is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallStep<'a> {
    /// It is installed already, and complete.
    AlreadyThere {
        /// Where.
        folder: &'a Path,
    },
    /// It is installed already, and not what it was: it is installed anew.
    Damaged {
        /// Where.
        folder: &'a Path,
        /// The first thing that is wrong.
        damage: &'a InstallDamage,
    },
    /// An earlier version of this program installed it and kept no digests: it is installed anew.
    Unproven {
        /// Where.
        folder: &'a Path,
    },
    /// What was unproven could not be installed anew, and stays: its files have their sizes.
    Kept {
        /// Where.
        folder: &'a Path,
        /// Why.
        reason: &'a str,
    },
    /// The wheel is being fetched.
    Downloading {
        /// Package and version.
        requirement: &'a str,
        /// Size of the download.
        megabytes: u32,
    },
    /// The wheel's digest is being compared with the pinned one.
    Checking {
        /// The wheel.
        wheel: &'a str,
    },
    /// A file is being unpacked.
    Unpacking {
        /// Its name.
        file: &'a str,
        /// Its size in bytes.
        bytes: u64,
    },
    /// Done.
    Installed {
        /// Where.
        folder: &'a Path,
    },
}

impl Surroundings {
    /// See [`super::install_ort`].
    pub fn install(
        &self,
        flavour: Flavour,
        progress: &mut dyn FnMut(InstallStep<'_>),
    ) -> Result<OrtLibrary, LibraryError> {
        let (os, arch) = (env::consts::OS, env::consts::ARCH);
        let wheel =
            Wheel::of(flavour, os, arch).ok_or(LibraryError::NoBuild { flavour, os, arch })?;
        install_wheel(self, wheel, progress)
    }
}

fn install_wheel(
    surroundings: &Surroundings,
    wheel: &Wheel,
    progress: &mut dyn FnMut(InstallStep<'_>),
) -> Result<OrtLibrary, LibraryError> {
    let root = cache::root(surroundings.cache.as_deref().ok_or(LibraryError::NoCache)?);
    let folder = root.join(wheel.folder());
    let folder = folder.as_path();
    let mut unproven = None;
    match found_in(folder, wheel) {
        Found::Nothing => {}
        Found::Whole(library) => {
            progress(InstallStep::AlreadyThere { folder });
            return Ok(library);
        }
        Found::Unproven(library) => {
            progress(InstallStep::Unproven { folder });
            unproven = Some(library);
        }
        Found::Damaged(damage) => progress(InstallStep::Damaged {
            folder,
            damage: &damage,
        }),
    }
    let installed = install_anew(surroundings, wheel, &root, folder, progress);
    match (installed, unproven) {
        // Without a network what is there is better than nothing.
        (Err(error), Some(library)) => {
            let reason = &sentence(&error);
            progress(InstallStep::Kept { folder, reason });
            Ok(library)
        }
        (installed, _) => installed,
    }
}

/// Fetches the wheel, unpacks it in a working folder and puts that in place of `folder`.
fn install_anew(
    surroundings: &Surroundings,
    wheel: &Wheel,
    root: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(InstallStep<'_>),
) -> Result<OrtLibrary, LibraryError> {
    fs::create_dir_all(root).map_err(LibraryError::cache("create", root))?;
    remove_abandoned(root);
    let work = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(root)
        .map_err(LibraryError::cache("create a folder in", root))?;

    let fetched = fetch(&surroundings.pythons, wheel, work.path(), progress)?;
    check_digest(&fetched, wheel, progress)?;
    let unpacked = work.path().join("unpacked");
    fs::create_dir(&unpacked).map_err(LibraryError::cache("create", &unpacked))?;
    let files = unpack(&fetched, &wheel.file(), &unpacked, progress)?;
    if libraries_in(&unpacked).is_empty() {
        return Err(LibraryError::NoLibrary {
            wheel: wheel.file(),
        });
    }
    Record::of(&unpacked, wheel.file(), wheel.sha256, files)?.write(&unpacked)?;
    put_in_place(&unpacked, folder, work.path(), wheel)?;
    let library = library_in(folder, wheel).ok_or_else(|| LibraryError::NoLibrary {
        wheel: wheel.file(),
    })?;
    progress(InstallStep::Installed { folder });
    Ok(library)
}

/// What is where a wheel is installed.
enum Found {
    Nothing,
    /// Every file has the bytes that were installed.
    Whole(OrtLibrary),
    /// Every file has its size; what its bytes should be was not recorded.
    Unproven(OrtLibrary),
    Damaged(InstallDamage),
}

/// Reads every file in `folder`.
fn found_in(folder: &Path, wheel: &Wheel) -> Found {
    if !folder.exists() {
        return Found::Nothing;
    }
    let record = match Record::of_complete(folder) {
        Ok(record) if record.sha256 == wheel.sha256 => record,
        Ok(_) => return Found::Damaged(InstallDamage::OtherBuild),
        Err(damage) => return Found::Damaged(damage),
    };
    if let Err(damage) = record.check_content(folder) {
        return Found::Damaged(damage);
    }
    match library_in(folder, wheel) {
        Some(library) if record.has_digests() => Found::Whole(library),
        Some(library) => Found::Unproven(library),
        None => Found::Damaged(InstallDamage::NoRecord),
    }
}

/// The library in `folder`, in which `wheel` is installed.
fn library_in(folder: &Path, wheel: &Wheel) -> Option<OrtLibrary> {
    let path = libraries_in(folder).into_iter().next()?;
    let version = version_of(&path).or_else(|| Some(wheel.version.to_owned()));
    let flavour = flavour_of(&path);
    Some(OrtLibrary {
        path,
        source: LibrarySource::Cache,
        version,
        flavour,
    })
}

/// Has pip fetch the wheel into `folder`, and returns it.
fn fetch(
    pythons: &[Python],
    wheel: &Wheel,
    folder: &Path,
    progress: &mut dyn FnMut(InstallStep<'_>),
) -> Result<PathBuf, LibraryError> {
    let requirement = wheel.requirement();
    progress(InstallStep::Downloading {
        requirement: &requirement,
        megabytes: wheel.megabytes,
    });
    let missing = Python::new("python3");
    let python = pythons.first().unwrap_or(&missing);
    let mut command = python.command();
    command.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]);
    command.args(["--no-deps", "--only-binary=:all:", "--implementation", "cp"]);
    command.args(["--python-version", PYTHON_VERSION, "--abi", PYTHON_ABI]);
    command
        .args(["--platform", wheel.platform, "--dest"])
        .arg(folder)
        .arg(&requirement);
    // Python puts the current folder first on its path: what lies there is not pip.
    command.current_dir(folder);
    let program = python.program.clone();
    let output = command.output().map_err(|source| LibraryError::NoPython {
        program: program.clone(),
        source,
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        if said.contains("No module named pip") {
            return Err(LibraryError::NoPip { program });
        }
        let reason = last_error(&said).unwrap_or_else(|| output.status.to_string());
        return Err(LibraryError::Download {
            requirement,
            reason,
        });
    }
    let expected = wheel.file();
    let entries = fs::read_dir(folder).map_err(LibraryError::cache("read", folder))?;
    let found: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    if found != [expected.as_str()] {
        return Err(LibraryError::OtherWheel { expected, found });
    }
    Ok(folder.join(expected))
}

/// The last line in which pip says what went wrong.
fn last_error(said: &str) -> Option<String> {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().rev().find_map(|line| line.strip_prefix("ERROR: "));
    error.or_else(|| lines().next_back()).map(str::to_owned)
}

fn check_digest(
    path: &Path,
    wheel: &Wheel,
    progress: &mut dyn FnMut(InstallStep<'_>),
) -> Result<(), LibraryError> {
    let name = wheel.file();
    progress(InstallStep::Checking { wheel: &name });
    let found = sha256_of(path).map_err(LibraryError::cache("read", path))?;
    if found == wheel.sha256 {
        return Ok(());
    }
    Err(LibraryError::Digest {
        wheel: name,
        expected: wheel.sha256.to_owned(),
        found,
    })
}

/// Renames what was unpacked to its final place; what is there and not whole goes first.
fn put_in_place(
    unpacked: &Path,
    folder: &Path,
    work: &Path,
    wheel: &Wheel,
) -> Result<(), LibraryError> {
    let whole = || matches!(found_in(folder, wheel), Found::Whole(_));
    // Into the working folder, which is removed at the end.
    let aside = work.join("damaged");
    let moved = folder.exists() && !whole();
    if moved {
        fs::rename(folder, &aside).map_err(LibraryError::cache("replace", folder))?;
    }
    match fs::rename(unpacked, folder) {
        // Another process was faster.
        Err(_) if whole() => Ok(()),
        Err(error) => {
            if moved {
                let _ = fs::rename(&aside, folder);
            }
            Err(LibraryError::cache("create", folder)(error))
        }
        Ok(()) => Ok(()),
    }
}

/// Removes working folders that were left long ago; that this fails is no reason not to install.
fn remove_abandoned(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    let now = SystemTime::now();
    for entry in entries.filter_map(Result::ok) {
        let partial = entry.file_name().to_string_lossy().starts_with(PARTIAL);
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified
            .ok()
            .and_then(|modified| now.duration_since(modified).ok());
        if partial && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
