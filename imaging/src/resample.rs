//! Resampling between grids, one axis at a time.
//!
//! Numbers equal those of `skimage.transform.resize(order, mode="edge", anti_aliasing=False)`:
//! sampling points are spaced so that the outer faces of both grids coincide, samples beyond the
//! border repeat it, and the result stays within the range of the input. All kernels are
//! separable, so axes are processed in turn, the most shrinking first: memory never exceeds one
//! input-sized and one output-sized volume besides the input.
//!
//! Where spacing is anisotropic nnU-Net v1 resizes slice by slice and takes the nearest slice
//! along the coarse axis; [`separate_axis`] holds its rule.

mod pass;
pub(crate) mod spline;
mod taps;

use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis, Zip};
use rayon::prelude::*;

use crate::error::ImagingError;
use crate::geometry::{Extent, SpacingMm};

pub(crate) use taps::{LinearTap, linear_taps, nearest_indices};

/// How values between voxels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Of the nearest voxel (order 0).
    Nearest,
    /// On a straight line (order 1).
    Linear,
    /// On a cubic B-spline through the voxels (order 3), clipped to the input's range.
    Cubic,
}

/// Ratio of the largest to the smallest spacing above which one axis is treated apart.
const ANISOTROPY: f64 = 3.0;

/// The axis (0 = z) along which nearest slices are taken; `None` where all axes are alike.
///
/// `first` decides if it is anisotropic, else `second`. Two equally coarse axes are not treated
/// apart. Source: nnU-Net v1, `resample_patient` and `get_lowres_axis`.
pub fn separate_axis(first: SpacingMm, second: SpacingMm) -> Option<usize> {
    for spacing in [first.zyx(), second.zyx()] {
        let largest = spacing.iter().copied().fold(f64::MIN, f64::max);
        let smallest = spacing.iter().copied().fold(f64::MAX, f64::min);
        if largest / smallest > ANISOTROPY {
            let mut coarse = (0..3).filter(|axis| spacing[*axis] == largest);
            return coarse.next().filter(|_| coarse.next().is_none());
        }
    }
    None
}

/// Resamples an image (z, y, x) to another extent over the same field of view.
///
/// `separate` is the axis that takes nearest slices, each of which is resized in-plane and clipped
/// to its own range. Arithmetic is in f64. Voxels must be finite.
///
/// Errors: [`ImagingError::EmptyTarget`] if either extent has no voxels.
/// Source: nnU-Net v1, `resample_data_or_seg` with `order_z = 0`.
pub fn resample(
    image: ArrayView3<'_, f32>,
    target: Extent,
    interpolation: Interpolation,
    separate: Option<usize>,
) -> Result<Array3<f32>, ImagingError> {
    let from = Extent::from(image.dim());
    check_extents(from, target)?;
    let Some(apart) = separate.filter(|axis| *axis < 3) else {
        let mut out = pass::resize_axes(image, target, interpolation, &[0, 1, 2]);
        if interpolation == Interpolation::Cubic && from != target {
            clip_to_range_of(image, out.view_mut());
        }
        return Ok(out);
    };
    if from == target {
        return Ok(pass::copy(image));
    }
    let axis = Axis(apart);
    let in_plane: Vec<usize> = (0..3).filter(|axis| *axis != apart).collect();
    let mut slices = pass::resize_axes(image, target, interpolation, &in_plane);
    if interpolation == Interpolation::Cubic {
        let pairs: Vec<_> = image
            .axis_iter(axis)
            .zip(slices.axis_iter_mut(axis))
            .collect();
        pairs.into_par_iter().for_each(|(before, after)| {
            clip_to_range_of(before.insert_axis(Axis(0)), after.insert_axis(Axis(0)));
        });
    }
    if from.zyx()[apart] == target.zyx()[apart] {
        return Ok(slices);
    }
    let nearest = nearest_indices(from.zyx()[apart], target.zyx()[apart]);
    Ok(pass::take(slices.view(), axis, &nearest))
}

