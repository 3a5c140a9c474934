//! How a session is opened: with which graph, which providers and which settings.

use ::ort::{
    ep::{
        self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider,
        ExecutionProviderDispatch,
    },
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};
use uniseg_onnx::Bytes;

use super::{
    OrtEngine,
    binding::Memory,
    in_file::{Closing, InFile},
    library::Loaded,
    norm,
};
use crate::{
    Device, Model, RuntimeError,
    engine::{
        CudaOptions, EngineOptions,
        gpu::Gpu,
        memory::out_of_memory,
        providers::{self, Options, Provider, Request},
        table::Opened,
    },
    library::damage_around,
    missing_libraries,
};

/// Opens a session in which the whole graph is computed by the device's provider; or, if the
/// provider does not take all of it, one with a note that says so.
pub(super) fn session(
    name: &str,
    loaded: &Loaded,
    model: &Model,
    request: &Request<'_>,
    options: &EngineOptions,
) -> Result<Opened, RuntimeError> {
    let bytes = model.shared_bytes();
    let plain = Graph {
        bytes: bytes.clone(),
        own_norm: None,
        in_file: None,
    };
    let file = model.weights_file();
    let in_file = file
        .filter(|_| request.device == Device::OpenVino)
        .and_then(|file| InFile::of(&bytes, file));
    if in_file.is_some() {
        let graph = Graph { in_file, ..plain };
        return match graph.open(name, loaded, request, options) {
            // What is wrong with the graph is found again.
            Err(error) if !error.is_out_of_memory() => {
                let in_file = None;
                Graph { in_file, ..graph }.open(name, loaded, request, options)
            }
            opened => opened,
        };
    }
    let index = match request.device {
        Device::Cuda(index) if request.own_norm() => index,
        _ => return plain.open(name, loaded, request, options),
    };
    let ours = Graph::with_own_norm(bytes, index, request.channels_last());
    let why_not = match ours.map(|ours| ours.open(name, loaded, request, options)) {
        Ok(Err(error)) if !error.is_out_of_memory() => error.with_causes(),
        Ok(opened) => return opened,
        Err(why_not) => why_not,
    };
    let reason = format!("normalisation of our own cannot be used: {why_not}");
    if options.cuda.own_norm == Some(true) {
        let device = request.device;
        return Err(RuntimeError::DeviceUnavailable { device, reason });
    }
    // It was only remembered.
    let without = CudaOptions {
        own_norm: Some(false),
        ..request.cuda.clone()
    };
    let request = Request {
        cuda: &without,
        ..*request
    };
    let opened = plain.open(name, loaded, &request, options)?;
    Ok(opened.with_note(reason))
}

/// A graph as a session is opened with.
struct Graph {
    bytes: Bytes,
    /// Where our own normalisation runs, if it uses that.
    own_norm: Option<Gpu>,
    /// The same graph with weights left in a file.
    in_file: Option<InFile>,
}

impl Graph {
    /// The graph with our own normalisation on the GPU of this index.
    ///
    /// Errors: why there is none. What it would do is done by the plain graph, too, only slower.
    fn with_own_norm(bytes: Bytes, index: u32, channels_last: bool) -> Result<Graph, String> {
        let model = uniseg_onnx::decode(bytes).map_err(|error| error.to_string())?;
        let model = norm::rewritten(model, channels_last)
            .ok_or("the graph has no instance normalisation with fixed weights")?;
        let gpu = Gpu::open(index)?;
        Ok(Graph {
            bytes: uniseg_onnx::encode(&model),
            own_norm: Some(gpu),
            in_file: None,
        })
    }

    fn open(
        &self,
        name: &str,
        loaded: &Loaded,
        request: &Request<'_>,
        options: &EngineOptions,
    ) -> Result<Opened, RuntimeError> {
        let opened = |session: Closing, note| -> Result<Opened, RuntimeError> {
            let engine = Memory::of(&session, request.device)
                .and_then(|memory| {
                    OrtEngine::new(name, request, session, memory, loaded, &options.cancel)
                })
                .map_err(|source| open_error(name, source))?;
            Ok(Opened::Ready(Box::new(engine), note))
        };
        let commit = |strict| -> Result<::ort::Result<Closing>, RuntimeError> {
            let mut builder = builder(loaded, request, strict, options.lean)
                .and_then(|builder| match &self.own_norm {
                    Some(gpu) => Ok(builder.with_operators(norm::domain(gpu)?)?),
                    None => Ok(builder),
                })
                .map_err(|source| unavailable(loaded, request.device, &source.to_string()))?;
            Ok(match &self.in_file {
                Some(in_file) => in_file.commit(builder),
                None => builder.commit_from_memory(&self.bytes).map(Closing::from),
            })
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

/// Checks that the library was built with the device's provider, and that nothing of that is cut
/// short, which would end the process when it is loaded.
pub(super) fn available(loaded: &Loaded, device: Device) -> Result<(), RuntimeError> {
    let there = match device {
        Device::Auto | Device::Cpu => Ok(true),
        Device::OpenVino => ep::OpenVINO::is_available(),
        Device::Cuda(_) => ep::CUDA::is_available(),
        Device::TensorRt(_) => ep::TensorRT::is_available(),
    };
    match there {
        Ok(true) => match loaded.damaged_part(device) {
            None => Ok(()),
            Some((path, problem)) => Err(RuntimeError::DeviceUnavailable {
                device,
                reason: format!(
                    "{} {problem}; `{}` installs one that fits",
                    path.display(),
                    device.flavour().install_command(),
                ),
            }),
        },
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
    // It takes a second, and names the library that is to blame.
    let damage = match missing.is_empty() {
        true => damage_around(&loaded.path),
        false => None,
    };
    if let Some(damage) = damage {
        let folder = loaded.path.parent().unwrap_or(&loaded.path);
        return RuntimeError::DeviceUnavailable {
            device,
            reason: format!(
                "{} is incomplete: {damage}; `{}` installs it anew; ONNX Runtime says: {said}",
                folder.display(),
                device.flavour().install_command(),
            ),
        };
    }
    let reason = if missing.is_empty() {
        let library = loaded.provider_library(device).unwrap_or_default();
        format!(
            "ONNX Runtime cannot load its provider from {}: {said}; if that file or one that it \
             needs is damaged, or of another version than {}, `{}` installs one that fits",
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

pub(super) fn open_error(name: &str, source: ::ort::Error) -> RuntimeError {
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
pub(super) fn builder(
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
