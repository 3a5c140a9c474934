//! From a pinned wheel to a folder in the cache.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use super::{
    Flavour, LibraryError, LibrarySource, OrtLibrary,
    cache::{self, Record},
    pins::{PYTHON_ABI, PYTHON_VERSION, Wheel},
    probe::{flavour_of, libraries_in, version_of},
    python::Python,
    search::Surroundings,
    unpack::unpack,
};

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
    if let Some(library) = installed(&folder, wheel) {
        progress(InstallStep::AlreadyThere { folder: &folder });
        return Ok(library);
    }
    fs::create_dir_all(&root).map_err(LibraryError::cache("create", &root))?;
    remove_abandoned(&root);
    let work = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(&root)
        .map_err(LibraryError::cache("create a folder in", &root))?;

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
    Record {
        wheel: wheel.file(),
        sha256: wheel.sha256.to_owned(),
        files,
    }
    .write(&unpacked)?;
    put_in_place(&unpacked, &folder, work.path(), wheel)?;
    let library = installed(&folder, wheel).ok_or_else(|| LibraryError::NoLibrary {
        wheel: wheel.file(),
    })?;
    progress(InstallStep::Installed { folder: &folder });
    Ok(library)
}

/// The library in `folder`, if that is a complete installation of `wheel`.
fn installed(folder: &Path, wheel: &Wheel) -> Option<OrtLibrary> {
    Record::of_complete(folder).filter(|record| record.sha256 == wheel.sha256)?;
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
    let mut hasher = Sha256::new();
    let mut file = fs::File::open(path).map_err(LibraryError::cache("read", path))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read =
            io::Read::read(&mut file, &mut buffer).map_err(LibraryError::cache("read", path))?;
        if read == 0 {
            break;
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
    let found: String = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found == wheel.sha256 {
        return Ok(());
    }
    Err(LibraryError::Digest {
        wheel: name,
        expected: wheel.sha256.to_owned(),
        found,
    })
}

/// Renames what was unpacked to its final place; a damaged installation there goes first.
fn put_in_place(
    unpacked: &Path,
    folder: &Path,
    work: &Path,
    wheel: &Wheel,
) -> Result<(), LibraryError> {
    if folder.exists() && installed(folder, wheel).is_none() {
        // Into the working folder, which is removed at the end.
        fs::rename(folder, work.join("damaged")).map_err(LibraryError::cache("replace", folder))?;
    }
    match fs::rename(unpacked, folder) {
        // Another process was faster.
        Err(_) if installed(folder, wheel).is_some() => Ok(()),
        renamed => renamed.map_err(LibraryError::cache("create", folder)),
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
mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// Something that is served as a wheel by a "pip" that copies it.
    struct Served {
        folder: tempfile::TempDir,
        wheel: Wheel,
    }

    const LIBRARY: &str = "onnxruntime/capi/libonnxruntime.so.1.32.0";

    fn elf() -> Vec<u8> {
        let machine: u16 = if cfg!(target_arch = "aarch64") {
            183
        } else {
            62
        };
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0".to_vec();
        bytes.extend(machine.to_le_bytes());
        bytes
    }

    impl Served {
        fn new(members: &[(&str, &[u8])]) -> Self {
            let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
            for (name, content) in members {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(content).unwrap();
            }
            Self::of(zip.finish().unwrap().into_inner())
        }

        fn of(bytes: Vec<u8>) -> Self {
            let sha256: String = Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let wheel = Wheel {
                flavour: Flavour::Cpu,
                package: "onnxruntime",
                version: "1.32.0",
                os: env::consts::OS,
                arch: env::consts::ARCH,
                platform: "any",
                sha256: sha256.leak(),
                megabytes: 1,
            };
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(wheel.file()), bytes).unwrap();
            // The folder to fill is what follows `--dest`.
            let script = "while [ \"$1\" != --dest ]; do shift; done\ncp \"$(dirname \"$0\")\"/*.whl \"$2\"\n";
            fs::write(folder.path().join("pip.sh"), script).unwrap();
            Self { folder, wheel }
        }

        fn surroundings(&self) -> Surroundings {
            let python = Python {
                program: "/bin/sh".into(),
                arguments: vec![self.folder.path().join("pip.sh")],
            };
            Surroundings {
                cache: Some(self.folder.path().join("cache")),
                pythons: vec![python],
                ..Default::default()
            }
        }

        fn script(&self, text: &str) {
            fs::write(self.folder.path().join("pip.sh"), text).unwrap();
        }

        fn install(&self) -> Result<OrtLibrary, LibraryError> {
            install_wheel(&self.surroundings(), &self.wheel, &mut |_| ())
        }

        /// What is in the cache, hidden names included.
        fn cached(&self) -> Vec<String> {
            let root = self.folder.path().join("cache/onnxruntime");
            let entries = fs::read_dir(root).into_iter().flatten();
            entries
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect()
        }
    }

    #[test]
    fn a_wheel_is_installed_once_and_then_found() {
        let served = Served::new(&[
            (LIBRARY, &elf()),
            (
                "onnxruntime/capi/libonnxruntime_providers_shared.so",
                b"shared",
            ),
            (
                "onnxruntime/capi/onnxruntime_pybind11_state.so",
                b"python only",
            ),
            ("onnxruntime/capi/training/libother.so", b"deeper"),
            ("onnxruntime/LICENSE", b"licence"),
            ("onnxruntime/__init__.py", b"raise SystemExit"),
        ]);
        let mut steps = Vec::new();
        let mut record = |step: InstallStep<'_>| steps.push(format!("{step:?}"));
        let library = install_wheel(&served.surroundings(), &served.wheel, &mut record).unwrap();
        assert!(steps[0].starts_with("Downloading") && steps[1].starts_with("Checking"));
        assert!(steps.last().unwrap().starts_with("Installed"));
        assert_eq!(
            (library.version(), library.source()),
            (Some("1.32.0"), LibrarySource::Cache)
        );
        let folder = library.path().parent().unwrap();
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "LICENSE",
                "installed.json",
                "libonnxruntime.so.1.32.0",
                "libonnxruntime_providers_shared.so"
            ]
        );
        assert_eq!(served.cached(), ["onnxruntime-1.32.0"]);
        assert_eq!(served.surroundings().find(None).unwrap(), Some(library));

        served.script("exit 1\n");
        let mut steps = Vec::new();
        let mut record = |step: InstallStep<'_>| steps.push(format!("{step:?}"));
        install_wheel(&served.surroundings(), &served.wheel, &mut record).unwrap();
        assert!(
            steps.len() == 1 && steps[0].starts_with("AlreadyThere"),
            "{steps:?}"
        );
    }

    #[test]
    fn a_damaged_installation_is_replaced() {
        let served = Served::new(&[(LIBRARY, &elf())]);
        let library = served.install().unwrap();
        fs::write(library.path(), "cut").unwrap();
        assert_eq!(served.surroundings().find(None).unwrap(), None);
        assert_eq!(fs::read(served.install().unwrap().path()).unwrap(), elf());
        assert_eq!(served.cached(), ["onnxruntime-1.32.0"]);
    }

    #[test]
    fn a_changed_wheel_is_refused_before_it_is_opened() {
        let served = Served::new(&[(LIBRARY, &elf())]);
        fs::write(
            served.folder.path().join(served.wheel.file()),
            "something else",
        )
        .unwrap();
        assert!(matches!(served.install(), Err(LibraryError::Digest { .. })));
        assert_eq!(served.cached(), [""; 0]);
    }

    #[test]
    fn what_is_no_wheel_or_has_no_library_is_refused() {
        assert!(matches!(
            Served::of(b"no zip".to_vec()).install(),
            Err(LibraryError::Unpack { .. })
        ));
        let served = Served::new(&[("onnxruntime/LICENSE", b"licence")]);
        assert!(matches!(
            served.install(),
            Err(LibraryError::NoLibrary { .. })
        ));
        assert_eq!(served.cached(), [""; 0]);
    }

    #[test]
    fn members_that_point_elsewhere_are_not_unpacked() {
        let outside = tempfile::tempdir().unwrap();
        let absolute = outside.path().join("libevil.so");
        let served = Served::new(&[
            (LIBRARY, &elf()),
            ("onnxruntime/capi/../../../evil.so", b"x"),
            ("../evil.so", b"x"),
            (absolute.to_str().unwrap(), b"x"),
            ("onnxruntime/capi/..\\libevil.so", b"x"),
        ]);
        let library = served.install().unwrap();
        assert_eq!(
            fs::read_dir(library.path().parent().unwrap())
                .unwrap()
                .count(),
            2
        );
        assert!(!absolute.exists());
    }

    #[test]
    fn every_way_in_which_pip_fails_is_told() {
        let served = Served::new(&[(LIBRARY, &elf())]);
        let said = |script: &str| {
            served.script(script);
            served.install().unwrap_err().to_string()
        };
        assert_eq!(
            said(
                "echo 'WARNING: retrying' >&2; echo 'ERROR: No matching distribution' >&2; exit 1"
            ),
            "pip cannot fetch onnxruntime==1.32.0 (No matching distribution): check the network or \
             pip's index settings, or name a library with --ort-lib"
        );
        assert_eq!(
            said("echo '/bin/sh: No module named pip' >&2; exit 1"),
            "/bin/sh has no pip: install it (python3 -m ensurepip)"
        );
        assert!(said("exit 0").starts_with("pip fetched [] where onnxruntime-1.32.0-cp312"));
        let mut surroundings = served.surroundings();
        surroundings.pythons = vec![Python::new("/no/such/python3")];
        let error = install_wheel(&surroundings, &served.wheel, &mut |_| ()).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot run /no/such/python3"),
            "{error}"
        );
        surroundings.cache = None;
        let error = install_wheel(&surroundings, &served.wheel, &mut |_| ()).unwrap_err();
        assert!(matches!(error, LibraryError::NoCache));
        assert_eq!(served.cached(), [""; 0]);
    }
}
