//! The search for a library, over surroundings that tests can make up.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{
    Candidate, Flavour, LibraryError, LibrarySource, OrtLibrary, cache,
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
            LibrarySource::Cache => self
                .cache
                .as_deref()
                .map(cache::libraries)
                .unwrap_or_default(),
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
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;
    use crate::library::cache::Record;

    /// A file that passes for a library of this machine.
    fn library(path: &Path) -> PathBuf {
        let machine: u16 = if cfg!(target_arch = "aarch64") {
            183
        } else {
            62
        };
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0".to_vec();
        bytes.extend(machine.to_le_bytes());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        path.to_owned()
    }

    fn install(cache: &Path, name: &str, version: &str) -> PathBuf {
        let folder = cache.join("onnxruntime").join(name);
        let file = format!("libonnxruntime.so.{version}");
        let path = library(&folder.join(&file));
        let files = BTreeMap::from([(file, fs::metadata(&path).unwrap().len())]);
        let record = Record {
            wheel: "w".into(),
            sha256: "s".into(),
            files,
        };
        record.write(&folder).unwrap();
        path
    }

    /// A Python that answers as the real one would.
    fn python(folder: &Path, capi: &Path) -> Python {
        let script = folder.join("python.sh");
        fs::write(&script, format!("echo '{}'\n", capi.display())).unwrap();
        Python {
            program: "/bin/sh".into(),
            arguments: vec![script],
        }
    }

    #[test]
    fn the_order_is_flag_environment_cache_python_system() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let flag = library(&root.join("flag/any-name.so"));
        let environment = library(&root.join("env/libonnxruntime.so"));
        let cached = install(&root.join("cache"), "onnxruntime-1.32.0", "1.32.0");
        let wheel = library(&root.join("site/onnxruntime/capi/libonnxruntime.so.1.30.0"));
        let system = library(&root.join("lib/libonnxruntime.so.1.29.0"));
        let mut surroundings = Surroundings {
            dylib_path: Some(environment.clone()),
            cache: Some(root.join("cache")),
            pythons: vec![python(root, &root.join("site/onnxruntime/capi"))],
            system: vec![root.join("lib")],
        };
        let all = surroundings.list(Some(&flag)).unwrap();
        let paths: Vec<&Path> = all
            .iter()
            .map(|candidate| candidate.library.path())
            .collect();
        assert_eq!(paths, [&flag, &cached, &wheel, &system]);
        let find = |surroundings: &Surroundings, explicit: Option<&Path>| {
            let library = surroundings.find(explicit).unwrap().unwrap();
            (library.path().to_owned(), library.source())
        };
        assert_eq!(
            find(&surroundings, Some(&flag)),
            (flag.clone(), LibrarySource::Flag)
        );
        assert_eq!(
            find(&surroundings, None),
            (environment, LibrarySource::Environment)
        );
        surroundings.dylib_path = None;
        assert_eq!(find(&surroundings, None), (cached, LibrarySource::Cache));
        surroundings.cache = None;
        assert_eq!(
            find(&surroundings, None),
            (wheel, LibrarySource::PythonWheel)
        );
        surroundings.pythons.clear();
        assert_eq!(find(&surroundings, None), (system, LibrarySource::System));
        surroundings.system.clear();
        assert_eq!(surroundings.find(None).unwrap(), None);
    }

    #[test]
    fn what_was_asked_for_must_be_usable() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().join("missing.so");
        let text = root.path().join("text.so");
        fs::write(&text, "not a library").unwrap();
        let surroundings = Surroundings::default();
        let error = surroundings.find(Some(&missing)).unwrap_err();
        assert!(
            matches!(&error, LibraryError::Missing { path, asked_by: "--ort-lib", .. } if *path == missing)
        );
        let error = surroundings.find(Some(&text)).unwrap_err().to_string();
        assert!(
            error.ends_with("--ort-lib names: it is not a shared library of this system"),
            "{error}"
        );
        let surroundings = Surroundings {
            dylib_path: Some(missing),
            ..Default::default()
        };
        let error = surroundings.find(None).unwrap_err();
        assert!(matches!(
            error,
            LibraryError::Missing {
                asked_by: "ORT_DYLIB_PATH",
                ..
            }
        ));
    }

    #[test]
    fn what_is_found_is_passed_over_if_it_cannot_be_used() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let old = library(&root.join("a/libonnxruntime.so.1.9.0"));
        let broken = root.join("b/libonnxruntime.so.1.40.0");
        fs::create_dir_all(root.join("b")).unwrap();
        fs::write(&broken, "broken").unwrap();
        let good = library(&root.join("b/libonnxruntime.so.1.31.0"));
        let system = vec![root.join("a"), root.join("b"), root.join("none")];
        let surroundings = Surroundings {
            system,
            ..Default::default()
        };
        assert_eq!(surroundings.find(None).unwrap().unwrap().path(), good);
        let all = surroundings.list(None).unwrap();
        let problems: Vec<_> = all
            .iter()
            .map(|c| (c.library.path(), c.problem.clone()))
            .collect();
        let too_old = Problem::TooOld {
            found: "1.9.0".into(),
        };
        assert_eq!(
            problems,
            [
                (old.as_path(), Some(too_old)),
                (&broken, Some(Problem::NotALibrary)),
                (&good, None)
            ]
        );
    }

    #[test]
    fn the_plain_package_comes_first_and_incomplete_ones_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path();
        install(cache, "onnxruntime-openvino-1.40.0", "1.40.0");
        let older = install(cache, "onnxruntime-1.30.0", "1.30.0");
        let newer = install(cache, "onnxruntime-1.32.0", "1.32.0");
        library(&cache.join("onnxruntime/onnxruntime-1.33.0/libonnxruntime.so.1.33.0"));
        install(cache, ".partial-1.34.0", "1.34.0");
        let surroundings = Surroundings::default().with_cache(cache);
        assert_eq!(surroundings.find(None).unwrap().unwrap().path(), newer);
        fs::write(&newer, "cut short").unwrap();
        assert_eq!(surroundings.find(None).unwrap().unwrap().path(), older);
    }

    #[test]
    fn links_to_one_file_are_listed_once_with_its_version_and_flavour() {
        let root = tempfile::tempdir().unwrap();
        let real = library(&root.path().join("libonnxruntime.so.1.31.0"));
        library(&root.path().join("libonnxruntime_providers_cuda.so"));
        let link = root.path().join("libonnxruntime.so");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let system = vec![root.path().to_owned()];
        let surroundings = Surroundings {
            system,
            ..Default::default()
        };
        let all = surroundings.list(None).unwrap();
        assert_eq!(all.len(), 1);
        let by_link = surroundings.find(Some(&link)).unwrap().unwrap();
        assert_eq!(
            (by_link.version(), by_link.flavour()),
            (Some("1.31.0"), Flavour::Cuda)
        );
    }

    #[test]
    fn a_python_that_is_not_there_finds_nothing() {
        let pythons = vec![Python::new("/no/such/python")];
        let surroundings = Surroundings {
            pythons,
            ..Default::default()
        };
        assert_eq!(surroundings.find(None).unwrap(), None);
    }
}
