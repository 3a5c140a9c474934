//! Preprocessing, written once: training and prediction run this code.

use ndarray::{Array3, Array4, ArrayView3, Axis, CowArray, Ix3};
use rayon::prelude::*;

use crate::crop::{BoundingBox, filled_nonzero_mask, nonzero_box};
use crate::error::ImagingError;
use crate::geometry::{Extent, SpacingMm};
use crate::intensity::Normalization;
use crate::resample::{Interpolation, resample, separate_axis};
use crate::restore::Restore;
use crate::volume::Volume;

/// Most voxels, over all channels, that a resampled image may have (8 GiB of f32).
const TARGET_LIMIT: f64 = 2_147_483_648.0;

/// Corners of channels may lie this far apart, in smallest voxel sizes: rounding of 32-bit sforms
/// and quaternions stays far below.
const POSITION_TOLERANCE: f64 = 0.05;

/// From images as scanned to what the network expects.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Spacing of the network's image.
    pub spacing: SpacingMm,
    /// One per channel.
    pub normalizations: Vec<Normalization>,
}

/// The network's image, and the way back.
#[derive(Debug, Clone)]
pub struct Preprocessed {
    /// (channel, z, y, x) on the target grid.
    pub channels: Array4<f32>,
    /// Undoes crop and resampling for the network's result.
    pub restore: Restore,
}

impl Recipe {
    /// Crops to the non-zero box of all channels, resamples, normalises.
    ///
    /// NaN becomes 0 after cropping. Resampling is cubic, by slices along an anisotropic axis
    /// (see [`separate_axis`]). Memory: the result plus about two channels on their larger grid.
    ///
    /// Errors: [`ImagingError::ChannelCount`], [`ImagingError::ChannelExtent`],
    /// [`ImagingError::ChannelPosition`], [`ImagingError::EmptyImage`],
    /// [`ImagingError::InfiniteVoxels`], [`ImagingError::NoNumbers`],
    /// [`ImagingError::IntensityWindow`],
    /// [`ImagingError::TargetTooLarge`].
    /// Source: nnU-Net v1, `crop` and `GenericPreprocessor.resample_and_normalize`.
    pub fn apply(&self, channels: &[&Volume<f32>]) -> Result<Preprocessed, ImagingError> {
        let first = self.check(channels)?;
        let views: Vec<_> = channels.iter().map(|channel| channel.voxels()).collect();
        let crop = nonzero_box(&views).ok_or(ImagingError::EmptyImage)?;
        let views: Vec<_> = views.into_iter().map(|view| crop.view(view)).collect();
        let original_spacing = first.geometry().spacing;
        let target = self.target(crop, original_spacing, channels.len())?;
        let separate = separate_axis(original_spacing, self.spacing);

        let mask = if self.normalizations.iter().any(Normalization::needs_mask) {
            Some(resample_mask(
                &filled_nonzero_mask(&views),
                target,
                separate,
            )?)
        } else {
            None
        };
        let mut finished: Vec<f32> = Vec::new();
        for (channel, (view, normalization)) in views.iter().zip(&self.normalizations).enumerate() {
            let view = finite(view.view(), channel)?;
            let mut image = resample(view.view(), target, Interpolation::Cubic, separate)?;
            normalization.apply(image.view_mut(), mask.as_ref().map(|mask| mask.view()));
            // Resampling returns row-major arrays of their own: offset 0, no gaps.
            let (image, _) = image.into_raw_vec_and_offset();
            if finished.is_empty() {
                finished = image;
                finished.reserve_exact(finished.len() * (channels.len() - 1));
            } else {
                finished.extend(image);
            }
        }
        let [z, y, x] = target.zyx();
        let mismatch = || ImagingError::EmptyTarget {
            from: crop.extent(),
            to: target,
        };
        let channels =
            Array4::from_shape_vec((channels.len(), z, y, x), finished).map_err(|_| mismatch())?;
        let restore = Restore {
            original: first.geometry().extent,
            original_spacing,
            crop,
            target,
            target_spacing: self.spacing,
        };
        Ok(Preprocessed { channels, restore })
    }

