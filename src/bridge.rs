//! Checkpoint -> artefact: the one place where training meets the contract.

mod manifest;
mod request;

use burn::module::Module;
use burn::prelude::*;
use uniseg_export::{
    Calibrator, Cost, ExportError, Exported, Exporter, PassReport, Precision, Split,
};
use uniseg_onnx::{Artefact, IMAGE, LOGITS, OnnxError, Part, TASK};
use uniseg_train::{Checkpoint, Deploy};

pub use request::{Batch, Request};

/// Why a checkpoint could not become an artefact.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The network could not be compiled.
    #[error("cannot compile the network to ONNX")]
    Export(#[from] ExportError),
    /// The compiled network and its manifest do not make an artefact.
    #[error("cannot make an artefact of the compiled network")]
    Artefact(#[from] OnnxError),
    /// Winograd's convolutions were asked for in numbers that they would round too much.
    #[error(
        "Winograd's convolutions are for f32, and {precision} was asked for: leave out one of the two"
    )]
    WinogradRounds {
        /// What was asked for.
        precision: Precision,
    },
    /// A task's channels have no stem; a checked plan has none such.
    #[error("task '{task}' has {channels} channels, for which the network has no stem")]
    NoStem {
        /// Name of the task.
        task: String,
        /// Its channel count.
        channels: usize,
    },
    /// A task was asked for that the network does not have.
    #[error(transparent)]
    UnknownTask(OnnxError),
    /// A modality was asked for that no task has.
    #[error("no task that was asked for takes images of {asked} alone; the network takes {}", known.join(", "))]
    UnknownModality {
        /// What was asked for.
        asked: String,
        /// The modalities of all tasks.
        known: Vec<String>,
    },
}

/// An artefact and how the compiler came to it.
pub struct Compiled {
    /// The artefact.
    pub artefact: Artefact,
    /// Operations that burn recorded.
    pub recorded_operations: usize,
    /// What each pass changed.
    pub passes: Vec<PassReport>,
    /// What the graph cost as it was recorded, and what it costs now.
    pub costs: [Cost; 2],
}

/// A network in two files.
pub struct Pair {
    /// Image -> features, the same for all tasks.
    pub encoder: Compiled,
    /// Features and task -> logits.
    pub decoder: Compiled,
}

/// Compiles a checkpoint's whole network, for all its tasks, and describes it in a manifest.
///
/// The same checkpoint always gives the same bytes.
pub fn compile(checkpoint: &Checkpoint) -> Result<Compiled, BridgeError> {
    compile_for(checkpoint, &Request::default())
}

/// [`compile`] without the account of it.
pub fn artefact(checkpoint: &Checkpoint) -> Result<Artefact, BridgeError> {
    Ok(compile(checkpoint)?.artefact)
}

/// Compiles what `request` asks for: some of the tasks, without what only the others need.
///
/// Errors: also [`ExportError::NoCalibrator`] for int8, see [`compile_calibrated`].
pub fn compile_for(checkpoint: &Checkpoint, request: &Request) -> Result<Compiled, BridgeError> {
    compile_calibrated(checkpoint, request, None)
}

/// [`compile_for`] with a way to measure activations, which int8 needs.
pub fn compile_calibrated(
    checkpoint: &Checkpoint,
    request: &Request,
    calibrator: Option<&mut dyn Calibrator>,
) -> Result<Compiled, BridgeError> {
    let chosen = request.choose(checkpoint)?;
    let mut exported = export(checkpoint, &chosen, request)?;
    if request.divides() {
        // Several tasks on one window share what does not depend on the task.
        exported = exported.divide_at(TASK)?;
    }
    let exported = in_numbers(exported, request, calibrator)?;
    join(
        exported,
        Part::Whole,
        request.precision,
        checkpoint,
        &chosen,
    )
}

/// Compiles what `request` asks for as a pair: what does not depend on the task, and the rest.
///
/// Errors: also [`ExportError::NothingToSplit`] for a network without a prompt, or for one task,
/// on which then nothing depends; [`ExportError::NoCalibrator`] for int8, see
/// [`compile_calibrated_pair`].
pub fn compile_pair(checkpoint: &Checkpoint, request: &Request) -> Result<Pair, BridgeError> {
    compile_calibrated_pair(checkpoint, request, [None, None])
}

