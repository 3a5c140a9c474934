//! How well two label maps agree, and how much of each label there is.

mod edt;
mod summary;
mod surface;

pub use summary::{Agreement, TaskAgreement};
pub use surface::{MISSING_SURFACE_MM, SurfaceDistances};

use ndarray::{ArrayView3, Zip};

/// Dice overlap of one label: twice the intersection over the sum of both sizes.
///
/// Both maps must have one shape, (z, y, x). A label absent from both counts as 1, absent from
/// one as 0. Source: the evaluation of UniSeg.
///
/// Panics if the shapes differ: comparing maps of different grids is a programming error.
pub fn dice(a: ArrayView3<'_, u16>, b: ArrayView3<'_, u16>, label: u16) -> f64 {
    let (mut both, mut sum) = (0_u64, 0_u64);
    Zip::from(a).and(b).for_each(|a, b| {
        let (in_a, in_b) = (*a == label, *b == label);
        both += u64::from(in_a && in_b);
        sum += u64::from(in_a) + u64::from(in_b);
    });
    if sum == 0 {
        1.0
    } else {
        2.0 * both as f64 / sum as f64
    }
}

/// Voxels of each label from 0 to `n` - 1; larger values are not counted.
pub fn label_counts(labels: ArrayView3<'_, u16>, n: usize) -> Vec<u64> {
    let mut counts = vec![0; n];
    for label in labels {
        if let Some(count) = counts.get_mut(usize::from(*label)) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn dice_of_known_overlaps() {
        let a = Array3::from_shape_fn((1, 2, 4), |(_, y, x)| u16::from(y == 0 && x < 3));
        let b = Array3::from_shape_fn((1, 2, 4), |(_, y, x)| u16::from(y == 0 && x > 0));
        assert_eq!(dice(a.view(), b.view(), 1), 4.0 / 6.0);
        assert_eq!(dice(a.view(), b.view(), 7), 1.0);
        assert_eq!(dice(a.view(), (&a * 7).view(), 7), 0.0);
    }

    #[test]
    fn counts_ignore_labels_out_of_range() {
        let labels = Array3::from_shape_fn((1, 1, 5), |(_, _, x)| x as u16);
        assert_eq!(label_counts(labels.view(), 3), vec![1, 1, 1]);
    }
}
