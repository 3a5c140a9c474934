use std::{collections::BTreeMap, fs};

use super::*;
use crate::library::{cache::Record, elf};

/// A file that passes for a library of this machine.
fn library(path: &Path) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, elf::shortest()).unwrap();
    path.to_owned()
}

fn install(cache: &Path, name: &str, version: &str) -> PathBuf {
    let folder = cache.join("onnxruntime").join(name);
    let file = format!("libonnxruntime.so.{version}");
    let path = library(&folder.join(&file));
    let files = BTreeMap::from([(file, fs::metadata(&path).unwrap().len())]);
    let record = Record::of(&folder, "w".into(), "s", files).unwrap();
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
fn a_damaged_installation_is_listed_with_what_it_lacks() {
    let root = tempfile::tempdir().unwrap();
    let cache = root.path();
    let surroundings = Surroundings::default().with_cache(cache);
    let library = install(cache, "onnxruntime-openvino-1.40.0", "1.40.0");
    install(cache, "onnxruntime-1.30.0", "1.30.0");
    assert_eq!(surroundings.unusable(Flavour::OpenVino), None);
    fs::remove_file(&library).unwrap();
    let found = surroundings.unusable(Flavour::OpenVino).unwrap();
    assert_eq!(surroundings.list(None).unwrap().last(), Some(&found));
    assert_eq!(
        (found.library.path(), found.library.version()),
        (library.parent().unwrap(), Some("1.40.0"))
    );
    assert_eq!(
        found.why_not().unwrap(),
        "is incomplete: libonnxruntime.so.1.40.0 is missing; \
         `uniseg runtime install --openvino` installs it anew"
    );
    let found = surroundings.find_for(Flavour::OpenVino, None).unwrap();
    assert_eq!(found, None);
    assert_eq!(surroundings.unusable(Flavour::Cuda), None);
}

#[test]
fn other_bytes_are_seen_when_they_are_looked_for() {
    let root = tempfile::tempdir().unwrap();
    let library = install(root.path(), "onnxruntime-1.30.0", "1.30.0");
    let surroundings = Surroundings::default().with_cache(root.path());
    let listed = || surroundings.list(None).unwrap().remove(0);
    assert_eq!(listed().with_content_checked().problem, None);
    let mut bytes = fs::read(&library).unwrap();
    bytes[110] ^= 1;
    fs::write(&library, bytes).unwrap();
    assert_eq!(listed().problem, None);
    let problem = listed().with_content_checked().problem.unwrap();
    assert_eq!(
        problem.to_string(),
        "is incomplete: libonnxruntime.so.1.30.0 is damaged"
    );
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
