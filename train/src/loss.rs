//! What training minimises: cross-entropy minus soft Dice, over all decoder levels.
//!
//! Source: nnU-Net v1's `DC_and_CE_loss` inside `MultipleOutputLoss2`, which UniSeg uses unchanged
//! but for one thing: a task with C classes is judged on the first C channels of every output, and
//! the rest are dropped before the softmax (uniseg recipe, section 5; baseline spec, sections 2
//! and 3). There is no masking and there are no class weights.

mod cross_entropy;
mod dice;
mod one_hot;
mod sums;
mod targets;
mod weights;

pub use cross_entropy::cross_entropy;
pub use dice::{DiceOver, soft_dice};
pub use one_hot::one_hot;
pub use targets::{downsample_labels, level_extents};
pub use weights::deep_supervision_weights;

use burn::prelude::*;
use burn::tensor::FloatDType;
use burn::tensor::activation::log_softmax;

/// The loss of a network with any number of decoder levels.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use uniseg_train::loss::{DiceOver, SegmentationLoss, downsample_labels};
///
/// let device = Device::flex();
/// let labels = Tensor::<5, Int>::zeros([1, 1, 4, 8, 8], &device);
/// let outputs = vec![
///     Tensor::<5>::zeros([1, 3, 4, 8, 8], &device),
///     Tensor::<5>::zeros([1, 3, 4, 4, 4], &device),
/// ];
/// let targets = downsample_labels(labels, &[[4, 8, 8], [4, 4, 4]]);
/// let loss = SegmentationLoss::new(2, DiceOver::Sample).forward(outputs, targets, 2);
/// assert!(loss.into_scalar::<f32>().is_finite());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentationLoss {
    weights: Vec<f64>,
    dice: DiceOver,
}

impl SegmentationLoss {
    /// The loss of `levels` outputs with nnU-Net's weights, [`deep_supervision_weights`].
    pub fn new(levels: usize, dice: DiceOver) -> Self {
        Self {
            weights: deep_supervision_weights(levels),
            dice,
        }
    }

    /// Weight of each level, finest first.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The weighted sum of [`Self::level`] over all levels.
    ///
    /// Shapes: `logits`, finest first, each [batch, channels, z, y, x]; `targets` one for each,
    /// [batch, 1, z, y, x], with labels below `classes`; returns `[1]`.
    ///
    /// A level of weight zero is not computed, so that its head has no gradient at all and the
    /// optimiser leaves it alone, weight decay included, as in the official code.
    ///
    /// Panics if the number of levels is not the one of [`Self::new`], and where [`Self::level`]
    /// does.
    pub fn forward(
        &self,
        logits: Vec<Tensor<5>>,
        targets: Vec<Tensor<5, Int>>,
        classes: usize,
    ) -> Tensor<1> {
        let levels = self.weights.len();
        assert_eq!(logits.len(), levels, "one output for each level");
        assert_eq!(targets.len(), levels, "one target for each level");
        self.weights
            .iter()
            .zip(logits.into_iter().zip(targets))
            .filter(|(weight, _)| **weight != 0.0)
            .map(|(weight, (logits, target))| self.level(logits, target, classes) * *weight)
            .reduce(|sum, term| sum + term)
            .expect("the finest level has a weight, and there is at least one level")
    }

