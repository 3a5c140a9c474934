//! ONNX Runtime, loaded from a shared library when it is first asked for. The only file that
//! names `ort`.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ::ort::{
    environment::Environment,
    logging::LogLevel,
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::{DynValue, TensorElementType, TensorRef, ValueRef},
};
use ndarray::CowArray;

use super::{Engine, EngineKind, EngineOptions, guard::guard, table::Opened};
use crate::{
    LibrarySource, Model, RuntimeError, Tensor, TensorView, find_ort, threads::thread_count,
};

/// What messages call this engine before its version is known.
const NAME: &str = "onnxruntime";

/// A process can hold one ONNX Runtime: the library's global state is not reloadable.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

#[derive(Clone)]
struct Loaded {
    /// Resolved, so that two spellings of one file are one library.
    path: PathBuf,
    environment: Environment,
    version: String,
}

/// A session of ONNX Runtime on the CPU.
struct OrtEngine {
    name: String,
    session: Session,
}

/// Opens `model` if a library is found. One that was named by the user must load; one that was
/// merely found may be unusable, which is a reason to go on without it.
pub(super) fn open(model: &Model, options: &EngineOptions) -> Result<Opened, RuntimeError> {
    let Some(library) = find_ort(options.ort_lib.as_deref())? else {
        return Ok(Opened::Absent(
            "ONNX Runtime was not found (install it with `uniseg runtime install`)".to_owned(),
        ));
    };
    let named = matches!(
        library.source(),
        LibrarySource::Flag | LibrarySource::Environment
    );
    let asked_for = named || options.kind == EngineKind::Ort;
    let loaded = match load(library.path()) {
        Err(RuntimeError::LoadLibrary { path, source }) if !asked_for => {
            let path = path.display();
            return Ok(Opened::Absent(format!(
                "ONNX Runtime in {path} cannot be used: {source}"
            )));
        }
        loaded => loaded?,
    };
    let name = format!("{NAME} {} (cpu)", loaded.version);
    let threads = thread_count(options.threads);
    let session = guard(&name, || {
        commit(&loaded.environment, model.bytes(), threads).map_err(|source| {
            RuntimeError::OpenSession {
                engine: name.clone(),
                source: source.into(),
            }
        })
    })?;
    Ok(Opened::Ready(Box::new(OrtEngine { name, session })))
}

/// Loads the library at `path`, or returns the one that is already loaded from there.
fn load(path: &Path) -> Result<Loaded, RuntimeError> {
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

fn commit(environment: &Environment, bytes: &[u8], threads: usize) -> ::ort::Result<Session> {
    Session::builder(environment)?
        // Everything up to and including level 3; the numeral 3 is not known to every version.
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .commit_from_memory(bytes)
}

impl Engine for OrtEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn run(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RuntimeError> {
        let OrtEngine { name, session } = self;
        guard(name, || {
            compute(session, inputs).map_err(|source| RuntimeError::Run {
                engine: name.clone(),
                source: source.into(),
            })
        })
    }
}

/// A lent tensor in the layout that ONNX Runtime reads; copied only if it is not in it already.
enum Contiguous<'a> {
    F32(CowArray<'a, f32, ndarray::IxDyn>),
    I64(CowArray<'a, i64, ndarray::IxDyn>),
}

fn compute(
    session: &mut Session,
    inputs: &[(&str, TensorView<'_>)],
) -> ::ort::Result<Vec<(String, Tensor)>> {
    let contiguous: Vec<(&str, Contiguous<'_>)> = inputs
        .iter()
        .map(|(name, tensor)| match tensor {
            TensorView::F32(array) => (*name, Contiguous::F32(array.as_standard_layout())),
            TensorView::I64(array) => (*name, Contiguous::I64(array.as_standard_layout())),
        })
        .collect();
    let values: Vec<(&str, SessionInputValue<'_>)> = contiguous
        .iter()
        .map(|(name, tensor)| {
            let value: SessionInputValue<'_> = match tensor {
                Contiguous::F32(array) => TensorRef::from_array_view(array)?.into(),
                Contiguous::I64(array) => TensorRef::from_array_view(array)?.into(),
            };
            Ok((*name, value))
        })
        .collect::<::ort::Result<_>>()?;
    let outputs = session.run(values)?;
    outputs
        .iter()
        .map(|(name, value)| Ok((name.to_owned(), extract(&value)?)))
        .collect()
}

fn extract(value: &ValueRef<'_>) -> ::ort::Result<Tensor> {
    let value: &DynValue = value;
    Ok(match value.dtype().tensor_type() {
        Some(TensorElementType::Int64) => Tensor::I64(value.try_extract_array()?.to_owned()),
        _ => Tensor::F32(value.try_extract_array()?.to_owned()),
    })
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
