//! Elastic deformation.

use ndarray::Array3;
use serde::{Deserialize, Serialize};

use super::Random;
use super::filter::{Border, gaussian};
use super::range;
use crate::TrainError;

/// A smooth random displacement of every voxel of the patch, before it is turned and scaled.
///
/// Off in the paper; the ranges are nnU-Net v1's. Source: batchgenerators 0.21,
/// `elastic_deform_coordinates`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Elastic {
    /// How likely a sample is deformed.
    pub probability: f64,
    /// What smoothed noise between -1 and 1 is multiplied by, in voxels.
    pub alpha: [f64; 2],
    /// Standard deviation of the Gaussian that smooths the noise, in voxels.
    pub sigma: [f64; 2],
}

impl Default for Elastic {
    fn default() -> Self {
        Self {
            probability: 0.0,
            alpha: [0.0, 900.0],
            sigma: [9.0, 13.0],
        }
    }
}

impl Elastic {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        range::check_probability("elastic.probability", self.probability)?;
        range::check("elastic.alpha", self.alpha, [0.0, 10_000.0])?;
        range::check("elastic.sigma", self.sigma, [0.5, 100.0])
    }

    /// The displacement of a sample along z, y and x, in voxels, if it is deformed.
    pub(super) fn draw(&self, patch: [usize; 3], random: &mut Random) -> Option<[Array3<f32>; 3]> {
        let deformed = random.chance(self.probability);
        let alpha = range::draw(self.alpha, random) as f32;
        let sigma = range::draw(self.sigma, random);
        deformed.then(|| {
            [(); 3].map(|()| {
                let mut field =
                    Array3::from_shape_simple_fn(patch, || random.uniform(-1.0, 1.0) as f32);
                if let Some(voxels) = field.as_slice_mut() {
                    gaussian(voxels, patch, sigma, Border::Zero);
                }
                field *= alpha;
                field
            })
        })
    }
}
