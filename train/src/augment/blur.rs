//! Gaussian blur.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use super::Random;
use super::channel::channels;
use super::filter::{Border, gaussian};
use super::range;
use super::table::Intensity;
use crate::TrainError;

/// Gaussian blur, of another width in each channel.
///
/// Source: batchgenerators 0.21, `augment_gaussian_blur` (`gaussian_filter` of scipy).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Blur {
    /// How likely a sample is blurred.
    pub probability: f64,
    /// How likely each channel of such a sample is.
    pub channel_probability: f64,
    /// Least and largest standard deviation, in voxels along every axis.
    pub sigma: [f64; 2],
}

impl Default for Blur {
    fn default() -> Self {
        Self {
            probability: 0.2,
            channel_probability: 0.5,
            sigma: [0.5, 1.0],
        }
    }
}

impl Blur {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        range::check_probability("blur.probability", self.probability)?;
        range::check_probability("blur.channel_probability", self.channel_probability)?;
        range::check("blur.sigma", self.sigma, [0.1, 50.0])
    }
}

impl Intensity for Blur {
    fn probability(&self) -> f64 {
        self.probability
    }

    fn change(&self, image: &mut Array4<f32>, random: &mut Random) {
        let (channels, extent) = channels(image);
        for voxels in channels {
            let blurred = random.chance(self.channel_probability);
            let sigma = range::draw(self.sigma, random);
            if blurred {
                gaussian(voxels, extent, sigma, Border::Mirror);
            }
        }
    }
}
