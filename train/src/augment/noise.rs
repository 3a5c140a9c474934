//! Gaussian noise.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use super::Random;
use super::channel::channels;
use super::range;
use super::table::Intensity;
use crate::TrainError;

/// Gaussian noise on every voxel of every channel.
///
/// batchgenerators 0.21 and nnU-Net call the range one of variances but hand the drawn number on
/// as the standard deviation, so that is what it is here, too. Source: `augment_gaussian_noise`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// How likely noise is added to a sample.
    pub probability: f64,
    /// Least and largest standard deviation, in the image's normalised units.
    pub deviation: [f64; 2],
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            probability: 0.1,
            deviation: [0.0, 0.1],
        }
    }
}

impl Noise {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        range::check_probability("noise.probability", self.probability)?;
        range::check("noise.deviation", self.deviation, [0.0, 100.0])
    }
}

impl Intensity for Noise {
    fn probability(&self) -> f64 {
        self.probability
    }

    fn change(&self, image: &mut Array4<f32>, random: &mut Random) {
        let deviation = range::draw(self.deviation, random);
        for voxels in channels(image).0 {
            for pair in voxels.chunks_mut(2) {
                let normal = random.normal_pair();
                pair.iter_mut()
                    .zip(normal)
                    .for_each(|(v, normal)| *v += (deviation * normal) as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::channel::mean_and_deviation;

    #[test]
    fn the_drawn_number_is_the_standard_deviation() {
        let noise = Noise {
            probability: 1.0,
            deviation: [0.07, 0.07],
        };
        let mut image = Array4::from_elem((2, 20, 21, 23), 3.0);
        noise.change(&mut image, &mut Random::new(1));
        let (mean, deviation) = mean_and_deviation(image.as_slice().unwrap());
        // 5 standard errors over 19,320 voxels.
        assert!((mean - 3.0).abs() < 5.0 * 0.07 / 139.0, "{mean}");
        assert!((deviation / 0.07 - 1.0).abs() < 5.0 / 196.0, "{deviation}");
    }
}
