//! ONNX Runtime, loaded from a shared library when it is first asked for. Only this file and its
//! folder name `ort`.

mod library;

use std::sync::Arc;

use ::ort::{
    ep::{
        self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider,
        ExecutionProviderDispatch,
    },
    session::{
        NoSelectedOutputs, RunOptions, Session, SessionInputValue, SessionOutputs,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
    value::{DynValue, TensorElementType, TensorRef, ValueRef},
};
use ndarray::CowArray;

use super::{
    ComputedOn, Engine, EngineKind, EngineOptions, Outputs,
    choice::Choice,
    guard::guard,
    memory::out_of_memory,
    providers::{self, Options, Provider, Request},
    table::Opened,
};
use library::{Loaded, load};
pub(super) use library::{loaded, version_of};

use crate::{
    CancelToken, Device, LibrarySource, Model, Precision, RuntimeError, Tensor, TensorView,
    cancel::Hook, missing_libraries,
};

/// What messages call this engine before its version is known.
const NAME: &str = "onnxruntime";

/// A session of ONNX Runtime.
struct OrtEngine {
    name: String,
    on: ComputedOn,
    session: Session,
    stop: Stop,
}

/// Ends a run within a window: the library looks at a flag between the operations of a graph.
struct Stop {
    cancel: CancelToken,
    run_options: Arc<RunOptions<NoSelectedOutputs>>,
    /// Kept because the token does not.
    _hook: Hook,
}

impl Stop {
    fn on(cancel: &CancelToken) -> ::ort::Result<Stop> {
        let run_options = Arc::new(RunOptions::new()?);
        let flagged = run_options.clone();
        let hook: Hook = Arc::new(move || {
            // A flag that cannot be set leaves the run to its end; who waits for it knows that.
            let _ = flagged.terminate();
        });
        cancel.on_cancel(&hook);
        Ok(Stop {
            cancel: cancel.clone(),
            run_options,
            _hook: hook,
        })
    }
}

/// Opens `model` if a library is found. One that was named by the user must load, and a device that
/// was named must be there; a library that was merely found may be unusable, which is a reason to go
/// on without it.
pub(super) fn open(model: &Model, options: &EngineOptions) -> Result<Opened, RuntimeError> {
    let choice = Choice::of(model, options);
    let Some(library) = choice.library()? else {
        let remedy = format!(
            "install it with `{}`",
            choice.device.flavour().install_command()
        );
        if !matches!(choice.device, Device::Auto | Device::Cpu) {
            return Err(RuntimeError::DeviceUnavailable {
                device: choice.device,
                reason: format!("no ONNX Runtime that is built for it was found; {remedy}"),
            });
        }
        return Ok(Opened::Absent(format!(
            "ONNX Runtime was not found ({remedy})"
        )));
    };
    let named = matches!(
        library.source(),
        LibrarySource::Flag | LibrarySource::Environment
    );
    let device_named = !matches!(options.device, Device::Auto | Device::Cpu);
    let asked_for = named || device_named || options.kind == EngineKind::Ort;
    let loaded = match load(library.path()) {
        Err(RuntimeError::LoadLibrary { path, source }) if !asked_for => {
            let path = path.display();
            return Ok(Opened::Absent(format!(
                "ONNX Runtime in {path} cannot be used: {source}"
            )));
        }
        loaded => loaded?,
    };
    let device = match choice.device {
        Device::Auto => Device::of_flavour(library.flavour()),
        named => named,
    };
    let opened = choice.open_on(device, &loaded, model, options);
    match opened {
        // Nobody asked for more than the processor.
        Err(error) if choice.device == Device::Auto && device != Device::Cpu => {
            let opened = choice.open_on(Device::Cpu, &loaded, model, options)?;
            Ok(opened.with_note(format!("{device} cannot be used ({error}); using the cpu")))
        }
        opened => opened,
    }
}

impl Choice {
    fn open_on(
        &self,
        device: Device,
        loaded: &Loaded,
        model: &Model,
        options: &EngineOptions,
    ) -> Result<Opened, RuntimeError> {
        let precision = providers::precision(device, self.precision, model.stored_precision())?;
        let request = Request {
            device,
            precision,
            threads: self.threads,
            cuda: &self.cuda,
        };
        let name = match (device, precision) {
            (_, Precision::F32) => format!("{NAME} {} ({device})", loaded.version),
            _ => format!("{NAME} {} ({device}, {precision})", loaded.version),
        };
        let opened = guard(&name, || {
            session(&name, loaded, model.bytes(), &request, options)
        })?;
        Ok(opened.with_notes(self.note.iter().cloned()))
    }
}

impl Opened {
    fn with_note(self, note: String) -> Self {
        self.with_notes([note])
    }

    fn with_notes(self, notes: impl IntoIterator<Item = String>) -> Self {
        match self {
            Opened::Ready(engine, said) => {
                let notes: Vec<String> = said.into_iter().chain(notes).collect();
                Opened::Ready(engine, (!notes.is_empty()).then(|| notes.join("; ")))
            }
            absent => absent,
        }
    }
}

/// Opens a session in which the whole graph is computed by the device's provider; or, if the
/// provider does not take all of it, one with a note that says so.
fn session(
    name: &str,
    loaded: &Loaded,
    bytes: &[u8],
    request: &Request<'_>,
    options: &EngineOptions,
) -> Result<Opened, RuntimeError> {
    available(loaded, request.device)?;
    let opened = |session, note| -> Result<Opened, RuntimeError> {
        let engine = OrtEngine {
            name: name.to_owned(),
            on: ComputedOn {
                device: request.device,
                precision: request.precision,
            },
            session,
            stop: Stop::on(&options.cancel).map_err(|source| open_error(name, source))?,
        };
        Ok(Opened::Ready(Box::new(engine), note))
    };
    let commit = |strict| -> Result<::ort::Result<Session>, RuntimeError> {
        let mut builder = builder(loaded, request, strict, options.lean)
            .map_err(|source| unavailable(loaded, request.device, &source.to_string()))?;
        Ok(builder.commit_from_memory(bytes))
    };
    match commit(true)? {
        Ok(session) => opened(session, None),
        Err(error) if error.to_string().contains(STRICT) => {
            let session = commit(false)?.map_err(|source| open_error(name, source))?;
            let note = format!(
                "{} leaves some operations of this model to the cpu",
                request.device
            );
            opened(session, Some(note))
        }
        Err(error) => Err(open_error(name, error)),
    }
}

/// Part of what ONNX Runtime says if the processor would have to help and may not.
const STRICT: &str = "fallback to CPU EP has been explicitly disabled";

/// Checks that the library was built with the device's provider.
fn available(loaded: &Loaded, device: Device) -> Result<(), RuntimeError> {
    let there = match device {
        Device::Auto | Device::Cpu => Ok(true),
        Device::OpenVino => ep::OpenVINO::is_available(),
        Device::Cuda(_) => ep::CUDA::is_available(),
        Device::TensorRt(_) => ep::TensorRT::is_available(),
    };
    match there {
        Ok(true) => Ok(()),
        Ok(false) => Err(RuntimeError::DeviceUnavailable {
            device,
            reason: format!(
                "ONNX Runtime {} in {} is built without {}; `{}` installs one that has it",
                loaded.version,
                loaded.path.display(),
                device.provider().unwrap_or_default(),
                device.flavour().install_command(),
            ),
        }),
        Err(source) => Err(unavailable(loaded, device, &source.to_string())),
    }
}

/// The provider is built in, but does not load.
fn unavailable(loaded: &Loaded, device: Device, said: &str) -> RuntimeError {
    let missing = loaded
        .provider_library(device)
        .map(|library| missing_libraries(&library))
        .unwrap_or_default();
    let said = said.trim();
    let lost = loaded
        .provider_library(device)
        .filter(|library| cfg!(target_os = "linux") && !library.exists());
    if let Some(library) = lost {
        return RuntimeError::DeviceUnavailable {
            device,
            reason: format!(
                "{} is missing, which belongs to this ONNX Runtime; `{}` installs a complete one; \
                 ONNX Runtime says: {said}",
                library.display(),
                device.flavour().install_command(),
            ),
        };
    }
    let reason = if missing.is_empty() {
        let library = loaded.provider_library(device).unwrap_or_default();
        format!(
            "ONNX Runtime cannot load its provider from {}: {said}; if that file is damaged, or of \
             another version than {}, `{}` installs one that fits",
            library.display(),
            loaded.version,
            device.flavour().install_command(),
        )
    } else {
        format!(
            "{} not on this machine, or not on the loader's path (LD_LIBRARY_PATH): {}; ONNX \
             Runtime says: {said}",
            if missing.len() == 1 {
                "a library is"
            } else {
                "libraries are"
            },
            missing.join(", "),
        )
    };
    RuntimeError::DeviceUnavailable { device, reason }
}

fn open_error(name: &str, source: ::ort::Error) -> RuntimeError {
    let engine = name.to_owned();
    if out_of_memory(&source.to_string()) {
        let source = source.into();
        return RuntimeError::OutOfMemory { engine, source };
    }
    RuntimeError::OpenSession {
        engine,
        source: source.into(),
    }
}

fn run_error(name: &str, source: ::ort::Error) -> RuntimeError {
    let engine = name.to_owned();
    let out_of_memory = out_of_memory(&source.to_string());
    let source = source.into();
    if out_of_memory {
        RuntimeError::OutOfMemory { engine, source }
    } else {
        RuntimeError::Run { engine, source }
    }
}

/// A session's settings. A provider that does not load is an error.
///
/// With `strict`, opening fails if the provider does not take every operation.
fn builder(
    loaded: &Loaded,
    request: &Request<'_>,
    strict: bool,
    lean: bool,
) -> ::ort::Result<SessionBuilder> {
    let providers = providers::providers(request);
    // Where another provider computes, ONNX Runtime's own threads would only wait, and wait busily.
    let threads = if providers.is_empty() {
        request.threads
    } else {
        1
    };
    let builder = Session::builder(&loaded.environment)?
        // Everything up to and including level 3; the numeral 3 is not known to every version.
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?;
    // An arena keeps what it ever had, in powers of two; without one, memory goes back to the
    // system between operations.
    let builder = match lean {
        true => builder
            .with_memory_pattern(false)?
            .with_execution_providers([ep::CPU::default().with_arena_allocator(false).build()])?,
        false => builder,
    };
    if providers.is_empty() {
        return Ok(builder);
    }
    let dispatches: Vec<ExecutionProviderDispatch> = providers.into_iter().map(dispatch).collect();
    let builder = builder.with_execution_providers(dispatches)?;
    Ok(if strict {
        builder.with_disable_cpu_fallback()?
    } else {
        builder
    })
}

fn dispatch(provider: Provider) -> ExecutionProviderDispatch {
    fn configured<P>(options: Options) -> ExecutionProviderDispatch
    where
        P: ArbitrarilyConfigurableExecutionProvider + Default + Into<ExecutionProviderDispatch>,
    {
        let set = |provider: P, (key, value)| provider.with_arbitrary_config(key, value);
        let provider: P = options.into_iter().fold(P::default(), set);
        provider.into().error_on_failure()
    }
    match provider {
        Provider::OpenVino(options) => configured::<ep::OpenVINO>(options),
        Provider::Cuda(options) => configured::<ep::CUDA>(options),
        Provider::TensorRt(options) => configured::<ep::TensorRT>(options),
    }
}

impl Engine for OrtEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn computed_on(&self) -> ComputedOn {
        self.on
    }

    fn run(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RuntimeError> {
        let (name, outputs) = self.outputs(inputs)?;
        guard(name, || {
            outputs
                .iter()
                .map(|(name, value)| Ok((name.to_owned(), owned(&value)?)))
                .collect::<::ort::Result<_>>()
                .map_err(|source| run_error(name, source))
        })
    }

    fn lend(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
        take: &mut Outputs<'_>,
    ) -> Result<(), RuntimeError> {
        let (name, outputs) = self.outputs(inputs)?;
        let views = guard(name, || {
            outputs
                .keys()
                .filter_map(|name| Some((name, outputs.get(name)?)))
                .map(|(name, value)| Ok((name, view(value)?)))
                .collect::<::ort::Result<Vec<_>>>()
                .map_err(|source| run_error(name, source))
        })?;
        take(&views)
    }
}

impl OrtEngine {
    /// Runs the session; returns the engine's name for messages, and the outputs where they lie.
    fn outputs(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<(&str, SessionOutputs<'_>), RuntimeError> {
        let OrtEngine {
            name,
            session,
            stop,
            ..
        } = self;
        let (name, stop) = (&**name, &*stop);
        let outputs = guard(name, move || {
            compute(session, &stop.run_options, inputs).map_err(|source| {
                match stop.cancel.is_cancelled() {
                    true => RuntimeError::Cancelled,
                    false => run_error(name, source),
                }
            })
        })?;
        Ok((name, outputs))
    }
}

/// A lent tensor in the layout that ONNX Runtime reads; copied only if it is not in it already.
enum Contiguous<'a> {
    F32(CowArray<'a, f32, ndarray::IxDyn>),
    I64(CowArray<'a, i64, ndarray::IxDyn>),
}

fn compute<'r>(
    session: &'r mut Session,
    run_options: &'r RunOptions<NoSelectedOutputs>,
    inputs: &[(&str, TensorView<'_>)],
) -> ::ort::Result<SessionOutputs<'r>> {
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
    session.run_with_options(values, run_options)
}

fn owned(value: &ValueRef<'_>) -> ::ort::Result<Tensor> {
    Ok(match view(value)? {
        TensorView::I64(array) => Tensor::I64(array.to_owned()),
        TensorView::F32(array) => Tensor::F32(array.to_owned()),
    })
}

fn view(value: &DynValue) -> ::ort::Result<TensorView<'_>> {
    Ok(match value.dtype().tensor_type() {
        Some(TensorElementType::Int64) => TensorView::I64(value.try_extract_array()?),
        _ => TensorView::F32(value.try_extract_array()?),
    })
}
