use burn::prelude::*;

use super::sums::voxel_sums;

/// Cross-entropy averaged over all voxels of the batch, without class weights.
///
/// Shapes: `log_probabilities` and `reference` (one-hot) [batch, classes, z, y, x]; returns `[1]`.
/// Source: PyTorch's `CrossEntropyLoss` with its default mean, as nnU-Net v1 uses it.
pub fn cross_entropy(log_probabilities: Tensor<5>, reference: Tensor<5>) -> Tensor<1> {
    let [batch, _, depth, height, width] = reference.dims();
    let voxels = batch * depth * height * width;
    // A product with the one-hot reference, not a gather: its gradient is another product, where
    // that of a gather is a scatter.
    voxel_sums(log_probabilities * reference).sum() * (-1.0 / voxels as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_mean_negative_logarithm_of_the_true_class() {
        let device = Device::flex();
        let probabilities =
            Tensor::<1>::from_floats([0.5, 0.2, 0.5, 0.8], &device).reshape([1, 2, 1, 1, 2]);
        let reference =
            Tensor::<1>::from_floats([1.0, 0.0, 0.0, 1.0], &device).reshape([1, 2, 1, 1, 2]);
        let found = cross_entropy(probabilities.log(), reference).into_scalar::<f32>();
        let expected = -(0.5_f32.ln() + 0.8_f32.ln()) / 2.0;
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}
