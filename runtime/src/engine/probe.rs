//! What a library of ONNX Runtime can do on this machine.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{EngineKind, EngineOptions, ort};
use crate::{Device, Model, Precision, RuntimeError, forward, random_patch};

/// A library of ONNX Runtime, tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryProbe {
    /// Its version.
    pub version: String,
    /// Every device, and whether it works with this library.
    pub providers: Vec<ProviderProbe>,
}

/// A device, tried out with a tiny network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderProbe {
    /// The device.
    pub device: Device,
    /// Why it does not work; none if it does.
    pub problem: Option<String>,
}

/// Loads `library` into this process and computes a tiny network on every device.
///
/// Errors: those of loading a library; a device that does not work is none.
pub fn probe_library(library: &Path) -> Result<LibraryProbe, RuntimeError> {
    let version = ort::version_of(library)?;
    let model = Model::from(uniseg_onnx::sample::tiny_artefact());
    let devices = [
        Device::Cpu,
        Device::OpenVino,
        Device::Cuda(0),
        Device::TensorRt(0),
    ];
    let mut providers = Vec::new();
    for device in devices {
        let options = EngineOptions {
            kind: EngineKind::Ort,
            ort_lib: Some(library.to_owned()),
            device,
            precision: Precision::F32,
            ..EngineOptions::default()
        };
        let tried = super::open_engine(&model, &options).and_then(|mut opened| {
            let manifest = model.manifest();
            let Some(task) = manifest.tasks.first() else {
                return Ok(());
            };
            let image = random_patch(manifest, task, 0);
            let engine = opened.engine.as_mut();
            forward(engine, &manifest.network, image.view(), task.id).map(|_| ())
        });
        let problem = tried.err().map(|error| error.with_causes());
        providers.push(ProviderProbe { device, problem });
    }
    Ok(LibraryProbe { version, providers })
}
