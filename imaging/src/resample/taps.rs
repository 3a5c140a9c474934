//! Which input samples make an output sample, along one axis.

/// Samples by which a line is extended at both ends before a spline is fitted, as scipy does.
pub(super) const SPLINE_PAD: usize = 12;

/// Neighbouring rows and their weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap<const N: usize> {
    /// First of N consecutive rows, in the padded line.
    pub first: usize,
    pub weights: [f64; N],
}

/// Two samples, not necessarily different, and the share of the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LinearTap {
    pub low: usize,
    pub high: usize,
    pub share: f64,
}

impl LinearTap {
    /// The nearest sample alone.
    pub(crate) fn only(index: usize) -> Self {
        Self {
            low: index,
            high: index,
            share: 0.0,
        }
    }
}

/// Position of output sample `k` among the input samples: outer faces coincide.
fn source(k: usize, from: usize, to: usize) -> f64 {
    (k as f64 + 0.5) * (from as f64 / to as f64) - 0.5
}

/// Order 0, rounding halves up as scipy does.
pub(crate) fn nearest_indices(from: usize, to: usize) -> Vec<usize> {
    let last = from.saturating_sub(1);
    (0..to)
        .map(|k| ((source(k, from, to) + 0.5).floor().max(0.0) as usize).min(last))
        .collect()
}

/// Order 1, the border repeated.
pub(crate) fn linear_taps(from: usize, to: usize) -> Vec<LinearTap> {
    let last = from.saturating_sub(1);
    let tap = |k| {
        let at = source(k, from, to).clamp(0.0, last as f64);
        let low = (at.floor() as usize).min(last);
        LinearTap {
            low,
            high: (low + 1).min(last),
            share: at - low as f64,
        }
    };
    (0..to).map(tap).collect()
}

/// Order 1 on a line extended by one sample at its end.
pub(super) fn padded_linear_taps(from: usize, to: usize) -> Vec<Tap<2>> {
    let taps = linear_taps(from, to).into_iter();
    taps.map(|t| Tap {
        first: t.low,
        weights: [1.0 - t.share, t.share],
    })
    .collect()
}

/// Order 3 on a line extended by [`SPLINE_PAD`] samples at both ends.
pub(super) fn spline_taps(from: usize, to: usize) -> Vec<Tap<4>> {
    let tap = |k| {
        // Not clamped: scipy lets the points in the outer half voxel see the extension.
        let at = source(k, from, to) + SPLINE_PAD as f64;
        let below = at.floor();
        let (y, z) = (at - below, below + 1.0 - at);
        let weights = [
            z * z * z / 6.0,
            (y * y * (y - 2.0) * 3.0 + 4.0) / 6.0,
            (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0,
            y * y * y / 6.0,
        ];
        Tap {
            first: below as usize - 1,
            weights,
        }
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_positions() {
        assert_eq!(nearest_indices(2, 4), [0, 0, 1, 1]);
        assert_eq!(nearest_indices(4, 2), [1, 3]);
        assert_eq!(nearest_indices(1, 3), [0, 0, 0]);
        let taps = linear_taps(2, 4);
        assert_eq!(
            taps[0],
            LinearTap {
                low: 0,
                high: 1,
                share: 0.0
            }
        );
        assert_eq!(
            taps[1],
            LinearTap {
                low: 0,
                high: 1,
                share: 0.25
            }
        );
        assert_eq!(
            taps[3],
            LinearTap {
                low: 1,
                high: 1,
                share: 0.0
            }
        );
    }

    proptest! {
        #[test]
        fn taps_stay_on_the_line_and_weights_sum_to_one(from in 1_usize..900, to in 1_usize..900) {
            for index in nearest_indices(from, to) {
                prop_assert!(index < from);
            }
            for tap in padded_linear_taps(from, to) {
                prop_assert!(tap.first + 1 < from + 1);
                prop_assert!(tap.weights.iter().all(|w| (0.0..=1.0).contains(w)));
            }
            for tap in spline_taps(from, to) {
                prop_assert!(tap.first + 3 < from + 2 * SPLINE_PAD);
                prop_assert!((tap.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }
}
