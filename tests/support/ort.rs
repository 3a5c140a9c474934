//! ONNX Runtime: found, or installed, or the test fails.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use uniseg_runtime::{
    Device, Engine, EngineKind, EngineOptions, Flavour, Model, find_ort, install_ort, open_engine,
};

/// The library that this process uses.
///
/// It lands in the program's own cache, so that the program finds it by itself from then on.
pub fn library() -> &'static Path {
    static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(found) = find_ort(None).expect("looking for ONNX Runtime works") {
            return found.path().to_owned();
        }
        eprintln!("ONNX Runtime is not there: installing it");
        let installed = install_ort(Flavour::Cpu, &mut |_| {}).unwrap_or_else(|error| {
            panic!("these tests need ONNX Runtime and it cannot be installed: {error}")
        });
        installed.path().to_owned()
    });
    &LIBRARY
}

/// The library with OpenVINO, installed if it is not there; there are none for other systems.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn openvino_library() -> String {
    // Once: what is there is read as a whole.
    static LIBRARY: LazyLock<String> = LazyLock::new(|| {
        let installed = install_ort(Flavour::OpenVino, &mut |_| {}).unwrap_or_else(|error| {
            panic!("this test needs ONNX Runtime with OpenVINO and it cannot be installed: {error}")
        });
        installed.path().to_str().unwrap().to_owned()
    });
    LIBRARY.clone()
}

/// An engine that is ready to run `model`.
#[track_caller]
pub fn engine(model: &Model, kind: EngineKind) -> Box<dyn Engine> {
    open_engine(model, &options(kind))
        .unwrap_or_else(|error| panic!("{kind}: {error:?}"))
        .engine
}

/// How an engine is opened, with all threads.
pub fn options(kind: EngineKind) -> EngineOptions {
    EngineOptions {
        kind,
        threads: None,
        ort_lib: Some(library().to_owned()),
        // Not what somebody has tuned on this machine.
        device: Device::Cpu,
        ..EngineOptions::default()
    }
}

/// Both engines.
pub const ENGINES: [EngineKind; 2] = [EngineKind::Ort, EngineKind::Tract];
