//! The contract of an inference engine, and how one is chosen.
//!
//! Each engine lives in one file below `engine/`; [`table`] lists them in the order in which
//! [`EngineKind::Auto`] tries them. A new engine is a new file, a new [`EngineKind`] and one row.

mod choice;
mod gpu;
mod guard;
mod held;
mod lent;
mod memory;
mod ort;
mod probe;
mod providers;
mod sums;
mod table;
mod tract;

use std::{fmt, num::NonZeroUsize, path::PathBuf};

#[cfg(test)]
pub(crate) use self::ort::open_bound;
pub use held::Held;
pub use lent::Lent;
pub(crate) use memory::out_of_memory;
pub use probe::{LibraryProbe, ProviderProbe, probe_library};
pub use providers::CudaOptions;
pub use sums::{Placed, Sums, SumsOf};
pub(crate) use table::one_note;

use crate::{CancelToken, Device, Model, Precision, RuntimeError, Tensor, TensorView};

/// Runs one artefact: named tensors in, named tensors out.
pub trait Engine: Send {
    /// Name, version and device, as in `onnxruntime 1.32.0 (cpu)`.
    fn name(&self) -> &str;

    /// What it computes on; on the processor in f32 unless it says otherwise.
    fn computed_on(&self) -> ComputedOn {
        ComputedOn::default()
    }

    /// Whether it takes as many windows in a run as the artefact does; one at a time if not.
    fn batches(&self) -> bool {
        true
    }

    /// Runs the network once.
    ///
    /// Returns every output of the graph in the graph's order.
    /// Errors: [`RuntimeError::Run`] with the engine's own words, [`RuntimeError::Cancelled`] if
    /// somebody used [`EngineOptions::cancel`] meanwhile and the engine can stop within a run.
    fn run(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RuntimeError>;

    /// Runs the network once and holds every output where it was computed, for
    /// [`Engine::lend`] of an engine on the same device: the features of a large window are
    /// half a gigabyte, which a GPU need not send to the host and back.
    ///
    /// Errors: those of [`Engine::run`].
    fn hold(&mut self, inputs: &[(&str, TensorView<'_>)]) -> Result<Held<'_>, RuntimeError> {
        self.run(inputs).map(Held::on_host)
    }

    /// Runs the network once on `inputs`, and on what another engine `held` if anything, and lends
    /// each output in the graph's order, to be read and written over: without copies, and freed one
    /// by one, where they lie in the host's memory; left where it is, until it is looked at, where
    /// it lies in a GPU's.
    ///
    /// Errors: those of [`Engine::run`]; [`RuntimeError::Run`] if this engine cannot read what lies
    /// on the other one's device; the error of `each`, with which it ends.
    fn lend(
        &mut self,
        held: Option<&Held<'_>>,
        inputs: &[(&str, TensorView<'_>)],
        each: &mut EachOutput<'_>,
    ) -> Result<(), RuntimeError> {
        let outputs = match held {
            Some(held) => self.run(&held.beside(inputs)?)?,
            None => self.run(inputs)?,
        };
        for (name, mut output) in outputs {
            each(&name, output.view_mut().into())?;
        }
        Ok(())
    }

    /// What sums probabilities where this engine computes logits; nothing where the host sums them.
    ///
    /// Errors: [`RuntimeError::OpenSession`] if it cannot be had and was asked for.
    fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        let _ = of;
        Ok(None)
    }
}

/// Takes an output by its name.
pub type EachOutput<'a> = dyn FnMut(&str, Lent<'_>) -> Result<(), RuntimeError> + 'a;

/// What decides the numbers that come out: results made on the same are the same to rounding,
/// whatever the engine's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComputedOn {
    /// The device; never [`Device::Auto`].
    pub device: Device,
    /// The precision; never [`Precision::Auto`].
    pub precision: Precision,
}

impl Default for ComputedOn {
    fn default() -> ComputedOn {
        ComputedOn {
            device: Device::Cpu,
            precision: Precision::F32,
        }
    }
}

impl ComputedOn {
    /// Whether results of the two are interchangeable: one precision, and one kind of device,
    /// whichever of several GPUs it is.
    pub fn is_alike(self, other: ComputedOn) -> bool {
        let kind = |device: Device| device.provider();
        self.precision == other.precision && kind(self.device) == kind(other.device)
    }
}

impl fmt::Display for ComputedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.device, self.precision)
    }
}

/// Which engine to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// The first of the others that is there.
    #[default]
    Auto,
    /// ONNX Runtime, loaded from a shared library.
    Ort,
    /// tract, which is part of this program.
    Tract,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Auto => "auto",
            EngineKind::Ort => "ort",
            EngineKind::Tract => "tract",
        })
    }
}

