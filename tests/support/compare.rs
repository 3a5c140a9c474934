//! Numbers against numbers, labels against labels.

use std::path::Path;

use uniseg_imaging::ndarray::{Array3, ArrayView3, ArrayViewD};
use uniseg_imaging::{dice, label_counts, read_nifti};

/// The same sums in another order, in f32, through a whole network.
pub const SAME_MATH: f32 = 1e-3;
/// Dice that the labels of a trained network reach.
pub const SAME_LABELS: f64 = 0.999;
/// Dice that those of random weights reach: many voxels are near a decision boundary, where the
/// order of sums decides.
pub const SAME_UNDECIDED_LABELS: f64 = 0.995;
/// Below so many voxels Dice is too coarse a measure,
const FEW_VOXELS: u64 = 200;
/// and so many may differ.
const FEW_DIFFER: u64 = 2;

/// Largest absolute difference, element by element; infinite if anything is not finite.
#[track_caller]
pub fn max_abs(found: ArrayViewD<'_, f32>, expected: ArrayViewD<'_, f32>) -> f32 {
    assert_eq!(found.shape(), expected.shape());
    found
        .iter()
        .zip(expected)
        .fold(0.0, |worst, (found, expected)| {
            let gap = (found - expected).abs();
            worst.max(if gap.is_finite() { gap } else { f32::INFINITY })
        })
}

/// Checks [`max_abs`] against [`SAME_MATH`] and prints it.
#[track_caller]
pub fn same_math(what: &str, found: ArrayViewD<'_, f32>, expected: ArrayViewD<'_, f32>) {
    let worst = max_abs(found, expected);
    println!("{what}: max abs difference {worst:.2e}");
    assert!(worst <= SAME_MATH, "{what}: {worst:.2e}");
}

/// A label map from a file, (z, y, x).
#[track_caller]
pub fn read_labels(path: &Path) -> Array3<u16> {
    let image = read_nifti(path).unwrap_or_else(|error| panic!("{error:?}"));
    image.volume.into_voxels().mapv(|value| {
        let label = value as u16;
        assert_eq!(
            f32::from(label),
            value,
            "{} is no label map",
            path.display()
        );
        label
    })
}

/// Checks that two maps of `labels` labels agree, label by label, and prints how well.
#[track_caller]
pub fn same_labels(
    what: &str,
    found: &Array3<u16>,
    official: &Array3<u16>,
    labels: usize,
    least_dice: f64,
) {
    assert_eq!(found.dim(), official.dim(), "{what}");
    let (found, official) = (found.view(), official.view());
    let [ours, theirs] = [found, official].map(|map| label_counts(map, labels));
    assert_eq!(
        ours.iter().sum::<u64>(),
        found.len() as u64,
        "{what}: labels out of range"
    );
    for (label, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate().skip(1) {
        let value = label as u16;
        let overlap = dice(found, official, value);
        let differ = differing(found, official, value);
        println!(
            "{what}, label {label}: {ours} voxels ({theirs} official), {differ} differ, Dice {overlap:.5}"
        );
        if ours.min(theirs) < FEW_VOXELS {
            assert!(
                differ <= FEW_DIFFER,
                "{what}, label {label}: {differ} voxels differ"
            );
        } else {
            assert!(
                overlap >= least_dice,
                "{what}, label {label}: Dice {overlap}"
            );
        }
    }
}

/// Voxels that have a label in one map only.
fn differing(a: ArrayView3<'_, u16>, b: ArrayView3<'_, u16>, label: u16) -> u64 {
    a.iter()
        .zip(b)
        .filter(|(a, b)| (**a == label) != (**b == label))
        .count() as u64
}
