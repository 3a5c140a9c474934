//! The largest network within a budget.

use super::layers::product;
use super::topology::{next_smaller, round_up, shaped};
use super::{Cost, MemorySize};
use crate::TrainError;
use crate::plan::{NetworkConfig, paper};

/// Features of the first stage that are tried, the paper's first.
const FEATURES: [usize; 7] = [32, 24, 16, 12, 8, 6, 4];

/// Fewer voxels than 32 x 64 x 64 show too little of a body: fewer features are better then.
const FEWEST_VOXELS: f64 = 131_072.0;

/// What the network has to satisfy.
pub(super) struct Wanted {
    pub budget: MemorySize,
    pub batch_size: usize,
    /// The network's patch is the one to have.
    pub patch_is_fixed: bool,
    /// The network's first features are those to have.
    pub features_are_fixed: bool,
    /// Spacing of the patch, (z, y, x) in millimetres.
    pub spacing: [f64; 3],
    /// Voxels of the usual volume, (z, y, x).
    pub usual_size: [f64; 3],
}

/// `network`, made smaller until a training step fits the budget.
///
/// As nnU-Net v1's planner: beginning with the usual volume, but no more voxels than the paper's
/// patch has, the axis that covers the largest share of the usual volume is shortened until the
/// step fits. Where too little would be left, features are given up and the search begins anew.
///
/// Errors: [`TrainError::BudgetTooSmall`] with what the smallest network takes.
pub(super) fn fit(network: &NetworkConfig, wanted: &Wanted) -> Result<NetworkConfig, TrainError> {
    let features: Vec<usize> = match wanted.features_are_fixed {
        true => vec![network.base_num_features],
        false => FEATURES.to_vec(),
    };
    let mut smallest: Option<(NetworkConfig, MemorySize)> = None;
    for (index, base_num_features) in features.iter().enumerate() {
        let base = NetworkConfig {
            base_num_features: *base_num_features,
            ..network.clone()
        };
        let last_resort = index + 1 == features.len();
        let mut patch = match wanted.patch_is_fixed {
            true => network.patch_size,
            false => first_patch(wanted.usual_size),
        };
        loop {
            let tried = shaped(&base, patch, wanted.spacing)?;
            let step = Cost::of(&tried, wanted.batch_size).step;
            if step <= wanted.budget {
                return Ok(tried);
            }
            if smallest.as_ref().is_none_or(|(_, least)| step < *least) {
                smallest = Some((tried, step));
            }
            let next = match wanted.patch_is_fixed {
                true => None,
                false => shortened(patch, wanted.usual_size),
            };
            match next {
                Some(next) if last_resort || product(next) >= FEWEST_VOXELS => patch = next,
                _ => break,
            }
        }
    }
    let (tried, needed) = smallest.unwrap_or_else(|| {
        let step = Cost::of(network, wanted.batch_size).step;
        (network.clone(), step)
    });
    Err(TrainError::BudgetTooSmall {
        budget: wanted.budget,
        needed,
        patch_size: tried.patch_size,
        base_num_features: tried.base_num_features,
    })
}

/// The usual volume, or a part of it in its proportions with the paper's number of voxels.
fn first_patch(usual: [f64; 3]) -> [usize; 3] {
    let most = product(paper().network.patch_size);
    let scale = (most / usual.into_iter().product::<f64>()).cbrt().min(1.0);
    let mut patch = usual.map(|size| round_up(size * scale));
    // Rounding up may have passed the limit.
    while product(patch) > most
        && let Some(smaller) = shortened(patch, usual)
    {
        patch = smaller;
    }
    patch
}

/// One step smaller along the axis that covers most of the usual volume; the last of equal ones.
fn shortened(patch: [usize; 3], usual: [f64; 3]) -> Option<[usize; 3]> {
    let share = |axis: &usize| patch[*axis] as f64 / usual[*axis];
    let mut axes: Vec<usize> = (0..3).collect();
    axes.sort_by(|a, b| share(a).total_cmp(&share(b)));
    axes.into_iter().rev().find_map(|axis| {
        let mut shorter = patch;
        shorter[axis] = next_smaller(patch[axis])?;
        Some(shorter)
    })
}
