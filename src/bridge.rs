//! Checkpoint -> artefact: the one place where training meets the contract.

use uniseg_export::{Calibrator, ExportError, Exporter, PassReport, Precision};
use uniseg_imaging as imaging;
use uniseg_onnx::{
    Artefact, Channel, IMAGE, Inference, LOGITS, Manifest, Network, Normalization, OnnxError,
    Provenance, SCHEMA_VERSION, TASK, Task, ZScoreScope,
};
use uniseg_train::{Checkpoint, Deploy, TaskPlan};

use burn::module::Module;

/// Why a checkpoint could not become an artefact.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The network could not be compiled.
    #[error("cannot compile the network to ONNX")]
    Export(#[from] ExportError),
    /// The compiled network and its manifest do not make an artefact.
    #[error("cannot make an artefact of the compiled network")]
    Artefact(#[from] OnnxError),
    /// A task's channels have no stem; a checked plan has none such.
    #[error("task '{task}' has {channels} channels, for which the network has no stem")]
    NoStem {
        /// Name of the task.
        task: String,
        /// Its channel count.
        channels: usize,
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
}

/// Compiles a checkpoint's network and describes it in a manifest.
///
/// The same checkpoint always gives the same bytes.
pub fn compile(checkpoint: &Checkpoint) -> Result<Compiled, BridgeError> {
    compile_as(checkpoint, Precision::F32, None)
}

/// [`compile`] to another precision; int8 needs a calibrator.
pub fn compile_as(
    checkpoint: &Checkpoint,
    precision: Precision,
    calibrator: Option<&mut dyn Calibrator>,
) -> Result<Compiled, BridgeError> {
    let plan = &checkpoint.plan.network;
    let [depth, height, width] = plan.patch_size;
    let deploy = Deploy::new(checkpoint.network.clone());
    let exported = Exporter::new()
        .float_input(IMAGE, &[1, plan.stem_slots(), depth, height, width])
        .int_input(TASK, &[1])
        .export(|tracer| {
            let deploy = tracer.load(&deploy);
            let image = tracer.float::<5>(IMAGE)?;
            // An input of every artefact. The baseline reads it from here and then has no use for
            // it, which ONNX allows: one contract for all variants, and no arithmetic for show.
            let task = tracer.int::<1>(TASK)?;
            tracer.output(LOGITS, deploy.forward(image, task))
        })?;
    let recorded_operations = exported.recorded_operations();
    let passes = exported.passes().to_vec();
    let exported = exported.with_precision(precision, calibrator)?;
    let mut manifest = manifest(checkpoint)?;
    manifest.network.precision = precision.name().to_owned();
    let artefact = Artefact::new(exported.into_model("uniseg"), manifest)?;
    Ok(Compiled {
        artefact,
        recorded_operations,
        passes,
    })
}

/// [`compile`] without the account of it.
pub fn artefact(checkpoint: &Checkpoint) -> Result<Artefact, BridgeError> {
    Ok(compile(checkpoint)?.artefact)
}

fn manifest(checkpoint: &Checkpoint) -> Result<Manifest, BridgeError> {
    let plan = &checkpoint.plan;
    let tasks = plan
        .tasks
        .iter()
        .map(|plan| task(plan, checkpoint))
        .collect::<Result<_, _>>()?;
    let source = checkpoint.source.as_ref();
    Ok(Manifest {
        schema_version: SCHEMA_VERSION,
        network: Network {
            name: plan.network.variant.title().into(),
            patch_zyx: plan.network.patch_size,
            slots: plan.network.stem_slots(),
            classes: plan.network.num_classes,
            parameters: checkpoint.network.num_params() as u64,
            precision: Precision::F32.name().to_owned(),
        },
        tasks,
        inference: Inference::default(),
        provenance: Provenance {
            producer: format!("uniseg {}", env!("CARGO_PKG_VERSION")),
            source: source.map(|source| source.file.clone()),
            source_sha256: source.map(|source| source.sha256.clone()),
            ..Default::default()
        },
        // Filled in with the model's weights at hand.
        weights_sha256: String::new(),
    })
}

fn task(plan: &TaskPlan, checkpoint: &Checkpoint) -> Result<Task, BridgeError> {
    let slots = checkpoint
        .plan
        .network
        .slots_for(plan.channels.len())
        .ok_or_else(|| BridgeError::NoStem {
            task: plan.name.clone(),
            channels: plan.channels.len(),
        })?;
    let channels = plan.channels.iter().zip(&plan.normalization).zip(slots);
    Ok(Task {
        id: plan.id as u32,
        name: plan.name.clone(),
        aliases: plan.aliases.clone(),
        labels: plan.labels.clone(),
        channels: channels
            .map(|((modality, rule), slot)| Channel {
                modality: modality.clone(),
                slot,
                normalization: normalization(rule),
            })
            .collect(),
        spacing_zyx_mm: plan.spacing_zyx_mm,
    })
}

fn normalization(rule: &imaging::Normalization) -> Normalization {
    match *rule {
        imaging::Normalization::None => Normalization::None,
        imaging::Normalization::ClipRescale { lower, upper } => {
            Normalization::ClipRescale { lower, upper }
        }
        imaging::Normalization::ZScore { scope } => Normalization::ZScore {
            scope: match scope {
                imaging::ZScoreScope::WholeImage => ZScoreScope::Image,
                imaging::ZScoreScope::NonZero => ZScoreScope::Nonzero,
            },
        },
    }
}