    /// The first channel, once all are known to share its grid.
    fn check<'a>(&self, channels: &[&'a Volume<f32>]) -> Result<&'a Volume<f32>, ImagingError> {
        let expected = self.normalizations.len();
        let count = ImagingError::ChannelCount {
            found: channels.len(),
            expected,
        };
        let Some(first) = channels.first().filter(|_| channels.len() == expected) else {
            return Err(count);
        };
        self.normalizations
            .iter()
            .try_for_each(Normalization::check)?;
        let grid = first.geometry();
        let smallest = grid.spacing.zyx().into_iter().fold(f64::MAX, f64::min);
        for (channel, volume) in channels.iter().enumerate().skip(1) {
            let found = volume.geometry().extent;
            if found != grid.extent {
                return Err(ImagingError::ChannelExtent {
                    channel,
                    found,
                    expected: grid.extent,
                });
            }
            let distance_mm = grid.corner_distance_mm(volume.geometry());
            if distance_mm > POSITION_TOLERANCE * smallest {
                return Err(ImagingError::ChannelPosition {
                    channel,
                    distance_mm,
                });
            }
        }
        Ok(first)
    }

    /// Extent after resampling: halves are rounded to even, as numpy does.
    fn target(
        &self,
        crop: BoundingBox,
        original: SpacingMm,
        channels: usize,
    ) -> Result<Extent, ImagingError> {
        let from = crop.extent();
        let (old, new) = (original.zyx(), self.spacing.zyx());
        let sizes = [0, 1, 2].map(|axis| {
            (old[axis] / new[axis] * from.zyx()[axis] as f64)
                .round_ties_even()
                .max(1.0)
        });
        let voxels = sizes.iter().product::<f64>() * channels as f64;
        if voxels <= TARGET_LIMIT {
            Ok(Extent::from_zyx(sizes.map(|size| size as usize)))
        } else {
            Err(ImagingError::TargetTooLarge {
                from,
                voxels,
                limit: TARGET_LIMIT,
            })
        }
    }
}

/// Replaces NaN by 0, without a copy where there is none; refuses infinite voxels, and NaN alone.
fn finite(
    view: ArrayView3<'_, f32>,
    channel: usize,
) -> Result<CowArray<'_, f32, Ix3>, ImagingError> {
    let planes: Vec<_> = view.axis_iter(Axis(0)).collect();
    let (infinite, nan) = planes
        .into_par_iter()
        .map(|plane| {
            plane.iter().fold((false, 0), |(infinite, nan), v| {
                (infinite | v.is_infinite(), nan + usize::from(v.is_nan()))
            })
        })
        .reduce(|| (false, 0), |a, b| (a.0 | b.0, a.1 + b.1));
    if infinite {
        return Err(ImagingError::InfiniteVoxels { channel });
    }
    if nan == view.len() {
        return Err(ImagingError::NoNumbers { channel });
    }
    Ok(if nan > 0 {
        CowArray::from(view.mapv(|v| if v.is_nan() { 0.0 } else { v }))
    } else {
        CowArray::from(view)
    })
}