    /// Cross-entropy minus soft Dice of one level, in f32 whatever the logits are.
    ///
    /// Shapes: `logits` [batch, channels, z, y, x] with channels >= `classes`; `target`
    /// [batch, 1, z, y, x]; returns `[1]`.
    ///
    /// Panics if there are fewer than two classes (Dice leaves the background out) or more than
    /// channels.
    pub fn level(&self, logits: Tensor<5>, target: Tensor<5, Int>, classes: usize) -> Tensor<1> {
        let channels = logits.dims()[1];
        assert!(
            (2..=channels).contains(&classes),
            "{classes} classes of {channels} channels: a task has at least two"
        );
        let logits = if classes == channels {
            logits
        } else {
            logits.narrow(1, 0, classes)
        };
        // burn subtracts the (detached) maximum first: no logit overflows.
        let log_probabilities = log_softmax(logits.cast(FloatDType::F32), 1);
        let reference = one_hot(target, classes);
        let probabilities = log_probabilities.clone().exp();
        cross_entropy(log_probabilities, reference.clone())
            - soft_dice(probabilities, reference, self.dice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::random::Random;
    use crate::testing::uniform;
    use burn::tensor::{TensorData, Tolerance};

    fn level(logits: Tensor<5>, target: Tensor<5, Int>, classes: usize) -> Tensor<1> {
        SegmentationLoss::new(1, DiceOver::Sample).level(logits, target, classes)
    }

    fn target(device: &Device) -> Tensor<5, Int> {
        Tensor::<1, Int>::from_ints([0, 1, 2, 1, 0, 0, 2, 1], device).reshape([2, 1, 1, 2, 2])
    }

    #[test]
    fn channels_of_other_tasks_neither_count_nor_learn() {
        let device = Device::flex().autodiff();
        let mut stream = Random::new(3);
        let own = uniform([2, 3, 1, 2, 2], &mut stream, &device);
        let other = uniform([2, 2, 1, 2, 2], &mut stream, &device) * 50;
        let all = Tensor::cat(vec![own.clone(), other], 1)
            .detach()
            .require_grad();
        let alone = level(own, target(&device), 3).into_scalar::<f32>();
        let loss = level(all.clone(), target(&device), 3);
        let grads = loss.backward();
        assert_eq!(loss.into_scalar::<f32>(), alone);
        let gradient = all.grad(&grads).unwrap();
        let unused = gradient.clone().narrow(1, 3, 2).abs().max();
        assert_eq!(unused.into_scalar::<f32>(), 0.0);
        assert!(gradient.abs().max().into_scalar::<f32>() > 0.0);
    }

    /// Logits that overflow `exp` and probabilities that underflow: the loss and its gradient stay
    /// finite, and being surely wrong costs the distance of the logits.
    #[test]
    fn extreme_logits_stay_finite() {
        let device = Device::flex().autodiff();
        let sign = Tensor::<1>::from_floats([-1.0, 1.0], &device).reshape([1, 2, 1, 1, 1]);
        let logits = (sign.expand([1, 2, 1, 2, 2]) * 1e4).detach().require_grad();
        let background = Tensor::<5, Int>::zeros([1, 1, 1, 2, 2], &device);
        let loss = level(logits.clone(), background, 2);
        let grads = loss.backward();
        let loss = loss.into_scalar::<f32>();
        assert!((loss - 2e4).abs() < 1.0, "{loss}");
        let gradient: Vec<f32> = logits.grad(&grads).unwrap().into_data().iter().collect();
        assert!(
            gradient.iter().all(|value| value.is_finite()),
            "{gradient:?}"
        );
    }

    #[test]
    fn a_level_without_weight_has_no_gradient() {
        let device = Device::flex().autodiff();
        let outputs: Vec<Tensor<5>> = [[2, 3, 1, 2, 2], [2, 3, 1, 1, 1]]
            .map(|shape| Tensor::zeros(shape, &device).require_grad())
            .into();
        let targets = downsample_labels(target(&device), &[[1, 2, 2], [1, 1, 1]]);
        let loss = SegmentationLoss::new(2, DiceOver::Sample);
        let grads = loss.forward(outputs.clone(), targets, 3).backward();
        assert!(outputs[0].grad(&grads).is_some());
        assert!(outputs[1].grad(&grads).is_none());
    }

    /// Uniform predictions, by hand: cross-entropy ln 3; a third of every voxel is true positive.
    #[test]
    fn uniform_logits_by_hand() {
        let device = Device::flex();
        let loss = level(Tensor::zeros([2, 3, 1, 2, 2], &device), target(&device), 3);
        let dice = |count: f64| {
            let true_positive = count / 3.0;
            (2.0 * true_positive + 1e-5) / (4.0 / 3.0 + count + 1e-5 + 1e-8)
        };
        // Sample 0 has two voxels of class 1 and one of class 2; sample 1 has one of each.
        let expected = 3_f64.ln() - (dice(2.0) + 3.0 * dice(1.0)) / 4.0;
        loss.into_data().assert_approx_eq::<f32>(
            &TensorData::from([expected as f32]),
            Tolerance::relative(1e-6),
        );
    }
}
