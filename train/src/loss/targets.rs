use burn::prelude::*;

use crate::plan::NetworkConfig;

/// Size of each decoder level's output in voxels, finest first: the patch, divided by the strides
/// so far.
///
/// `config` must have passed [`NetworkConfig::check`].
pub fn level_extents(config: &NetworkConfig) -> Vec<[usize; 3]> {
    // The last stride leads to the bottleneck, which has no output.
    let to_levels = config.strides_between_stages.len().saturating_sub(1);
    let mut extent = config.patch_size;
    let mut extents = vec![extent];
    for stride in &config.strides_between_stages[..to_levels] {
        extent = std::array::from_fn(|axis| extent[axis] / stride[axis]);
        extents.push(extent);
    }
    extents
}

/// The label map at each level's size, by nearest neighbour; each from the full resolution.
///
/// Shapes: `labels` [batch, 1, z, y, x]; returns [batch, 1, extent] for each extent.
///
/// An output voxel takes the input voxel that its centre lies in: of 8 voxels halved, 1, 3, 5 and
/// 7. Source: nnU-Net v1's `downsample_seg_for_ds_transform2`, that is skimage's `resize` of order
/// 0. The two agree wherever the sizes divide, as a plan's do; otherwise skimage sometimes breaks a
/// tie between two voxels the other way, since it computes the centre in floating point.
pub fn downsample_labels(labels: Tensor<5, Int>, extents: &[[usize; 3]]) -> Vec<Tensor<5, Int>> {
    extents
        .iter()
        .map(|extent| resize(labels.clone(), *extent))
        .collect()
}

fn resize(labels: Tensor<5, Int>, extent: [usize; 3]) -> Tensor<5, Int> {
    let device = labels.device();
    extent
        .into_iter()
        .enumerate()
        .fold(labels, |labels, (axis, to)| {
            let axis = axis + 2;
            let from = labels.dims()[axis];
            if from == to {
                return labels;
            }
            let indices = Tensor::<1, Int>::from_data(nearest(from, to).as_slice(), &device);
            labels.select(axis, indices)
        })
}

/// For each of `to` voxels, the one of `from` voxels that its centre lies in; on the border between
/// two, the later one.
fn nearest(from: usize, to: usize) -> Vec<i64> {
    (0..to)
        .map(|index| ((2 * index + 1) * from / (2 * to)) as i64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::paper;

    /// What `skimage.transform.resize(range(n), ..., order=0, mode="edge")` of 0.26 returns.
    #[test]
    fn indices_are_skimages() {
        assert_eq!(nearest(8, 4), [1, 3, 5, 7]);
        assert_eq!(nearest(16, 4), [2, 6, 10, 14]);
        assert_eq!(nearest(16, 2), [4, 12]);
        assert_eq!(nearest(16, 1), [8]);
        assert_eq!(nearest(9, 3), [1, 4, 7]);
        assert_eq!(nearest(5, 2), [1, 3]);
        assert_eq!(nearest(7, 7), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn axes_are_resized_on_their_own() {
        let labels = Tensor::<1, Int>::arange(0..2 * 2 * 4 * 6, &Device::flex());
        let labels = labels.reshape([2, 1, 2, 4, 6]);
        let levels = downsample_labels(labels.clone(), &[[2, 4, 6], [2, 2, 3], [1, 1, 3]]);
        assert_eq!(levels[0].to_data(), labels.to_data());
        assert_eq!(levels[1].dims(), [2, 1, 2, 2, 3]);
        let coarsest: Vec<i64> = levels[2].to_data().iter().collect();
        // z 1 of 2, y 2 of 4, x 1, 3, 5 of 6.
        assert_eq!(coarsest, [37, 39, 41, 85, 87, 89]);
    }

    #[test]
    fn the_papers_levels() {
        let found = level_extents(&paper().network);
        let expected = [
            [64, 192, 192],
            [64, 96, 96],
            [32, 48, 48],
            [16, 24, 24],
            [8, 12, 12],
        ];
        assert_eq!(found, expected);
    }
}
