//! Which ONNX Runtime a process uses. A binary of its own: a process can load only one library,
//! so the order of these steps matters.

use std::{env, fs, num::NonZeroUsize, path::PathBuf};

use uniseg_onnx::sample;
use uniseg_runtime::{EngineKind, EngineOptions, Model, RuntimeError, find_ort, open_engine};

fn options(kind: EngineKind, ort_lib: Option<PathBuf>) -> EngineOptions {
    EngineOptions {
        kind,
        threads: NonZeroUsize::new(1),
        ort_lib,
        ..EngineOptions::default()
    }
}

#[test]
fn a_bad_library_is_an_error_a_good_one_stays() {
    let model = Model::from(sample::tiny_artefact());
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("libonnxruntime.so");
    fs::write(&fake, "not a library").unwrap();

    for kind in [EngineKind::Auto, EngineKind::Ort] {
        let error = open_engine(&model, &options(kind, Some(fake.clone()))).unwrap_err();
        assert!(
            matches!(error, RuntimeError::FindLibrary(_)),
            "{kind}: {error}"
        );
        assert!(error.to_string().contains("libonnxruntime.so"), "{error}");
        // A program looks like a library to everything but the loader.
        let program = env::current_exe().unwrap();
        let error = open_engine(&model, &options(kind, Some(program))).unwrap_err();
        assert!(
            matches!(
                error,
                RuntimeError::LoadLibrary { .. } | RuntimeError::FindLibrary(_)
            ),
            "{kind}: {error}"
        );
    }
    let absent = folder.path().join("absent.so");
    open_engine(&model, &options(EngineKind::Auto, Some(absent))).unwrap_err();

    let found = find_ort(None).expect("looking for ONNX Runtime works");
    let found = found.expect("ONNX Runtime was not found: run `uniseg runtime install`");
    let good = options(EngineKind::Ort, Some(found.path().to_owned()));
    let first = open_engine(&model, &good).unwrap();
    let second = open_engine(&model, &good).unwrap();
    assert_eq!(first.engine.name(), second.engine.name());

    let copy = folder.path().join("libonnxruntime.so.1");
    fs::copy(found.path(), &copy).unwrap();
    let error = open_engine(&model, &options(EngineKind::Ort, Some(copy))).unwrap_err();
    assert!(
        matches!(error, RuntimeError::OtherLibraryLoaded { .. }),
        "{error}"
    );
    let tract = open_engine(&model, &options(EngineKind::Tract, None)).unwrap();
    assert!(tract.engine.name().starts_with("tract "));
}
