use burn::prelude::*;

/// Sums over the voxels of each channel: [batch, channels, z, y, x] to [batch, channels].
///
/// One axis after the other: the CPU back end adds up f32 numbers one by one, and a million of them
/// in one go would lose the digits that the loss is compared in.
pub(super) fn voxel_sums(values: Tensor<5>) -> Tensor<2> {
    let [batch, channels, ..] = values.dims();
    values
        .sum_dim(4)
        .sum_dim(3)
        .sum_dim(2)
        .reshape([batch, channels])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_voxels_keep_their_digits() {
        let values = Tensor::<5>::full([1, 2, 64, 128, 128], 0.1, &Device::flex());
        let expected = f64::from(0.1_f32) * f64::from(64 * 128 * 128);
        for sum in voxel_sums(values).into_data().iter::<f32>() {
            let error = (f64::from(sum) - expected).abs() / expected;
            // A row is still added one by one.
            assert!(error < 5e-6, "{error:.1e}");
        }
    }
}