/// Resamples a label map (z, y, x): every label is interpolated linearly on its own and the
/// highest of those that reach one half wins; voxels that no label reaches become 0.
///
/// Errors: [`ImagingError::EmptyTarget`] if either extent has no voxels.
/// Source: nnU-Net v1, `resize_segmentation` with order 1.
pub fn resample_labels(
    labels: ArrayView3<'_, u16>,
    target: Extent,
    separate: Option<usize>,
) -> Result<Array3<u16>, ImagingError> {
    let from = Extent::from(labels.dim());
    check_extents(from, target)?;
    if from == target {
        return Ok(labels.as_standard_layout().into_owned());
    }
    let mut present = vec![false; usize::from(u16::MAX) + 1];
    labels
        .iter()
        .for_each(|label| present[usize::from(*label)] = true);
    let mut out = Array3::zeros(target.zyx());
    for label in (1..=u16::MAX).filter(|label| present[usize::from(*label)]) {
        let one = labels.mapv(|found| if found == label { 1.0 } else { 0.0 });
        let one = resample(one.view(), target, Interpolation::Linear, separate)?;
        Zip::from(&mut out).and(&one).for_each(|out, share| {
            if *share >= 0.5 {
                *out = label;
            }
        });
    }
    Ok(out)
}

fn check_extents(from: Extent, to: Extent) -> Result<(), ImagingError> {
    if from.zyx().contains(&0) || to.zyx().contains(&0) {
        return Err(ImagingError::EmptyTarget { from, to });
    }
    Ok(())
}

