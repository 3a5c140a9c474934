use burn::prelude::*;
use serde::{Deserialize, Serialize};

use super::sums::voxel_sums;

/// Added to numerator and denominator.
const SMOOTH: f64 = 1e-5;
/// Added to the denominator once more, by the official code.
const TINY: f64 = 1e-8;

/// Over which voxels a Dice coefficient is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiceOver {
    /// Each sample has its own: nnU-Net's choice for plans of one stage, such as the paper's.
    #[default]
    Sample,
    /// The batch counts as one large volume: nnU-Net's choice for plans of several stages.
    Batch,
}

/// Soft Dice, averaged over the foreground classes, and over the batch if taken by sample.
///
/// For each class (2 TP + s) / (2 TP + FP + FN + s + 1e-8) with s = 1e-5, where the sums over
/// voxels are of probabilities. The background, class 0, is left out.
///
/// Shapes: `probabilities` and `reference` (one-hot) [batch, classes, z, y, x], two classes or
/// more; returns `[1]`.
/// Source: nnU-Net v1's `SoftDiceLoss`, without its minus sign.
pub fn soft_dice(probabilities: Tensor<5>, reference: Tensor<5>, over: DiceOver) -> Tensor<1> {
    let overlap = foreground_sums(probabilities.clone() * reference.clone(), over);
    // 2 TP + FP + FN is the size of the prediction plus that of the reference.
    let sizes = foreground_sums(probabilities, over) + foreground_sums(reference, over);
    ((overlap * 2 + SMOOTH) / (sizes + (SMOOTH + TINY))).mean()
}

/// Sums over voxels, [batch or 1, classes - 1].
fn foreground_sums(values: Tensor<5>, over: DiceOver) -> Tensor<2> {
    let classes = values.dims()[1];
    let sums = voxel_sums(values).narrow(1, 1, classes - 1);
    match over {
        DiceOver::Sample => sums,
        DiceOver::Batch => sums.sum_dim(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::one_hot;

    /// Two samples of four voxels: the first is right, the second has nothing to find.
    fn coefficient(over: DiceOver) -> f32 {
        let device = Device::flex();
        let labels = |values: [i32; 8]| {
            one_hot(
                Tensor::<1, Int>::from_ints(values, &device).reshape([2, 1, 1, 2, 2]),
                2,
            )
        };
        let predicted = labels([1, 1, 0, 0, 1, 0, 0, 0]);
        let reference = labels([1, 1, 0, 0, 0, 0, 0, 0]);
        soft_dice(predicted, reference, over).into_scalar()
    }

    #[test]
    fn by_sample_an_empty_reference_costs_a_whole_sample() {
        let found = coefficient(DiceOver::Sample);
        assert!((found - 0.5).abs() < 1e-4, "{found}");
    }

    #[test]
    fn by_batch_it_costs_its_voxels() {
        let found = coefficient(DiceOver::Batch);
        assert!((found - 0.8).abs() < 1e-4, "{found}");
    }

    #[test]
    fn nothing_to_find_and_nothing_found_is_right() {
        let empty = one_hot(Tensor::zeros([1, 1, 2, 2, 2], &Device::flex()), 3);
        let found = soft_dice(empty.clone(), empty, DiceOver::Sample).into_scalar::<f32>();
        // 1e-8 of 1e-5 is missing.
        assert!((found - 0.999).abs() < 1e-4, "{found}");
    }
}
