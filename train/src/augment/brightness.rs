//! Brightness.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use super::Random;
use super::channel::channels;
use super::range;
use super::table::Intensity;
use crate::TrainError;

/// Every channel times a factor of its own.
///
/// Source: batchgenerators 0.21, `augment_brightness_multiplicative`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Brightness {
    /// How likely a sample's brightness changes.
    pub probability: f64,
    /// Least and largest factor.
    pub factor: [f64; 2],
}

impl Default for Brightness {
    fn default() -> Self {
        Self {
            probability: 0.15,
            factor: [0.75, 1.25],
        }
    }
}

impl Brightness {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        range::check_probability("brightness.probability", self.probability)?;
        range::check("brightness.factor", self.factor, [0.0, 100.0])
    }
}

impl Intensity for Brightness {
    fn probability(&self) -> f64 {
        self.probability
    }

    fn change(&self, image: &mut Array4<f32>, random: &mut Random) {
        for voxels in channels(image).0 {
            let factor = range::draw(self.factor, random) as f32;
            voxels.iter_mut().for_each(|v| *v *= factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_a_factor_of_its_own() {
        let before = Array4::from_shape_fn((2, 2, 2, 2), |(c, z, y, x)| {
            (8 * c + 4 * z + 2 * y + x + 1) as f32
        });
        let mut after = before.clone();
        Brightness::default().change(&mut after, &mut Random::new(2));
        let factors: Vec<f32> = (&after / &before).into_iter().collect();
        for channel in factors.chunks(8) {
            assert!(channel.iter().all(|v| (v - channel[0]).abs() < 1e-6));
            assert!((0.75..1.25).contains(&channel[0]));
        }
        assert!((factors[0] - factors[8]).abs() > 1e-3);
    }
}
