//! The one ONNX Runtime of a process: loading it, and what it says of itself.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ::ort::{environment::Environment, logging::LogLevel};

use super::NAME;
use crate::{
    Device, Problem, RuntimeError,
    engine::guard::guard,
    library::{damaged_part, problem_of_ort},
};

/// A process can hold one ONNX Runtime: the library's global state is not reloadable.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// ONNX Runtime as this process has it.
#[derive(Clone)]
pub(super) struct Loaded {
    /// Resolved, so that two spellings of one file are one library.
    pub(super) path: PathBuf,
    pub(super) environment: Environment,
    pub(super) version: String,
}

impl Loaded {
    /// The file beside the library that holds the device's provider.
    pub(super) fn provider_library(&self, device: Device) -> Option<PathBuf> {
        let file = format!("libonnxruntime_providers_{}.so", provider_name(device)?);
        Some(self.path.with_file_name(file))
    }

    /// A library that the device's provider would load from beside this one and that is damaged.
    pub(super) fn damaged_part(&self, device: Device) -> Option<(PathBuf, Problem)> {
        damaged_part(&self.path, provider_name(device)?)
    }
}

/// The device's provider as libraries' names have it.
fn provider_name(device: Device) -> Option<&'static str> {
    match device {
        Device::Auto | Device::Cpu => None,
        Device::OpenVino => Some("openvino"),
        Device::Cuda(_) => Some("cuda"),
        Device::TensorRt(_) => Some("tensorrt"),
    }
}

/// Loads the library at `path` and tells its version.
pub(in crate::engine) fn version_of(path: &Path) -> Result<String, RuntimeError> {
    Ok(load(path)?.version)
}

/// The library that this process has loaded.
pub(in crate::engine) fn loaded() -> Option<PathBuf> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.as_ref().map(|loaded| loaded.path.clone())
}

/// Loads the library at `path`, or returns the one that is already loaded from there.
pub(super) fn load(path: &Path) -> Result<Loaded, RuntimeError> {
    let failed = |source| RuntimeError::LoadLibrary {
        path: path.to_owned(),
        source,
    };
    let resolved = path
        .canonicalize()
        .map_err(|source| failed(source.into()))?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = &*loaded {
        if loaded.path != resolved {
            return Err(RuntimeError::OtherLibraryLoaded {
                loaded: loaded.path.clone(),
                asked: resolved,
            });
        }
        return Ok(loaded.clone());
    }
    match problem_of_ort(&resolved) {
        Ok(None) => {}
        Ok(Some(problem)) => return Err(failed(format!("it {problem}").into())),
        Err(error) => return Err(failed(error.into())),
    }
    let environment = guard(NAME, || {
        let builder = ::ort::init_from(&resolved).map_err(|source| failed(source.into()))?;
        // Microsoft's builds report usage by default.
        let builder = builder.with_name("uniseg").with_telemetry(false);
        let environment = builder.build().map_err(|source| failed(source.into()))?;
        // Failures come back as errors; ONNX Runtime would print each of them as well.
        if std::env::var_os("ORT_LOG").is_none() {
            environment.set_log_level(LogLevel::Fatal);
        }
        Ok(environment)
    })
    .map_err(|error| match error {
        RuntimeError::EnginePanicked { message, .. } => failed(message.into()),
        error => error,
    })?;
    let version = guard(NAME, || Ok(version(::ort::info(), &resolved)))?;
    Ok(loaded
        .insert(Loaded {
            path: resolved,
            environment,
            version,
        })
        .clone())
}

/// The version in ONNX Runtime's build information, else in the library's file name.
fn version(build: &str, path: &Path) -> String {
    let branch = build.split_once("git-branch=rel-").map(|(_, rest)| rest);
    let name = path.file_name().and_then(|name| name.to_str());
    let in_name = name
        .and_then(|name| name.split_once(".so."))
        .map(|(_, rest)| rest);
    let digits = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect()
    };
    branch
        .or(in_name)
        .map(digits)
        .filter(|version| !version.is_empty())
        .unwrap_or_else(|| "of unknown version".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_build_or_the_file_name() {
        let name = Path::new("lib/libonnxruntime.so.1.32.0");
        assert_eq!(
            version(
                "ORT Build Info: git-branch=rel-1.31.1, git-commit-id=ab",
                name
            ),
            "1.31.1"
        );
        assert_eq!(version("ORT Build Info: ", name), "1.32.0");
        assert_eq!(
            version("", Path::new("libonnxruntime.so")),
            "of unknown version"
        );
    }
}
