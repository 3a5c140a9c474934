//! ONNX Runtime, loaded from a shared library when it is first asked for. Only this file and its
//! folder name `ort`.

mod binding;
mod library;
mod norm;
mod stop;
mod values;

use std::{borrow::Cow, sync::Arc};

use ::ort::{
    ep::{
        self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider,
        ExecutionProviderDispatch,
    },
    operator::OperatorDomain,
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};

use super::{
    ComputedOn, EachOutput, Engine, EngineKind, EngineOptions,
    choice::Choice,
    gpu::Gpu,
    guard::guard,
    held::Held,
    memory::out_of_memory,
    providers::{self, Options, Provider, Request},
    table::Opened,
};
use binding::{Bound, Memory};
use library::{Loaded, load};
pub(super) use library::{loaded, version_of};
use stop::Stop;
use uniseg_onnx::Bytes;
pub(super) use values::Outputs;
use values::{compute, copies, tensors, view_mut};

use crate::{
    CancelToken, Device, LibrarySource, Model, Precision, RuntimeError, Tensor, TensorView,
    missing_libraries,
};

/// What messages call this engine before its version is known.
const NAME: &str = "onnxruntime";

/// A session of ONNX Runtime.
struct OrtEngine {
    name: String,
    on: ComputedOn,
    /// Buffers on the device, where that has memory of its own.
    bound: Option<Bound>,
    session: Session,
    stop: Stop,
}

/// What [`open`] would compute on; nothing if no library is found.
pub(super) fn planned(
    model: &Model,
    options: &EngineOptions,
) -> Result<Option<ComputedOn>, RuntimeError> {
    let choice = Choice::of(model, options);
    let Some(library) = choice.library()? else {
        return Ok(None);
    };
    let device = choice.device_in(&library);
    let precision = providers::precision(device, choice.precision, model.stored_precision())?;
    Ok(Some(ComputedOn { device, precision }))
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
    let device = choice.device_in(&library);
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
            channels_last: false,
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
    let plain = Graph {
        bytes: Cow::Borrowed(bytes),
        operations: None,
    };
    let Some(fused) = Graph::fused(bytes, request) else {
        return plain.open(name, loaded, request, options);
    };
    let with_channels = Request {
        channels_last: request.wants_channels_last(),
        ..*request
    };
    match fused.open(name, loaded, &with_channels, options) {
        Err(error) if !error.is_out_of_memory() => {
            let note = format!(
                "normalisation is left to ONNX Runtime, which is slower: {}",
                error.with_causes()
            );
            let opened = plain.open(name, loaded, request, options)?;
            Ok(opened.with_note(note))
        }
        opened => opened,
    }
}

/// A graph as a session is opened with.
struct Graph<'a> {
    bytes: Cow<'a, [u8]>,
    /// Operations of ours that it uses.
    operations: Option<Arc<OperatorDomain>>,
}

