//! Intensities as a network expects them.

use ndarray::{ArrayView3, ArrayViewMut3, Axis};
use rayon::prelude::*;

use crate::error::ImagingError;

/// How the intensities of a channel are normalised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Normalization {
    /// As they are.
    None,
    /// Clipped to a window, which is then scaled to [0, 1]; for CT in Hounsfield units.
    ClipRescale {
        /// Becomes 0.
        lower: f64,
        /// Becomes 1.
        upper: f64,
    },
    /// Mean subtracted, divided by the standard deviation (+ 1e-8).
    ZScore {
        /// Which voxels give mean and deviation.
        scope: ZScoreScope,
    },
}

/// Which voxels give the mean and standard deviation of a z-score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZScoreScope {
    /// All of the cropped volume.
    WholeImage,
    /// Those within the hole-filled non-zero mask; the others become 0.
    NonZero,
}

impl Normalization {
    /// Refuses parameters that cannot be applied.
    ///
    /// Errors: [`ImagingError::IntensityWindow`] unless lower < upper, both finite.
    pub fn check(&self) -> Result<(), ImagingError> {
        match *self {
            Self::ClipRescale { lower, upper }
                if !(lower.is_finite() && upper.is_finite() && lower < upper) =>
            {
                Err(ImagingError::IntensityWindow { lower, upper })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn needs_mask(&self) -> bool {
        matches!(
            self,
            Self::ZScore {
                scope: ZScoreScope::NonZero
            }
        )
    }

    /// Normalises voxels in place; `mask` has their shape and matters for
    /// [`ZScoreScope::NonZero`] only.
    ///
    /// Source: nnU-Net v1, `resample_and_normalize`; UniSeg's CT rule.
    pub(crate) fn apply(&self, voxels: ArrayViewMut3<'_, f32>, mask: Option<ArrayView3<'_, bool>>) {
        match (*self, mask) {
            (Self::None, _) => {}
            (Self::ClipRescale { lower, upper }, _) => {
                let range = upper - lower;
                map_planes(voxels, |v| ((v.clamp(lower, upper) - lower) / range) as f32);
            }
            (
                Self::ZScore {
                    scope: ZScoreScope::NonZero,
                },
                Some(mask),
            ) => {
                masked_z_score(voxels, mask);
            }
            (Self::ZScore { .. }, _) => {
                let (mean, deviation) = moments(voxels.view(), None);
                map_planes(voxels, |v| ((v - mean) / (deviation + 1e-8)) as f32);
            }
        }
    }
}

fn map_planes(mut voxels: ArrayViewMut3<'_, f32>, map: impl Fn(f64) -> f32 + Sync) {
    let planes: Vec<_> = voxels.axis_iter_mut(Axis(0)).collect();
    planes
        .into_par_iter()
        .for_each(|mut plane| plane.mapv_inplace(|v| map(f64::from(v))));
}

fn masked_z_score(mut voxels: ArrayViewMut3<'_, f32>, mask: ArrayView3<'_, bool>) {
    let (mean, deviation) = moments(voxels.view(), Some(mask));
    let planes: Vec<_> = voxels
        .axis_iter_mut(Axis(0))
        .zip(mask.outer_iter())
        .collect();
    planes.into_par_iter().for_each(|(mut plane, mask)| {
        plane.zip_mut_with(&mask, |v, inside| {
            let score = (f64::from(*v) - mean) / (deviation + 1e-8);
            *v = if *inside { score as f32 } else { 0.0 };
        });
    });
}

/// Mean and population standard deviation. Planes are summed apart, then in order, so that the
/// result does not depend on the number of threads.
fn moments(voxels: ArrayView3<'_, f32>, mask: Option<ArrayView3<'_, bool>>) -> (f64, f64) {
    let sum_planes = |term: &(dyn Fn(f64) -> f64 + Sync)| -> (f64, u64) {
        let planes: Vec<_> = voxels.outer_iter().enumerate().collect();
        let sums: Vec<(f64, u64)> = planes
            .into_par_iter()
            .map(|(z, plane)| match mask {
                None => (
                    plane.iter().map(|v| term(f64::from(*v))).sum(),
                    plane.len() as u64,
                ),
                Some(mask) => {
                    let mask = mask.index_axis_move(Axis(0), z);
                    let inside = plane.iter().zip(mask).filter(|(_, inside)| **inside);
                    inside.fold((0.0, 0), |(sum, n), (v, _)| {
                        (sum + term(f64::from(*v)), n + 1)
                    })
                }
            })
            .collect();
        sums.into_iter()
            .fold((0.0, 0), |(sum, n), (plane, m)| (sum + plane, n + m))
    };
    let (sum, count) = sum_planes(&|v| v);
    let count = count.max(1) as f64;
    let mean = sum / count;
    let (squares, _) = sum_planes(&|v| (v - mean) * (v - mean));
    (mean, (squares / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn ramp() -> Array3<f32> {
        Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (100 * z + 10 * y + x) as f32)
    }

    #[test]
    fn window_becomes_the_unit_interval() {
        let mut voxels = ramp();
        Normalization::ClipRescale {
            lower: 1.0,
            upper: 101.0,
        }
        .apply(voxels.view_mut(), None);
        assert_eq!(voxels[[0, 0, 0]], 0.0);
        assert_eq!(voxels[[0, 1, 1]], 0.1);
        assert_eq!(voxels[[1, 2, 3]], 1.0);
    }

    #[test]
    fn z_score_has_mean_zero_and_deviation_one() {
        let mut voxels = ramp();
        Normalization::ZScore {
            scope: ZScoreScope::WholeImage,
        }
        .apply(voxels.view_mut(), None);
        let (mean, deviation) = moments(voxels.view(), None);
        assert!(mean.abs() < 1e-6 && (deviation - 1.0).abs() < 1e-6);
    }

    #[test]
    fn masked_z_score_zeroes_the_outside() {
        let mut voxels = ramp();
        let mask = voxels.mapv(|v| v >= 100.0);
        let scope = ZScoreScope::NonZero;
        Normalization::ZScore { scope }.apply(voxels.view_mut(), Some(mask.view()));
        assert!(voxels.index_axis(Axis(0), 0).iter().all(|v| *v == 0.0));
        let (mean, deviation) = moments(voxels.view(), Some(mask.view()));
        assert!(mean.abs() < 1e-6 && (deviation - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_constant_image_does_not_divide_by_zero() {
        let mut voxels = Array3::from_elem((2, 2, 2), 7.0);
        Normalization::ZScore {
            scope: ZScoreScope::WholeImage,
        }
        .apply(voxels.view_mut(), None);
        assert!(voxels.iter().all(|v| *v == 0.0));
    }

    #[test]
    fn an_empty_window_is_refused() {
        for (lower, upper) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0)] {
            assert!(Normalization::ClipRescale { lower, upper }.check().is_err());
        }
    }
}
