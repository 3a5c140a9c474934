//! The importance of a voxel inside its window: high in the centre, low at the border.

use ndarray::{Array1, Array3};

use crate::RuntimeError;

/// Where scipy cuts the Gaussian, in standard deviations.
const TRUNCATE: f64 = 4.0;

/// Gaussian importance map of a patch, shape `patch` (z, y, x), values in (0, 1].
///
/// `sigma` is the standard deviation as a fraction of the patch. The maximum is 1 at voxel
/// `patch / 2`, and voxels where the map would be zero get its smallest other value, so that a
/// weighted mean never divides by zero.
///
/// Errors: [`RuntimeError::GaussianSigma`] if `sigma` is not finite and positive.
///
/// Source: nnU-Net v1, `_get_gaussian`: a delta image filtered by `scipy.ndimage.gaussian_filter`
/// with mode constant. The filter of a delta is the product of three one-dimensional kernels, so
/// no filter runs here; the products are taken in f64 as there.
pub fn gaussian(patch: [usize; 3], sigma: f64) -> Result<Array3<f32>, RuntimeError> {
    if !(sigma.is_finite() && sigma > 0.0) {
        return Err(RuntimeError::GaussianSigma { sigma });
    }
    if patch.contains(&0) {
        return Err(RuntimeError::EmptyVolume {
            extent: patch,
            patch,
        });
    }
    let [z, y, x] = patch.map(|size| kernel(size, sigma * size as f64));
    let mut map = Array3::from_shape_fn(patch, |(i, j, k)| (z[i] * y[j] * x[k]) as f32);
    let smallest = map
        .iter()
        .copied()
        .filter(|&value| value > 0.0)
        .fold(f32::INFINITY, f32::min)
        .min(1.0);
    map.mapv_inplace(|value| if value > 0.0 { value } else { smallest });
    Ok(map)
}

/// One axis of the map, scaled so that its centre is 1 (the scale cancels in the end).
fn kernel(size: usize, sigma: f64) -> Array1<f64> {
    let centre = size / 2;
    let radius = (TRUNCATE * sigma + 0.5) as usize;
    Array1::from_shape_fn(size, |i| {
        let distance = i.abs_diff(centre);
        if distance > radius {
            0.0
        } else {
            (-0.5 * (distance as f64 / sigma).powi(2)).exp()
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_centre_is_one_and_the_map_is_symmetric_about_it() {
        let map = gaussian([4, 6, 8], 0.125).unwrap();
        assert_eq!(map[[2, 3, 4]], 1.0);
        assert_eq!(map[[1, 3, 4]], map[[3, 3, 4]]);
        assert_eq!(map[[2, 3, 1]], map[[2, 3, 7]]);
        assert!(map[[0, 0, 0]] < map[[1, 1, 1]]);
    }

    #[test]
    fn a_bad_sigma_is_an_error() {
        for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                gaussian([4, 4, 4], sigma),
                Err(RuntimeError::GaussianSigma { .. })
            ));
        }
    }

    proptest! {
        #[test]
        fn every_weight_is_positive_and_at_most_one(
            patch in [1usize..20, 1usize..20, 1usize..20],
            sigma in 0.001f64..2.0,
        ) {
            let map = gaussian(patch, sigma).unwrap();
            prop_assert!(map.iter().all(|&weight| weight > 0.0 && weight <= 1.0));
            prop_assert_eq!(map[[patch[0] / 2, patch[1] / 2, patch[2] / 2]], 1.0);
        }
    }
}
