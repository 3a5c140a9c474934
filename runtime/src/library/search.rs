//! The search for a library, over surroundings that tests can make up.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{
    Candidate, Flavour, LibraryError, LibrarySource, OrtLibrary,
    cache::{self, Installation},
    probe::{Problem, flavour_of, libraries_in, problem_of, version_of},
    python::Python,
};

/// Everything outside this program that decides which library is found.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What `ORT_DYLIB_PATH` says.
    pub(super) dylib_path: Option<PathBuf>,
    /// The folder this program keeps its downloads in.
    pub(super) cache: Option<PathBuf>,
    /// Pythons to ask, in order.
    pub(super) pythons: Vec<Python>,
    /// Folders the system looks for libraries in.
    pub(super) system: Vec<PathBuf>,
}

/// Where to look when nothing was asked for, in order.
const FOUND: [LibrarySource; 3] = [
    LibrarySource::Cache,
    LibrarySource::PythonWheel,
    LibrarySource::System,
];

impl Surroundings {
    /// The real ones, read from the environment.
    pub fn of_this_process() -> Self {
        Self {
            dylib_path: variable("ORT_DYLIB_PATH"),
            cache: default_cache(),
            pythons: default_pythons(),
            system: system_folders(),
        }
    }

    /// The same with another cache folder.
    pub fn with_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// See [`super::find_ort`].
    pub fn find(&self, explicit: Option<&Path>) -> Result<Option<OrtLibrary>, LibraryError> {
        if let Some(library) = self.asked_for(explicit)?.into_iter().next() {
            return Ok(Some(library));
        }
        let usable =
            |candidate: Candidate| candidate.problem.is_none().then_some(candidate.library);
        // Lazily: Python is only asked if the cache has nothing.
        Ok(FOUND
            .into_iter()
            .flat_map(|source| self.found(source))
            .find_map(usable))
    }

    /// See [`super::find_ort_for`].
    pub fn find_for(
        &self,
        flavour: Flavour,
        explicit: Option<&Path>,
    ) -> Result<Option<OrtLibrary>, LibraryError> {
        if flavour == Flavour::Cpu {
            return self.find(explicit);
        }
        if let Some(library) = self.asked_for(explicit)?.into_iter().next() {
            return Ok(Some(library));
        }
        let fits = |candidate: Candidate| {
            (candidate.problem.is_none() && candidate.library.flavour == flavour)
                .then_some(candidate.library)
        };
        Ok(FOUND
            .into_iter()
            .flat_map(|source| self.found(source))
            .find_map(fits))
    }

    /// See [`super::unusable_ort`].
    pub fn unusable(&self, flavour: Flavour) -> Option<Candidate> {
        let fits = |candidate: &Candidate| {
            let of_this = flavour == Flavour::Cpu || candidate.library.flavour == flavour;
            of_this && candidate.problem.is_some()
        };
        FOUND
            .into_iter()
            .flat_map(|source| self.found(source))
            .find(fits)
    }

    /// See [`super::list_ort`].
    pub fn list(&self, explicit: Option<&Path>) -> Result<Vec<Candidate>, LibraryError> {
        let asked = self.asked_for(explicit)?;
        let asked = asked.into_iter().map(|library| Candidate {
            library,
            problem: None,
        });
        let found = FOUND.into_iter().flat_map(|source| self.found(source));
        let mut seen = Vec::new();
        Ok(asked
            .chain(found)
            .filter(|candidate| {
                let path = candidate.library.path();
                let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                let new = !seen.contains(&resolved);
                seen.push(resolved);
                new
            })
            .collect())
    }

    /// The libraries that were asked for, which must be usable.
    fn asked_for(&self, explicit: Option<&Path>) -> Result<Vec<OrtLibrary>, LibraryError> {
        let asked = [
            (explicit, LibrarySource::Flag, "--ort-lib"),
            (
                self.dylib_path.as_deref(),
                LibrarySource::Environment,
                "ORT_DYLIB_PATH",
            ),
        ];
        let mut libraries = Vec::new();
        for (path, source, asked_by) in asked {
            let Some(path) = path else {
                continue;
            };
            let version = version_of(path);
            let problem =
                problem_of(path, version.as_deref()).map_err(|source| LibraryError::Missing {
                    path: path.to_owned(),
                    asked_by,
                    source,
                })?;
            if let Some(problem) = problem {
                let path = path.to_owned();
                return Err(LibraryError::NotALibrary {
                    path,
                    asked_by,
                    problem,
                });
            }
            let flavour = flavour_of(path);
            libraries.push(OrtLibrary {
                path: path.to_owned(),
                source,
                version,
                flavour,
            });
            // The flag settles it: what the environment says need not even exist.
            if source == LibrarySource::Flag {
                break;
            }
        }
        Ok(libraries)
    }

