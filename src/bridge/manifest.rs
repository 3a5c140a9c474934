//! A training plan as a manifest.

use uniseg_imaging as imaging;
use uniseg_onnx::{
    Channel, Inference, Manifest, Network, Normalization, Part, Provenance, SCHEMA_VERSION, Task,
    ZScoreScope,
};
use uniseg_train::{Checkpoint, TaskPlan};

use super::BridgeError;
use super::request::Chosen;

pub(super) fn manifest(
    checkpoint: &Checkpoint,
    chosen: &Chosen,
    part: Part,
) -> Result<Manifest, BridgeError> {
    let plan = &checkpoint.plan;
    let all = chosen.tasks.len() == plan.tasks.len();
    let tasks = chosen
        .tasks
        .iter()
        .enumerate()
        // A network for some of the tasks counts them anew.
        .map(|(id, plan)| task(if all { plan.id } else { id }, plan, checkpoint, chosen))
        .collect::<Result<_, _>>()?;
    let source = checkpoint.source.as_ref();
    Ok(Manifest {
        schema_version: SCHEMA_VERSION,
        network: Network {
            name: plan.network.variant.title().into(),
            patch_zyx: plan.network.patch_size,
            slots: chosen.slots,
            classes: checkpoint.plan.network.num_classes,
            parameters: super::parameters(checkpoint),
            precision: uniseg_export::Precision::F32.name().to_owned(),
            part,
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

fn task(
    id: usize,
    plan: &TaskPlan,
    checkpoint: &Checkpoint,
    chosen: &Chosen,
) -> Result<Task, BridgeError> {
    let variants = &checkpoint.plan.network.input_channel_variants;
    let slots = chosen
        .slots_for(plan.channels.len(), variants)
        .ok_or_else(|| BridgeError::NoStem {
            task: plan.name.clone(),
            channels: plan.channels.len(),
        })?;
    let channels = plan.channels.iter().zip(&plan.normalization).zip(slots);
    Ok(Task {
        id: id as u32,
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
