//! ONNX Runtime, loaded from a shared library when it is first asked for. Only this file and its
//! folder name `ort`.

mod binding;
mod in_file;
mod library;
mod norm;
mod open;
mod stop;
mod sums;
mod values;

use super::{
    ComputedOn, EachOutput, Engine, EngineKind, EngineOptions,
    choice::Choice,
    guard::guard,
    held::Held,
    providers::{self, Request},
    table::{Opened, one_note},
};
pub(super) use binding::DeviceTensor;
use binding::{Bound, Memory};
use in_file::{Closing, KnownFile};
use library::{Loaded, load};
pub(super) use library::{loaded, version_of};
use open::{available, open_error, session};
use stop::Stop;
use sums::SumsBeside;
pub(super) use values::Outputs;
use values::{compute, copies, tensors, view_mut};

use crate::{
    CancelToken, Device, Lent, LibrarySource, Model, Precision, RuntimeError, Sums, SumsOf, Tensor,
    TensorView, library::unusable_ort,
};

/// What messages call this engine before its version is known.
const NAME: &str = "onnxruntime";

/// A session of ONNX Runtime.
struct OrtEngine {
    name: String,
    on: ComputedOn,
    /// Buffers on the device, where that has memory of its own.
    bound: Option<Bound>,
    session: Closing,
    /// Where the session's weights lie, if not with it.
    file: Option<KnownFile>,
    stop: Stop,
    /// Opens sums on the device, where they were asked for.
    sums: Option<SumsBeside>,
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
        let flavour = choice.device.flavour();
        let why_not = unusable_ort(flavour).and_then(|candidate| {
            let path = candidate.library.path().display();
            Some(format!("{path} {}", candidate.why_not()?))
        });
        let remedy = flavour.install_command();
        if !matches!(choice.device, Device::Auto | Device::Cpu) {
            let none = "no ONNX Runtime that is built for it was found";
            return Err(RuntimeError::DeviceUnavailable {
                device: choice.device,
                reason: why_not.unwrap_or(format!("{none}; install it with `{remedy}`")),
            });
        }
        return Ok(Opened::Absent(match why_not {
            Some(why_not) => format!("ONNX Runtime cannot be used: {why_not}"),
            None => format!("ONNX Runtime was not found (install it with `{remedy}`)"),
        }));
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
    let opened = match choice.untuned(&library) {
        Some(note) => opened.map(|opened| opened.with_note(note)),
        None => opened,
    };
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
        available(loaded, device)?;
        let precision = providers::precision(device, self.precision, model.stored_precision())?;
        let cuda = self.cuda_for(device, precision, model);
        let request = Request {
            device,
            precision,
            threads: self.threads,
            cuda: &cuda,
        };
        let name = match (device, precision) {
            (_, Precision::F32) => format!("{NAME} {} ({device})", loaded.version),
            _ => format!("{NAME} {} ({device}, {precision})", loaded.version),
        };
        let opened = guard(&name, || session(&name, loaded, model, &request, options))?;
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
                Opened::Ready(engine, one_note(said.into_iter().chain(notes)))
            }
            absent => absent,
        }
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
            self.lend(None, inputs, &mut |name, mut output| {
                outputs.push((name.to_owned(), output.view()?.to_tensor()));
                Ok(())
            })?;
            return Ok(outputs);
        }
        let OrtEngine {
            name,
            session,
            stop,
            file,
            ..
        } = self;
        let outputs = guard(name, || {
            compute(session, &stop.run_options, &[], inputs)
                .and_then(copies)
                .map_err(|source| stop.error(name, source))
        })?;
        check(file)?;
        Ok(outputs)
    }

    fn hold(&mut self, inputs: &[(&str, TensorView<'_>)]) -> Result<Held<'_>, RuntimeError> {
        let OrtEngine {
            name,
            session,
            stop,
            bound,
            file,
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
        check(file)?;
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
            file,
            ..
        } = self;
        if let Some(bound) = bound {
            guard(name, || {
                let run = bound.run(session, &stop.run_options, values, inputs);
                run.map_err(|source| stop.error(name, source))
            })?;
            for (output, tensor) in bound.outputs(name) {
                each(output, Lent::on_device(tensor))?;
            }
            return Ok(());
        }
        let (engine, stop) = (&**name, &*stop);
        let outputs = guard(engine, || {
            compute(session, &stop.run_options, values, inputs)
                .and_then(tensors)
                .map_err(|source| stop.error(engine, source))
        })?;
        check(file)?;
        for (name, mut output) in outputs {
            each(name, view_mut(engine, &mut output)?.into())?;
        }
        Ok(())
    }

    fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        let Some(beside) = &self.sums else {
            return Ok(None);
        };
        let sums = guard(&self.name, || {
            let opened = beside.open(&self.name, of);
            opened.map_err(|source| open_error(&self.name, source))
        })?;
        Ok(Some(sums))
    }
}

/// Whether what was just computed was computed with the weights that were checked.
fn check(file: &Option<KnownFile>) -> Result<(), RuntimeError> {
    file.as_ref().map_or(Ok(()), KnownFile::check)
}

impl OrtEngine {
    fn new(
        name: &str,
        request: &Request<'_>,
        session: Closing,
        memory: Option<Memory>,
        loaded: &Loaded,
        cancel: &CancelToken,
    ) -> ::ort::Result<OrtEngine> {
        let beside = || SumsBeside {
            loaded: loaded.clone(),
            device: request.device,
            threads: request.threads,
        };
        Ok(OrtEngine {
            sums: (memory.is_some() && request.cuda.device_sums).then(beside),
            name: name.to_owned(),
            on: ComputedOn {
                device: request.device,
                precision: request.precision,
            },
            bound: memory.map(|memory| Bound::new(memory, request.graph())),
            file: session.file().cloned(),
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
    };
    let session = open::builder(&loaded, &request, false, options.lean)
        .unwrap()
        .commit_from_memory(model.bytes())
        .unwrap();
    let memory = Some(Memory::of_the_host());
    OrtEngine::new(
        "bound",
        &request,
        session.into(),
        memory,
        &loaded,
        &options.cancel,
    )
    .unwrap()
}

/// The same for tests outside.
#[cfg(test)]
pub(crate) fn open_bound(model: &Model, options: &EngineOptions) -> Box<dyn Engine> {
    Box::new(bound_engine(model, options))
}

#[cfg(test)]
mod gpu_tests;