impl Graph<'_> {
    /// The graph with operations of ours, where there are some for the device and a place for them.
    ///
    /// Whatever stands in the way ends in the plain graph: it is slower, and does the same.
    fn fused(bytes: &[u8], request: &Request<'_>) -> Option<Graph<'static>> {
        let Device::Cuda(index) = request.device else {
            return None;
        };
        let model = uniseg_onnx::decode(Bytes::copy_from_slice(bytes)).ok()?;
        let model = norm::rewritten(&model, request.wants_channels_last())?;
        let operations = norm::domain(&Gpu::open(index).ok()?).ok()?;
        Some(Graph {
            bytes: Cow::Owned(uniseg_onnx::encode(&model).into()),
            operations: Some(Arc::new(operations)),
        })
    }

    fn open(
        &self,
        name: &str,
        loaded: &Loaded,
        request: &Request<'_>,
        options: &EngineOptions,
    ) -> Result<Opened, RuntimeError> {
        let opened = |session, note| -> Result<Opened, RuntimeError> {
            let engine = Memory::of(&session, request.device)
                .and_then(|memory| OrtEngine::new(name, request, session, memory, &options.cancel))
                .map_err(|source| open_error(name, source))?;
            Ok(Opened::Ready(Box::new(engine), note))
        };
        let commit = |strict| -> Result<::ort::Result<Session>, RuntimeError> {
            let mut builder = builder(loaded, request, strict, options.lean)
                .and_then(|builder| match &self.operations {
                    Some(operations) => Ok(builder.with_operators(operations.clone())?),
                    None => Ok(builder),
                })
                .map_err(|source| unavailable(loaded, request.device, &source.to_string()))?;
            Ok(builder.commit_from_memory(&self.bytes))
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
    // system between operations. OpenVINO has its own for what happens inside a graph, so that an
    // arena would hold inputs and outputs only, which are large and few.
    let builder = match lean || request.device == Device::OpenVino {
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
        if self.bound.is_some() {
            let mut outputs = Vec::new();
            self.lend(None, inputs, &mut |name, output| {
                outputs.push((name.to_owned(), output.to_tensor()));
                Ok(())
            })?;
            return Ok(outputs);
        }
        let OrtEngine {
            name,
            session,
            stop,
            ..
        } = self;
        guard(name, || {
            compute(session, &stop.run_options, &[], inputs)
                .and_then(copies)
                .map_err(|source| stop.error(name, source))
        })
    }

    fn hold(&mut self, inputs: &[(&str, TensorView<'_>)]) -> Result<Held<'_>, RuntimeError> {
        let OrtEngine {
            name,
            session,
            stop,
            bound,
            ..
        } = self;
        let (engine, stop) = (&**name, &*stop);
        let values = guard(engine, || {
            let outputs = match bound {
                Some(bound) => bound.keep(session, &stop.run_options, inputs),
                None => compute(session, &stop.run_options, &[], inputs),
            };
            outputs
                .and_then(tensors)
                .map_err(|source| stop.error(engine, source))
        })?;
        Ok(Held::by_ort(Outputs { engine, values }))
    }

    fn lend(
        &mut self,
        held: Option<&Held<'_>>,
        inputs: &[(&str, TensorView<'_>)],
        each: &mut EachOutput<'_>,
    ) -> Result<(), RuntimeError> {
        let values = match held {
            None => &[],
            Some(held) => match held.of_ort() {
                Some(outputs) => outputs.values.as_slice(),
                None => return self.lend(None, &held.beside(inputs)?, each),
            },
        };
        let OrtEngine {
            name,
            session,
            stop,
            bound,
            ..
        } = self;
        if let Some(bound) = bound {
            let done = guard(name, || {
                bound.lend(session, &stop.run_options, values, inputs, each)
            })?;
            return done.map_err(|source| stop.error(name, source));
        }
        let (engine, stop) = (&**name, &*stop);
        let outputs = guard(engine, || {
            compute(session, &stop.run_options, values, inputs)
                .and_then(tensors)
                .map_err(|source| stop.error(engine, source))
        })?;
        for (name, mut output) in outputs {
            each(name, view_mut(engine, &mut output)?)?;
        }
        Ok(())
    }
}

impl OrtEngine {
    fn new(
        name: &str,
        request: &Request<'_>,
        session: Session,
        memory: Option<Memory>,
        cancel: &CancelToken,
    ) -> ::ort::Result<OrtEngine> {
        Ok(OrtEngine {
            name: name.to_owned(),
            on: ComputedOn {
                device: request.device,
                precision: request.precision,
            },
            bound: memory.map(|memory| Bound::new(memory, request.graph())),
            session,
            stop: Stop::on(cancel)?,
        })
    }
}

/// An engine on the processor that runs as one on a GPU does: bound to buffers, here of the host.
#[cfg(test)]
fn bound_engine(model: &Model, options: &EngineOptions) -> OrtEngine {
    let library = crate::find_ort(None)
        .expect("looking for ONNX Runtime works")
        .expect("ONNX Runtime was not found: run `uniseg runtime install`");
    let loaded = load(library.path()).unwrap();
    let request = Request {
        device: Device::Cpu,
        precision: Precision::F32,
        threads: crate::thread_count(options.threads),
        cuda: &options.cuda,
        channels_last: false,
    };
    let session = builder(&loaded, &request, false, options.lean)
        .unwrap()
        .commit_from_memory(model.bytes())
        .unwrap();
    let memory = Some(Memory::of_the_host());
    OrtEngine::new("bound", &request, session, memory, &options.cancel).unwrap()
}

/// The same for tests outside.
#[cfg(test)]
pub(crate) fn open_bound(model: &Model, options: &EngineOptions) -> Box<dyn Engine> {
    Box::new(bound_engine(model, options))
}

#[cfg(test)]
mod gpu_tests;
