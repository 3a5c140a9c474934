//! How far class probabilities are from those at full precision.

use uniseg_imaging::ndarray::{ArrayD, Axis};

/// Mean squared difference of the probabilities that two sets of logits, [1, C, D, H, W], give the
/// first `classes`; each class is a mean over its own voxels, so that small labels count as much as
/// large ones. Far from a border of two labels logits may differ much and nothing is disturbed.
pub(super) fn disturbance(full: &ArrayD<f32>, ours: &ArrayD<f32>, classes: usize) -> f64 {
    if full.shape() != ours.shape() || full.ndim() < 2 {
        return f64::INFINITY;
    }
    let classes = classes.min(full.shape()[1]);
    let mut differences = vec![0.0f64; classes];
    let mut sizes = vec![0.0f64; classes];
    let mut pair = [vec![0.0f64; classes], vec![0.0f64; classes]];
    for (full, ours) in full.lanes(Axis(1)).into_iter().zip(ours.lanes(Axis(1))) {
        for (probabilities, logits) in pair.iter_mut().zip([full, ours]) {
            let largest = logits
                .iter()
                .take(classes)
                .fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            let mut sum = 0.0;
            for (probability, logit) in probabilities.iter_mut().zip(&logits) {
                *probability = f64::from(logit - largest).exp();
                sum += *probability;
            }
            for probability in probabilities {
                *probability /= sum;
            }
        }
        let [full, ours] = &pair;
        for class in 0..classes {
            differences[class] += (full[class] - ours[class]).powi(2);
            sizes[class] += full[class];
        }
    }
    let classes = differences.iter().zip(sizes);
    classes
        .map(|(difference, size)| difference / size.max(f64::MIN_POSITIVE))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(values: [f32; 4]) -> ArrayD<f32> {
        // Two classes and two voxels.
        ArrayD::from_shape_vec(vec![1, 2, 1, 1, 2], values.to_vec()).unwrap()
    }

    #[test]
    fn only_what_changes_probabilities_counts() {
        let full = logits([0.0, 30.0, 0.0, 0.0]);
        assert_eq!(disturbance(&full, &full, 2), 0.0);
        // Both logits of a voxel by the same; and a sure voxel.
        assert_eq!(disturbance(&full, &logits([1.0, 30.0, 1.0, 0.0]), 2), 0.0);
        assert!(disturbance(&full, &logits([0.0, 33.0, 0.0, 0.0]), 2) < 1e-20);
        // An even one.
        assert!(disturbance(&full, &logits([0.3, 30.0, 0.0, 0.0]), 2) > 1e-3);
        // One class alone is always sure.
        assert_eq!(disturbance(&full, &logits([9.0, 9.0, 0.0, 0.0]), 1), 0.0);
    }

    #[test]
    fn what_is_not_finite_or_of_another_shape_is_infinitely_far() {
        let full = logits([0.0; 4]);
        assert!(!disturbance(&full, &logits([f32::NAN, 0.0, 0.0, 0.0]), 2).is_finite());
        let other = ArrayD::zeros(vec![1, 2]);
        assert!(disturbance(&full, &other, 2).is_infinite());
    }
}
