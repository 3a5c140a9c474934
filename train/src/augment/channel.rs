//! One channel of an image at a time, and its statistics.

use ndarray::{Array, Array4, Axis, Dimension};

/// The same array with its elements in row-major order; nothing is copied if they are already.
pub(super) fn row_major<T: Clone, D: Dimension>(array: Array<T, D>) -> Array<T, D> {
    if array.is_standard_layout() {
        array
    } else {
        array.as_standard_layout().into_owned()
    }
}

/// Voxels of each channel, row-major, with the extent (z, y, x) that all share.
pub(super) fn channels(image: &mut Array4<f32>) -> (impl Iterator<Item = &mut [f32]>, [usize; 3]) {
    let (_, z, y, x) = image.dim();
    let channels = image.axis_iter_mut(Axis(0));
    (
        channels.map(|channel| channel.into_slice().expect("samples are row-major")),
        [z, y, x],
    )
}

/// Mean and standard deviation (of the population), in f64.
pub(super) fn mean_and_deviation(voxels: &[f32]) -> (f64, f64) {
    let n = voxels.len().max(1) as f64;
    let mean = voxels.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let squares = voxels.iter().map(|v| (f64::from(*v) - mean).powi(2));
    (mean, (squares.sum::<f64>() / n).sqrt())
}

/// Smallest and largest voxel.
pub(super) fn extremes(voxels: &[f32]) -> (f32, f32) {
    let extend = |(low, high): (f32, f32), v: &f32| (low.min(*v), high.max(*v));
    voxels.iter().fold((f32::MAX, f32::MIN), extend)
}
