//! Gamma.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use super::Random;
use super::channel::{channels, extremes, mean_and_deviation};
use super::range::{self, Range};
use super::table::Intensity;
use crate::TrainError;

/// Raises intensities, scaled to 0..1 within their channel, to a power of the channel's own, and
/// gives the channel back its mean and standard deviation. First on the inverted image, then, with
/// other draws, on the image.
///
/// Source: batchgenerators, `augment_gamma` with `retain_stats`. Version 0.21 shifts to the old
/// mean before it scales to the old deviation, which moves the mean again; here, as in version
/// 0.25, both are kept. So a channel of one value stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gamma {
    /// How likely a sample's inverted image is changed.
    pub inverted_probability: f64,
    /// How likely a sample's image is changed.
    pub probability: f64,
    /// Least and largest power; below and above 1 are as likely.
    pub power: [f64; 2],
}

impl Default for Gamma {
    fn default() -> Self {
        Self {
            inverted_probability: 0.1,
            probability: 0.3,
            power: [0.7, 1.5],
        }
    }
}

impl Gamma {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        const LIMITS: Range = [0.05, 20.0];
        range::check_probability("gamma.inverted_probability", self.inverted_probability)?;
        range::check_probability("gamma.probability", self.probability)?;
        range::check("gamma.power", self.power, LIMITS)
    }
}

/// One of the two passes.
pub(super) struct GammaStep<'a> {
    gamma: &'a Gamma,
    inverted: bool,
}

impl<'a> GammaStep<'a> {
    pub(super) fn inverted(gamma: &'a Gamma) -> Self {
        let inverted = true;
        Self { gamma, inverted }
    }

    pub(super) fn plain(gamma: &'a Gamma) -> Self {
        let inverted = false;
        Self { gamma, inverted }
    }
}

impl Intensity for GammaStep<'_> {
    fn probability(&self) -> f64 {
        match self.inverted {
            true => self.gamma.inverted_probability,
            false => self.gamma.probability,
        }
    }

    fn change(&self, image: &mut Array4<f32>, random: &mut Random) {
        for voxels in channels(image).0 {
            let power = range::draw_about_one(self.gamma.power, random) as f32;
            raise(voxels, power, self.inverted);
        }
    }
}

fn raise(voxels: &mut [f32], power: f32, inverted: bool) {
    /// Keeps a channel of one value from being divided by 0. Source: batchgenerators.
    const EPSILON: f32 = 1e-7;
    let sign = if inverted { -1.0 } else { 1.0 };
    let before = mean_and_deviation(voxels);
    let (low, high) = extremes(voxels);
    let range = high - low + EPSILON;
    let low = if inverted { -high } else { low };
    for v in voxels.iter_mut() {
        *v = ((sign * *v - low) / range).max(0.0).powf(power) * range + low;
    }
    let after = mean_and_deviation(voxels);
    let scale = before.1 / (after.1 + 1e-8);
    for v in voxels {
        *v = (f64::from(sign) * (f64::from(*v) - after.0) * scale + before.0) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [(f32, bool, [f32; 6]); 4] = [
        (
            0.7,
            false,
            [
                3.422_463_4,
                -0.217_374_4,
                4.236_182,
                2.141_621_8,
                -6.045_733,
                7.962_84,
            ],
        ),
        (
            1.5,
            false,
            [
                2.315_371_5,
                -1.495_548_4,
                3.454_572_2,
                0.737_688_9,
                -3.579_809_7,
                10.067_725,
            ],
        ),
        (
            0.7,
            true,
            [
                2.289_475_4,
                -1.040_980_2,
                3.217_783_2,
                0.979_639_6,
                -3.983_126_2,
                10.037_208,
            ],
        ),
        (
            1.5,
            true,
            [
                3.740_556,
                -0.644_381_9,
                4.651_593,
                2.226_912_3,
                -6.022_738,
                7.548_058,
            ],
        ),
    ];

    /// `augment_gamma(per_channel=True, retain_stats=True)` of batchgenerators 0.25.1 with a range
    /// of one power.
    #[test]
    fn gamma_equals_batchgenerators() {
        const LINE: [f32; 6] = [3.0, -1.0, 4.0, 1.5, -5.0, 9.0];
        for (power, inverted, expected) in EXPECTED {
            let mut voxels = LINE;
            raise(&mut voxels, power, inverted);
            for (found, expected) in voxels.iter().zip(expected) {
                assert!((found - expected).abs() < 5e-6, "{power}: {voxels:?}");
            }
        }
    }

    #[test]
    fn a_channel_of_one_value_stays_as_it_is() {
        for value in [0.0, -3.75, 812.5] {
            for inverted in [false, true] {
                let mut voxels = [value; 10];
                raise(&mut voxels, 0.8, inverted);
                assert_eq!(voxels, [value; 10]);
            }
        }
    }
}
