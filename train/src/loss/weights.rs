/// How much each decoder level counts, finest first.
///
/// Half as much as the next finer one, the coarsest nothing, and together 1. With five levels
/// 8/15, 4/15, 2/15, 1/15, 0; a single level counts 1.
///
/// Source: nnU-Net v1's `nnUNetTrainerV2.initialize` (baseline spec, section 2).
pub fn deep_supervision_weights(levels: usize) -> Vec<f64> {
    let coarsest = levels.saturating_sub(1).max(1);
    let mut weights: Vec<f64> = (0..levels)
        .map(|level| {
            if level < coarsest {
                0.5_f64.powi(level as i32)
            } else {
                0.0
            }
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_five_levels() {
        let expected = [8.0, 4.0, 2.0, 1.0, 0.0].map(|weight| weight / 15.0);
        for (found, expected) in deep_supervision_weights(5).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn any_number_of_levels_sums_to_one() {
        assert_eq!(deep_supervision_weights(0), [] as [f64; 0]);
        assert_eq!(deep_supervision_weights(1), [1.0]);
        assert_eq!(deep_supervision_weights(2), [1.0, 0.0]);
        for levels in 1..12 {
            let weights = deep_supervision_weights(levels);
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert_eq!(levels > 1, weights[levels - 1] == 0.0);
        }
    }
}
