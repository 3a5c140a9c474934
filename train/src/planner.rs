//! From datasets and a memory budget to a [`Plan`].
//!
//! | member | what |
//! |---|---|
//! | `layers` | every layer of a network, without building it |
//! | `cost` | parameters, operations and memory, summed over the layers |
//! | `memory` | what a training step keeps in memory, layer by layer |
//! | `topology` | strides and kernels for a patch and a spacing |
//! | `search` | the largest patch and the most features within a budget |
//! | `size` | amounts of memory as people write them |
//!
//! Without a budget the network is the paper's own. With one it is made smaller as nnU-Net's
//! planner does: the patch first, along the axis that covers most of the usual volume, then the
//! features. Stages follow from the patch.

mod cost;
mod layers;
mod memory;
mod search;
mod size;
mod topology;

pub use cost::Cost;
pub use size::{MemorySize, MemorySizeError};

use crate::data::{Fingerprint, ResolvedTask};
use crate::plan::{NetworkConfig, Plan, Variant, paper};
use crate::{TaskPlan, TrainError};

/// What a plan should be like.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOptions {
    /// How the network is told its task.
    pub variant: Variant,
    /// Patches of one training step.
    pub batch_size: usize,
    /// Memory that a training step may take; the paper's network if `None`.
    pub budget: Option<MemorySize>,
    /// Patch in voxels, (z, y, x); found if `None`.
    pub patch_size: Option<[usize; 3]>,
    /// Features of the first stage; found if `None`.
    pub base_num_features: Option<usize>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            variant: Variant::Uniseg,
            batch_size: paper().batch_size,
            budget: None,
            patch_size: None,
            base_num_features: None,
        }
    }
}

/// Plans a network for `tasks`, in the order of their ids.
///
/// `fingerprints` are those of the tasks, by name, as far as they are known: they say how large
/// the usual volume is, and so the proportions of a patch that is found. Strides and kernels are
/// the paper's unless patch or budget are given; then they follow from patch and spacing.
///
/// Errors: [`TrainError::InvalidPlan`]; [`TrainError::BudgetTooSmall`] if no network fits.
pub fn make_plan(
    tasks: &[ResolvedTask],
    fingerprints: &[Fingerprint],
    options: &PlanOptions,
) -> Result<Plan, TrainError> {
    let paper = paper();
    let mut channels: Vec<usize> = tasks.iter().map(|task| task.channels.len()).collect();
    channels.sort_unstable();
    channels.dedup();
    let network = NetworkConfig {
        variant: options.variant,
        base_num_features: options
            .base_num_features
            .unwrap_or(paper.network.base_num_features),
        num_tasks: tasks.len(),
        num_classes: tasks.iter().map(|t| t.labels.len()).max().unwrap_or(0),
        input_channel_variants: channels,
        ..paper.network
    };
    let plan = Plan {
        network: match options.patch_size {
            None => network,
            Some(patch) => topology::shaped(&network, patch, usual_spacing(tasks))?,
        },
        batch_size: options.batch_size,
        tasks: tasks
            .iter()
            .enumerate()
            .map(|(id, task)| task.to_plan(id))
            .collect::<Vec<TaskPlan>>(),
    };
    let plan = plan.complete()?;
    let Some(budget) = options.budget else {
        return Ok(plan);
    };
    let wanted = search::Wanted {
        budget,
        batch_size: options.batch_size,
        patch_is_fixed: options.patch_size.is_some(),
        features_are_fixed: options.base_num_features.is_some(),
        spacing: usual_spacing(tasks),
        usual_size: usual_size(tasks, fingerprints),
    };
    let network = search::fit(&plan.network, &wanted)?;
    Plan { network, ..plan }.complete()
}

/// The median of the tasks' spacings along each axis, (z, y, x) in millimetres.
fn usual_spacing(tasks: &[ResolvedTask]) -> [f64; 3] {
    let medians = medians(tasks.iter().map(|task| task.spacing_zyx_mm).collect());
    medians.unwrap_or([1.0; 3])
}

/// The median over tasks of their usual volume in voxels of their target spacing; the paper's
/// patch where nothing is known.
fn usual_size(tasks: &[ResolvedTask], fingerprints: &[Fingerprint]) -> [f64; 3] {
    let of_task = |task: &ResolvedTask| {
        let known = fingerprints.iter().find(|print| print.task == task.name)?;
        known.median_size_at(task.spacing_zyx_mm)
    };
    let known = medians(tasks.iter().filter_map(of_task).collect());
    known.unwrap_or_else(|| paper().network.patch_size.map(|size| size as f64))
}

/// The upper median along each axis.
fn medians(values: Vec<[f64; 3]>) -> Option<[f64; 3]> {
    let mut out = [0.0; 3];
    for (axis, out) in out.iter_mut().enumerate() {
        let mut along: Vec<f64> = values.iter().map(|value| value[axis]).collect();
        along.sort_unstable_by(f64::total_cmp);
        *out = *along.get(along.len() / 2)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests;