/// [`compile_pair`] with ways to measure the activations of encoder and decoder, which int8 needs.
pub fn compile_calibrated_pair(
    checkpoint: &Checkpoint,
    request: &Request,
    calibrators: [Option<&mut dyn Calibrator>; 2],
) -> Result<Pair, BridgeError> {
    let [of_encoder, of_decoder] = calibrators;
    let chosen = request.choose(checkpoint)?;
    let Split {
        encoder,
        decoder,
        features,
    } = export(checkpoint, &chosen, request)?.split(TASK)?;
    let handover = request.features;
    let features: Vec<_> = features
        .into_iter()
        .map(|feature| uniseg_onnx::Feature {
            name: feature.name,
            // The batch is the contract's, not the feature's.
            shape: handover.shape(&feature.shape).split_off(1),
            precision: handover.dtype.name().to_owned(),
        })
        .collect();
    let part = Part::Encoder {
        features: features.clone(),
    };
    let precision = request.precision;
    let encoder = in_numbers(encoder, request, of_encoder)?.outputs_as(handover)?;
    let encoder = join(encoder, part, precision, checkpoint, &chosen)?;
    let names: Vec<String> = features
        .iter()
        .map(|feature| feature.name.clone())
        .collect();
    let part = Part::Decoder {
        features,
        encoder_sha256: encoder.artefact.manifest().weights_sha256.clone(),
    };
    let decoder = in_numbers(decoder, request, of_decoder)?.inputs_as(&names, handover)?;
    let decoder = join(decoder, part, precision, checkpoint, &chosen)?;
    Ok(Pair { encoder, decoder })
}

fn export(
    checkpoint: &Checkpoint,
    chosen: &request::Chosen,
    request: &Request,
) -> Result<Exported, ExportError> {
    let plan = &checkpoint.plan.network;
    let [depth, height, width] = plan.patch_size;
    let deploy = Deploy::with_stems(checkpoint.network.clone(), &chosen.stems);
    let ids: Vec<i64> = chosen.tasks.iter().map(|task| task.id as i64).collect();
    let all = ids.len() == plan.num_tasks;
    let exporter = Exporter::new().opset(request.opset);
    let exporter = match request.batch {
        Batch::One => exporter.float_input(IMAGE, &[1, chosen.slots, depth, height, width]),
        Batch::Open => exporter
            .float_input(IMAGE, &[2, chosen.slots, depth, height, width])
            .symbolic(IMAGE, 0, "batch", 3),
    };
    let exported = exporter.int_input(TASK, &[1]).export(|tracer| {
        let deploy = tracer.load(&deploy);
        let image = tracer.float::<5>(IMAGE)?;
        // An input of every artefact. The baseline reads it from here and then has no use for
        // it, which ONNX allows: one contract for all variants, and no arithmetic for show.
        let task = tracer.int::<1>(TASK)?;
        let known = Tensor::<1, Int>::from_data(
            burn::tensor::TensorData::from(ids.as_slice()),
            (&image.device(), burn::tensor::DType::I64),
        );
        // The artefact counts its own tasks from 0; one alone is known.
        let task = match ids.len() {
            _ if all => task,
            1 => known,
            _ => known.select(0, task),
        };
        // All classes, whatever the tasks: the official soft-max runs over those that a task does not
        // have too, and without them overlapping windows would weigh differently.
        tracer.output(LOGITS, deploy.forward(image, task))
    })?;
    let exported = match request.merge_upsampling {
        true => exported.merge_upsampling()?,
        false => exported,
    };
    match request.divides() {
        true => exported.lean(),
        false => Ok(exported),
    }
}

/// The last of compiling: which numbers it computes in, and with how many products, which comes
/// behind everything that divides convolutions.
fn in_numbers(
    exported: Exported,
    request: &Request,
    calibrator: Option<&mut dyn Calibrator>,
) -> Result<Exported, BridgeError> {
    let exported = exported.with_precision(request.precision, calibrator)?;
    Ok(match (request.winograd, request.precision) {
        (false, _) => exported,
        (true, Precision::F32) => exported.winograd()?,
        (true, precision) => return Err(BridgeError::WinogradRounds { precision }),
    })
}

fn join(
    exported: Exported,
    part: Part,
    precision: Precision,
    checkpoint: &Checkpoint,
    chosen: &request::Chosen,
) -> Result<Compiled, BridgeError> {
    let recorded_operations = exported.recorded_operations();
    let passes = exported.passes().to_vec();
    let costs = exported.costs();
    let mut manifest = manifest::manifest(checkpoint, chosen, part)?;
    manifest.network.precision = precision.name().to_owned();
    let artefact = Artefact::new(exported.into_model("uniseg"), manifest)?;
    Ok(Compiled {
        artefact,
        recorded_operations,
        passes,
        costs,
    })
}

/// Parameters of the network as it was trained, heads of the deep supervision included.
fn parameters(checkpoint: &Checkpoint) -> u64 {
    checkpoint.network.num_params() as u64
}