    fn found(&self, source: LibrarySource) -> Vec<Candidate> {
        let folders = |folders: Vec<PathBuf>| {
            folders
                .iter()
                .flat_map(|folder| libraries_in(folder))
                .collect::<Vec<PathBuf>>()
        };
        let paths = match source {
            LibrarySource::Flag | LibrarySource::Environment => Vec::new(),
            LibrarySource::Cache => return self.installed(),
            LibrarySource::PythonWheel => {
                folders(self.pythons.iter().flat_map(Python::ort_folders).collect())
            }
            LibrarySource::System => folders(self.system.clone()),
        };
        paths
            .into_iter()
            .map(|path| candidate(path, source))
            .collect()
    }

    /// What this program installed; a folder that was damaged since stands for its library.
    fn installed(&self) -> Vec<Candidate> {
        let installations = self.cache.as_deref().map(cache::installations);
        let of = |installation| match installation {
            Installation::Complete(path) => candidate(path, LibrarySource::Cache),
            Installation::Damaged {
                folder,
                version,
                flavour,
                damage,
            } => Candidate {
                library: OrtLibrary {
                    path: folder,
                    source: LibrarySource::Cache,
                    version: Some(version),
                    flavour,
                },
                problem: Some(Problem::Incomplete { damage }),
            },
        };
        installations.into_iter().flatten().map(of).collect()
    }
}

fn candidate(path: PathBuf, source: LibrarySource) -> Candidate {
    let version = version_of(&path);
    let problem = problem_of(&path, version.as_deref()).unwrap_or(Some(Problem::NotAFile));
    let flavour = flavour_of(&path);
    Candidate {
        library: OrtLibrary {
            path,
            source,
            version,
            flavour,
        },
        problem,
    }
}

/// The value of an environment variable; an empty one counts as not set.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn default_cache() -> Option<PathBuf> {
    let user = || {
        let absolute = |path: &PathBuf| path.is_absolute();
        let base = variable("XDG_CACHE_HOME")
            .filter(absolute)
            .or_else(|| cfg!(windows).then(|| variable("LOCALAPPDATA"))?)
            .or_else(|| Some(variable("HOME").filter(absolute)?.join(".cache")))?;
        Some(base.join("uniseg"))
    };
    variable("UNISEG_CACHE").or_else(user)
}

fn default_pythons() -> Vec<Python> {
    let (program, in_environment) = if cfg!(windows) {
        ("python", "Scripts/python.exe")
    } else {
        ("python3", "bin/python3")
    };
    let active = variable("VIRTUAL_ENV").map(|folder| folder.join(in_environment));
    let active = active.filter(|python| python.is_file());
    active
        .into_iter()
        .chain([PathBuf::from(program)])
        .map(Python::new)
        .collect()
}

pub(super) fn system_folders() -> Vec<PathBuf> {
    let listed = if cfg!(windows) {
        "PATH"
    } else if cfg!(target_os = "macos") {
        "DYLD_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    };
    let mut folders: Vec<PathBuf> = env::var_os(listed)
        .map(|value| env::split_paths(&value).collect())
        .unwrap_or_default();
    if cfg!(unix) {
        folders.extend(loader_folders());
        let usual = [
            "/usr/local/lib",
            "/usr/local/lib64",
            "/usr/lib",
            "/usr/lib64",
            "/opt/homebrew/lib",
        ];
        folders.extend(usual.map(PathBuf::from));
        folders.push(format!("/usr/lib/{}-linux-gnu", env::consts::ARCH).into());
    }
    // An empty or relative entry means the current folder: whatever lies there is not "the system".
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// The folders that the loader's configuration names.
fn loader_folders() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/etc/ld.so.conf.d") else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files.push("/etc/ld.so.conf".into());
    let texts = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    texts
        .flat_map(|text| {
            let line = |line: &str| PathBuf::from(line.trim());
            text.lines()
                .map(line)
                .filter(|path| path.is_absolute())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
