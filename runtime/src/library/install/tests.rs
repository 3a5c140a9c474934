use std::io::{self, Write};

use sha2::{Digest, Sha256};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

/// Something that is served as a wheel by a "pip" that copies it.
struct Served {
    folder: tempfile::TempDir,
    wheel: Wheel,
}

const LIBRARY: &str = "onnxruntime/capi/libonnxruntime.so.1.32.0";
const SHARED: &str = "onnxruntime/capi/libonnxruntime_providers_shared.so";

fn elf() -> Vec<u8> {
    crate::library::elf::shortest()
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
        let script =
            "while [ \"$1\" != --dest ]; do shift; done\ncp \"$(dirname \"$0\")\"/*.whl \"$2\"\n";
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
    let served = Served::new(&[(LIBRARY, &elf()), (SHARED, b"shared")]);
    let library = served.install().unwrap();
    let shared = library
        .path()
        .with_file_name("libonnxruntime_providers_shared.so");
    let record = library.path().with_file_name("installed.json");
    let cut = || fs::write(library.path(), "cut").unwrap();
    let said = |damage: &dyn Fn()| {
        damage();
        let mut said = Vec::new();
        let mut record = |step: InstallStep<'_>| {
            if let InstallStep::Damaged { damage, .. } = step {
                said.push(damage.to_string());
            }
        };
        install_wheel(&served.surroundings(), &served.wheel, &mut record).unwrap();
        assert_eq!(fs::read(library.path()).unwrap(), elf());
        assert_eq!(fs::read(&shared).unwrap(), b"shared");
        assert_eq!(served.cached(), ["onnxruntime-1.32.0"]);
        said.join(", ")
    };
    assert_eq!(said(&|| ()), "");
    cut();
    assert_eq!(served.surroundings().find(None).unwrap(), None);
    assert_eq!(
        said(&cut),
        "libonnxruntime.so.1.32.0 has 3 bytes instead of 120"
    );
    // Of the same length.
    assert_eq!(
        said(&|| fs::write(&shared, "shaped").unwrap()),
        "libonnxruntime_providers_shared.so is damaged"
    );
    assert_eq!(
        said(&|| fs::remove_file(&shared).unwrap()),
        "libonnxruntime_providers_shared.so is missing"
    );
    assert_eq!(
        said(&|| fs::write(&record, "{").unwrap()),
        "installed.json is missing or cannot be read"
    );
}

#[test]
fn what_has_no_digests_is_installed_anew_or_kept() {
    let served = Served::new(&[(LIBRARY, &elf())]);
    let library = served.install().unwrap();
    let path = library.path().with_file_name("installed.json");
    let current = fs::read_to_string(&path).unwrap();
    let mut older: serde_json::Value = serde_json::from_str(&current).unwrap();
    older.as_object_mut().unwrap().remove("digests").unwrap();
    fs::write(&path, older.to_string()).unwrap();
    // It is used all the same.
    assert_eq!(
        served.surroundings().find(None).unwrap().as_ref(),
        Some(&library)
    );
    let works = fs::read_to_string(served.folder.path().join("pip.sh")).unwrap();
    let steps = |pip: &str| {
        served.script(pip);
        let mut steps = Vec::new();
        let mut record = |step: InstallStep<'_>| steps.push(format!("{step:?}"));
        let found = install_wheel(&served.surroundings(), &served.wheel, &mut record).unwrap();
        assert_eq!(found, library);
        (steps[0].clone(), steps.pop().unwrap())
    };
    let (first, last) = steps("echo 'ERROR: no network' >&2; exit 1\n");
    assert!(first.starts_with("Unproven"), "{first}");
    assert!(
        last.starts_with("Kept") && last.contains("no network"),
        "{last}"
    );
    let (first, last) = steps(&works);
    assert!(first.starts_with("Unproven") && last.starts_with("Installed"));
    assert_eq!(fs::read_to_string(&path).unwrap(), current);
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
        said("echo 'WARNING: retrying' >&2; echo 'ERROR: No matching distribution' >&2; exit 1"),
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
