use ndarray::{Array3, ArrayView3, Zip};
use uniseg_imaging::crop::filled_nonzero_mask;
use uniseg_imaging::{Extent, ImagingError, SpacingMm, resample_labels, separate_axis};

use crate::data::cache::OUTSIDE;

/// Codes under which labels are resampled: later ones are painted over earlier ones, in nnU-Net's
/// order -1, 0, 1, ...; 0 is left for voxels that no label reaches, which nnU-Net makes background.
const CODE_OUTSIDE: u16 = 1;
const CODE_BACKGROUND: u16 = 2;

/// Brings cropped labels to the image's target grid.
///
/// Background voxels outside the hole-filled non-zero mask of the image become -1; then every
/// value is interpolated linearly on its own and those that reach one half are kept.
///
/// Source: nnU-Net v1, `crop_to_nonzero` and `resample_patient` with order 1 for labels.
pub(super) fn resample(
    labels: ArrayView3<'_, u16>,
    channels: &[ArrayView3<'_, f32>],
    target_zyx: [usize; 3],
    original: SpacingMm,
    target: SpacingMm,
) -> Result<Array3<i16>, ImagingError> {
    let inside = filled_nonzero_mask(channels);
    let mut codes = Array3::zeros(labels.dim());
    Zip::from(&mut codes)
        .and(labels)
        .and(&inside)
        .for_each(|code, label, inside| {
            // A task has below 1000 labels.
            *code = if *label == 0 && !inside {
                CODE_OUTSIDE
            } else {
                label + CODE_BACKGROUND
            };
        });
    let separate = separate_axis(original, target);
    let codes = resample_labels(codes.view(), Extent::from_zyx(target_zyx), separate)?;
    Ok(codes.mapv(|code| match code {
        0 => 0,
        CODE_OUTSIDE => OUTSIDE,
        code => (code - CODE_BACKGROUND) as i16,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outside_becomes_minus_one_but_never_a_label() {
        let spacing = SpacingMm::from_zyx([1.0; 3]).unwrap();
        // A hollow cube with a label inside its hole and one outside of it.
        let image = Array3::from_shape_fn((5, 5, 7), |(z, y, x)| {
            let shell = (1..4).contains(&z) && (1..4).contains(&y) && (1..4).contains(&x);
            f32::from(u8::from(shell && (z, y, x) != (2, 2, 2)))
        });
        let mut labels = Array3::zeros((5, 5, 7));
        labels[[2, 2, 2]] = 1;
        labels[[0, 0, 6]] = 2;
        let out = resample(labels.view(), &[image.view()], [5, 5, 7], spacing, spacing).unwrap();
        assert_eq!(out[[2, 2, 2]], 1);
        assert_eq!(out[[0, 0, 6]], 2);
        assert_eq!(out[[1, 1, 1]], 0);
        assert_eq!(out[[0, 0, 0]], OUTSIDE);
    }

    #[test]
    fn halves_are_painted_in_nnu_nets_order() {
        let spacing = SpacingMm::from_zyx([1.0; 3]).unwrap();
        let coarse = SpacingMm::from_zyx([1.0, 1.0, 2.0]).unwrap();
        // Along x pairs meet half and half: (-1, 0), (0, 1), (1, 2), (-1, 2).
        let labels = [0, 0, 0, 1, 1, 2, 0, 2];
        let inside = [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0];
        let line = |x: usize| (labels[x], inside[x]);
        let labels = Array3::from_shape_fn((2, 2, 8), |(_, _, x)| line(x).0);
        let image = Array3::from_shape_fn((2, 2, 8), |(_, _, x)| line(x).1);
        let out = resample(labels.view(), &[image.view()], [2, 2, 4], spacing, coarse).unwrap();
        assert_eq!(out.slice(ndarray::s![0, 0, ..]).to_vec(), [0, 1, 2, 2]);
    }
}