/// Keeps a spline from overshooting, as scikit-image's `clip` does.
fn clip_to_range_of(image: ArrayView3<'_, f32>, mut out: ArrayViewMut3<'_, f32>) {
    let planes: Vec<_> = image.outer_iter().collect();
    let (low, high) = planes
        .into_par_iter()
        .map(|plane| {
            plane.iter().fold((f32::MAX, f32::MIN), |(low, high), v| {
                (low.min(*v), high.max(*v))
            })
        })
        .reduce(|| (f32::MAX, f32::MIN), |a, b| (a.0.min(b.0), a.1.max(b.1)));
    let planes: Vec<_> = out.outer_iter_mut().collect();
    planes.into_par_iter().for_each(|mut plane| {
        plane.mapv_inplace(|v| v.max(low).min(high));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use Interpolation::{Cubic, Linear, Nearest};
    use proptest::prelude::*;

    const LINE: [f32; 7] = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0];

    fn along(axis: usize, line: &[f32]) -> Array3<f32> {
        let mut shape = [2, 2, 2];
        shape[axis] = line.len();
        Array3::from_shape_fn(shape, |(z, y, x)| line[[z, y, x][axis]])
    }

    /// The same numbers as scikit-image 0.26, whichever axis they lie along.
    #[test]
    fn lines_equal_scikit_image() -> Result<(), ImagingError> {
        let up = [
            3.385_530_2,
            0.230_548_09,
            -0.296_501_6,
            3.798_878,
            3.534_07,
            -2.646_669_2,
            -4.592_969,
            6.405_040_7,
            7.520_692_4,
            1.201_79,
        ];
        let rows: [(Interpolation, &[f32]); 4] = [
            (Cubic, &up),
            (Cubic, &[1.177_313_3, 4.353_152, -5.0, 5.706_141]),
            (Linear, &[2.2, 2.0, 1.0, 0.6, 3.4]),
            (
                Nearest,
                &[3.0, -1.0, -1.0, 4.0, 1.0, 1.0, -5.0, 9.0, 9.0, 2.0],
            ),
        ];
        for (interpolation, expected) in rows {
            for axis in 0..3 {
                let image = along(axis, &LINE);
                let mut target = [2, 2, 2];
                target[axis] = expected.len();
                let target = Extent::from_zyx(target);
                let out = resample(image.view(), target, interpolation, None)?;
                assert_eq!(Extent::from(out.dim()), target);
                for (found, expected) in out.iter().zip(&along(axis, expected)) {
                    assert!((found - expected).abs() < 2e-6, "{interpolation:?} {axis}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_spline_does_not_overshoot_its_input() -> Result<(), ImagingError> {
        let image = along(2, &[2.0, 8.0]);
        let out = resample(image.view(), Extent::from_zyx([2, 2, 5]), Cubic, None)?;
        let line: Vec<f32> = out.slice(ndarray::s![0, 0, ..]).to_vec();
        assert_eq!([line[0], line[2], line[4]], [2.0, 5.0, 8.0]);
        Ok(())
    }

    #[test]
    fn the_separate_axis_takes_whole_slices() -> Result<(), ImagingError> {
        let image = Array3::from_shape_fn((2, 3, 5), |(z, y, x)| (100 * z + y * y + x) as f32);
        for apart in 0..3 {
            let turned = match apart {
                0 => image.clone(),
                1 => image.clone().permuted_axes([1, 0, 2]),
                _ => image.clone().permuted_axes([1, 2, 0]),
            };
            let mut target = [4, 4, 4];
            target[apart] = 5;
            let target = Extent::from_zyx(target);
            let out = resample(turned.view(), target, Cubic, Some(apart))?;
            let slice = |k: usize| out.index_axis(Axis(apart), k);
            assert_eq!(slice(0), slice(1));
            assert_eq!(slice(3), slice(4));
            assert!(slice(1).iter().all(|v| *v <= 8.0) && slice(3).iter().all(|v| *v >= 100.0));
        }
        Ok(())
    }

    #[test]
    fn anisotropy_is_decided_as_nnu_net_does() -> Result<(), ImagingError> {
        let spacing = SpacingMm::from_zyx;
        let even = spacing([1.0, 1.0, 3.0])?;
        assert_eq!(separate_axis(even, even), None);
        assert_eq!(separate_axis(spacing([5.0, 0.7, 0.7])?, even), Some(0));
        assert_eq!(separate_axis(even, spacing([0.7, 5.0, 0.7])?), Some(1));
        // Two coarse axes are not one, and the second spacing is not asked then.
        let two = spacing([0.24, 1.25, 1.25])?;
        assert_eq!(separate_axis(two, spacing([5.0, 1.0, 1.0])?), None);
        Ok(())
    }

    #[test]
    fn labels_are_kept_pure() -> Result<(), ImagingError> {
        let labels = Array3::from_shape_fn((4, 4, 4), |(_, y, x)| if x < 2 { 7 } else { y as u16 });
        let out = resample_labels(labels.view(), Extent::from_zyx([8, 4, 8]), None)?;
        for ((_, y, x), label) in out.indexed_iter() {
            assert_eq!(*label, if x < 4 { 7 } else { y as u16 });
        }
        Ok(())
    }

    #[test]
    fn empty_extents_are_refused() {
        let image = Array3::<f32>::zeros((0, 2, 2));
        let target = Extent::from_zyx([1, 1, 1]);
        assert!(resample(image.view(), target, Cubic, None).is_err());
        let image = Array3::<f32>::zeros((2, 2, 2));
        let target = Extent::from_zyx([1, 0, 1]);
        assert!(resample(image.view(), target, Linear, None).is_err());
    }

    proptest! {
        #[test]
        fn a_constant_stays_constant_and_the_extent_is_as_asked(
            from in (1_usize..9, 1_usize..9, 1_usize..70),
            to in (1_usize..9, 1_usize..9, 1_usize..70),
            separate in proptest::option::of(0_usize..3),
            order in 0_usize..3,
        ) {
            let image = Array3::from_elem(from, -3.75_f32);
            let interpolation = [Nearest, Linear, Cubic][order];
            let out = resample(image.view(), Extent::from(to), interpolation, separate);
            let out = out.expect("no extent is empty");
            prop_assert_eq!(out.dim(), to);
            prop_assert!(out.iter().all(|v| (v + 3.75).abs() < 1e-6));
        }
    }
}
