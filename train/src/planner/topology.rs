//! Strides and kernels for a patch.

use crate::TrainError;
use crate::plan::NetworkConfig;

/// An axis is not halved to fewer voxels. Source: nnU-Net v1, `UNET_min_feature_map_size`. The
/// prompt, one normalised channel of the bottleneck's size, can tell tasks apart from about
/// 2 x 3 x 3 voxels on; this leaves room.
const SMALLEST: usize = 4;

/// The paper's: more stages would have no more features.
const MOST_STRIDES: usize = 5;

/// Axes are treated alike whose spacings differ by less than this factor. Source: nnU-Net v2,
/// `get_pool_and_conv_props`.
const ALIKE: f64 = 2.0;

/// `network` with the given patch, and the strides and kernels that suit it at a spacing (z, y, x)
/// in millimetres.
///
/// As nnU-Net v2's `get_pool_and_conv_props`: of the axes that are long enough, each stage halves
/// those whose spacing is less than twice the finest, so that coarse ones join in later; kernels
/// are 1 along an axis until it is no longer coarse. Unlike there an axis is only halved while it
/// divides, so that any patch is taken as it is. The paper's patch and spacing give the paper's
/// strides and kernels.
///
/// Errors: [`TrainError::InvalidPlan`] for a patch in which nothing can be halved.
pub(super) fn shaped(
    network: &NetworkConfig,
    patch: [usize; 3],
    spacing: [f64; 3],
) -> Result<NetworkConfig, TrainError> {
    let (mut size, mut spacing) = (patch, spacing);
    let (mut strides, mut kernels, mut kernel) = (Vec::new(), Vec::new(), [1; 3]);
    while strides.len() < MOST_STRIDES {
        let halves = |axis: usize| size[axis] >= 2 * SMALLEST && size[axis].is_multiple_of(2);
        let finest = (0..3)
            .filter(|axis| halves(*axis))
            .map(|axis| spacing[axis])
            .fold(f64::INFINITY, f64::min);
        if finest == f64::INFINITY {
            break;
        }
        let stride =
            [0, 1, 2].map(|axis| 1 + usize::from(halves(axis) && spacing[axis] < ALIKE * finest));
        let finest_of_all = spacing.into_iter().fold(f64::INFINITY, f64::min);
        for axis in 0..3 {
            if spacing[axis] < ALIKE * finest_of_all {
                kernel[axis] = 3;
            }
            size[axis] /= stride[axis];
            spacing[axis] *= stride[axis] as f64;
        }
        kernels.push(kernel);
        strides.push(stride);
    }
    kernels.push([3; 3]);
    if strides.is_empty() || size.iter().any(|size| *size < SMALLEST) {
        return Err(TrainError::InvalidPlan {
            field: "patch_size".into(),
            found: format!("{patch:?}"),
            expected: format!(
                "every axis has at least {SMALLEST} voxels, and one at least {}, to be halved",
                2 * SMALLEST
            ),
        });
    }
    Ok(NetworkConfig {
        patch_size: patch,
        strides_between_stages: strides,
        kernel_sizes: kernels,
        stage_channels: None,
        ..network.clone()
    })
}

/// The next smaller size of an axis that still halves down to 4 to 7 voxels, if there is one: 4 to
/// 7 times a power of two. nnU-Net's planner takes the same steps, of the total stride.
pub(super) fn next_smaller(size: usize) -> Option<usize> {
    sizes().take_while(|step| *step < size).last()
}

/// The smallest such size that is not smaller than `size`.
pub(super) fn round_up(size: f64) -> usize {
    sizes().find(|step| *step as f64 >= size).unwrap_or(LARGEST)
}

/// No axis of a patch that is found is larger.
const LARGEST: usize = 7 << 6;

/// From 8 on: an axis that is never halved adds nothing but memory.
fn sizes() -> impl Iterator<Item = usize> {
    (1..=6).flat_map(|power| (SMALLEST..2 * SMALLEST).map(move |factor| factor << power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::paper;

    #[track_caller]
    fn check(patch: [usize; 3], spacing: [f64; 3], strides: &[[usize; 3]], first: [usize; 3]) {
        let network = shaped(&paper().network, patch, spacing).unwrap();
        network.check().unwrap();
        assert_eq!(network.strides_between_stages, strides);
        assert_eq!(network.kernel_sizes[0], first);
        assert!(network.bottleneck_size().iter().all(|size| *size >= 4));
    }

    #[test]
    fn the_papers_patch_gives_the_papers_network() {
        let paper = paper().network;
        let network = shaped(&paper, paper.patch_size, [3.0, 1.5, 1.5]).unwrap();
        assert_eq!(network, paper);
    }

    #[test]
    fn coarse_and_short_axes_are_halved_less_often() {
        check(
            [32, 96, 96],
            [3.0, 1.5, 1.5],
            &[[1, 2, 2], [2; 3], [2; 3], [2; 3]],
            [1, 3, 3],
        );
        check([64; 3], [1.0; 3], &[[2; 3]; 4], [3; 3]);
        check(
            [16, 64, 64],
            [5.0, 1.0, 1.0],
            &[[1, 2, 2], [1, 2, 2], [2; 3], [2; 3]],
            [1, 3, 3],
        );
        check([128; 3], [1.0; 3], &[[2; 3]; 5], [3; 3]);
        // More than the most strides, and what no longer divides.
        check([256; 3], [1.0; 3], &[[2; 3]; 5], [3; 3]);
        check(
            [36, 40, 50],
            [1.0; 3],
            &[[2; 3], [2, 2, 1], [1, 2, 1]],
            [3; 3],
        );
        // A coarse axis without equals: the other two are convolved along.
        check(
            [8, 8, 32],
            [1.0, 1.0, 4.0],
            &[[2, 2, 1], [1, 1, 2], [1, 1, 2], [1, 1, 2]],
            [3, 3, 1],
        );
    }

    #[test]
    fn too_small_a_patch_is_refused() {
        for patch in [[7, 7, 7], [2, 64, 64], [9, 9, 9]] {
            let error = shaped(&paper().network, patch, [1.0; 3]).unwrap_err();
            assert!(error.to_string().contains("patch_size"), "{error}");
        }
    }

    #[test]
    fn sizes_step_down_to_where_nothing_can_be_halved() {
        assert_eq!(next_smaller(192), Some(160));
        assert_eq!(next_smaller(128), Some(112));
        assert_eq!(next_smaller(10), Some(8));
        assert_eq!(next_smaller(8), None);
        assert_eq!(round_up(3.0), 8);
        assert_eq!(round_up(65.0), 80);
        assert_eq!(round_up(80.0), 80);
        assert_eq!(round_up(1e9), 448);
    }
}