/// Source: nnU-Net v1 carries the mask as a label (-1 outside), resampled with order 1.
fn resample_mask(
    mask: &Array3<bool>,
    target: Extent,
    separate: Option<usize>,
) -> Result<Array3<bool>, ImagingError> {
    if Extent::from(mask.dim()) == target {
        return Ok(mask.clone());
    }
    let share = mask.mapv(|inside| f32::from(u8::from(inside)));
    let share = resample(share.view(), target, Interpolation::Linear, separate)?;
    Ok(share.mapv(|share| share >= 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Affine, Geometry};

    fn volume(shape: [usize; 3], spacing: [f64; 3]) -> Result<Volume<f32>, ImagingError> {
        let geometry =
            Geometry::axis_aligned(Extent::from_zyx(shape), SpacingMm::from_zyx(spacing)?);
        let voxels = Array3::from_shape_fn(shape, |(z, y, x)| (1 + z + 2 * y + 3 * x) as f32);
        Volume::new(voxels, geometry)
    }

    fn recipe(spacing: [f64; 3], channels: usize) -> Result<Recipe, ImagingError> {
        let normalizations = vec![Normalization::None; channels];
        Ok(Recipe {
            spacing: SpacingMm::from_zyx(spacing)?,
            normalizations,
        })
    }

    #[test]
    fn target_sizes_round_halves_to_even() -> Result<(), ImagingError> {
        let image = volume([5, 7, 1], [1.0; 3])?;
        let done = recipe([2.0, 2.0, 8.0], 1)?.apply(&[&image])?;
        // 2.5 and 3.5 go to the even neighbour; an axis never vanishes.
        assert_eq!(done.channels.dim(), (1, 2, 4, 1));
        Ok(())
    }

    #[test]
    fn equal_spacing_leaves_voxels_alone_but_for_nan() -> Result<(), ImagingError> {
        let image = volume([3, 4, 5], [1.0; 3])?;
        let geometry = *image.geometry();
        let mut voxels = image.into_voxels();
        voxels[[1, 1, 1]] = f32::NAN;
        let done = recipe([1.0; 3], 1)?.apply(&[&Volume::new(voxels.clone(), geometry)?])?;
        voxels[[1, 1, 1]] = 0.0;
        assert_eq!(done.channels.index_axis(Axis(0), 0), voxels);
        Ok(())
    }

    #[test]
    fn channels_must_share_number_size_and_place() -> Result<(), ImagingError> {
        let image = volume([3, 4, 5], [1.0; 3])?;
        let one = recipe([1.0; 3], 1)?;
        let two = recipe([1.0; 3], 2)?;
        let error = one.apply(&[&image, &image]);
        assert!(matches!(
            error,
            Err(ImagingError::ChannelCount {
                found: 2,
                expected: 1
            })
        ));
        assert!(matches!(
            one.apply(&[]),
            Err(ImagingError::ChannelCount { .. })
        ));
        let other = volume([3, 5, 4], [1.0; 3])?;
        let error = two.apply(&[&image, &other]);
        assert!(matches!(
            error,
            Err(ImagingError::ChannelExtent { channel: 1, .. })
        ));
        for (shift, fits) in [(1e-4, true), (0.5, false), (f64::NAN, false)] {
            let mut rows = image.geometry().affine.rows();
            rows[0][3] += shift;
            let geometry = Geometry {
                affine: Affine::from_rows(rows),
                ..*image.geometry()
            };
            let moved = Volume::new(image.voxels().to_owned(), geometry)?;
            let result = two.apply(&[&image, &moved]);
            match result {
                Ok(_) => assert!(fits, "{shift}"),
                Err(ImagingError::ChannelPosition { channel: 1, .. }) => assert!(!fits, "{shift}"),
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    #[test]
    fn images_without_use_are_refused() -> Result<(), ImagingError> {
        let recipe = recipe([1.0; 3], 1)?;
        let geometry = *volume([2, 2, 2], [1.0; 3])?.geometry();
        let empty = Volume::new(Array3::zeros((2, 2, 2)), geometry)?;
        assert!(matches!(
            recipe.apply(&[&empty]),
            Err(ImagingError::EmptyImage)
        ));
        let endless = Volume::new(Array3::from_elem((2, 2, 2), f32::INFINITY), geometry)?;
        let error = recipe.apply(&[&endless]);
        assert!(matches!(
            error,
            Err(ImagingError::InfiniteVoxels { channel: 0 })
        ));
        let nothing = Volume::new(Array3::from_elem((2, 2, 2), f32::NAN), geometry)?;
        let error = recipe.apply(&[&nothing]);
        assert!(matches!(error, Err(ImagingError::NoNumbers { channel: 0 })));
        let huge = volume([2, 2, 2], [1e6, 1e6, 1e6])?;
        assert!(matches!(
            recipe.apply(&[&huge]),
            Err(ImagingError::TargetTooLarge { .. })
        ));
        let window = Normalization::ClipRescale {
            lower: 1.0,
            upper: 1.0,
        };
        let recipe = Recipe {
            normalizations: vec![window],
            ..recipe
        };
        assert!(matches!(
            recipe.apply(&[&huge]),
            Err(ImagingError::IntensityWindow { .. })
        ));
        Ok(())
    }

    #[test]
    fn the_non_zero_scope_zeroes_outside_and_fills_holes() -> Result<(), ImagingError> {
        let mut voxels = Array3::from_shape_fn((5, 5, 6), |(z, y, x)| (10 + z + y * x) as f32);
        voxels[[2, 2, 2]] = 0.0;
        voxels[[0, 0, 0]] = 0.0;
        let spacing = SpacingMm::from_zyx([1.0; 3])?;
        let geometry = Geometry::axis_aligned(Extent::from_zyx([5, 5, 6]), spacing);
        let scope = crate::intensity::ZScoreScope::NonZero;
        let recipe = Recipe {
            spacing,
            normalizations: vec![Normalization::ZScore { scope }],
        };
        let done = recipe.apply(&[&Volume::new(voxels, geometry)?])?;
        assert_eq!(done.channels[[0, 0, 0, 0]], 0.0);
        assert!(
            done.channels[[0, 2, 2, 2]] < -1.0,
            "a filled hole is scored, not zeroed"
        );
        Ok(())
    }
}