/// What the user decides about engines.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Which engine.
    pub kind: EngineKind,
    /// Threads for one forward pass; as many as the machine offers if absent.
    pub threads: Option<NonZeroUsize>,
    /// ONNX Runtime's library, before every other place it is looked for.
    pub ort_lib: Option<PathBuf>,
    /// What to compute on. One that is named is used, or it is an error.
    pub device: Device,
    /// In which numbers.
    pub precision: Precision,
    /// How NVIDIA's GPUs are used.
    pub cuda: CudaOptions,
    /// Gives memory back to the system between operations: a lower peak, and a little slower.
    pub lean: bool,
    /// Stops a run: ONNX Runtime's own operations are left between two of them; those that a
    /// provider has joined into one (OpenVINO, TensorRT, a recorded CUDA graph), and tract, end
    /// their window first.
    pub cancel: CancelToken,
}

impl EngineOptions {
    /// The same for what an engine that they opened computes `on`, which is used or it is an error.
    pub(crate) fn bound_to(&self, on: ComputedOn) -> EngineOptions {
        // The processor is what is left when nothing else can be used.
        let named = on.device != Device::Cpu;
        let cuda = match self.cuda.unused_on(on.device).is_empty() {
            true => self.cuda.clone(),
            false => CudaOptions::default(),
        };
        EngineOptions {
            device: on.device,
            precision: if named { on.precision } else { self.precision },
            cuda,
            ..self.clone()
        }
    }
}

/// An engine that is ready to run.
pub struct OpenedEngine {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// One line for the user if the engine is not the preferred one, or not all of it is used.
    pub note: Option<String>,
}

impl fmt::Debug for OpenedEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OpenedEngine { engine, note } = self;
        f.debug_struct("OpenedEngine")
            .field("engine", &engine.name())
            .field("note", note)
            .finish()
    }
}

/// Opens `model` in the engine that `options` ask for.
///
/// [`EngineKind::Auto`] takes the first engine of the table that is available and says in
/// [`OpenedEngine::note`] why it passed over a better one. A library that the user named and that
/// does not load is an error in every case.
///
/// A device or precision that is named is what is used, or this is an error.
///
/// What was asked for of a GPU is used, or this is an error, too; where the device was left open and
/// is none, it is a note.
///
/// Errors: [`RuntimeError::NoEngine`] if the engine is not there,
/// [`RuntimeError::DeviceUnavailable`], [`RuntimeError::OtherDevice`], [`RuntimeError::NoPrecision`],
/// [`RuntimeError::OutOfMemory`], [`RuntimeError::LoadLibrary`],
/// [`RuntimeError::OtherLibraryLoaded`] and [`RuntimeError::OpenSession`].
pub fn open_engine(model: &Model, options: &EngineOptions) -> Result<OpenedEngine, RuntimeError> {
    if options.device != Device::Auto {
        let device = options.device;
        let unused = options.cuda.unused_on(device);
        if !unused.is_empty() {
            return Err(RuntimeError::OtherDevice { device, unused });
        }
    }
    let mut absent = Vec::new();
    for row in table::rows(options.kind) {
        match (row.open)(model, options)? {
            table::Opened::Absent(reason) => absent.push(reason),
            table::Opened::Ready(engine, note) => {
                let slower = (!absent.is_empty()).then(|| {
                    format!(
                        "{}; using {}, which is slower",
                        absent.join("; "),
                        engine.name()
                    )
                });
                let device = engine.computed_on().device;
                let unused = options.cuda.unused_on(device);
                let unused = (!unused.is_empty())
                    .then(|| RuntimeError::OtherDevice { device, unused }.to_string());
                let notes: Vec<String> = slower.into_iter().chain(note).chain(unused).collect();
                let note = (!notes.is_empty()).then(|| notes.join("; "));
                return Ok(OpenedEngine { engine, note });
            }
        }
    }
    Err(RuntimeError::NoEngine {
        kind: options.kind,
        reason: absent.join("; "),
    })
}

/// What [`open_engine`] would compute `model` on, without opening anything: to know what it takes
/// before it is taken. A library that turns out to be unusable may make it another.
///
/// Errors: those of [`open_engine`] that show before a library is loaded.
pub fn planned_engine(model: &Model, options: &EngineOptions) -> Result<ComputedOn, RuntimeError> {
    for row in table::rows(options.kind) {
        if let Some(on) = (row.planned)(model, options)? {
            return Ok(on);
        }
    }
    Ok(ComputedOn::default())
}

#[cfg(test)]
mod tests;
