//! Contrast.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use super::Random;
use super::channel::{channels, extremes, mean_and_deviation};
use super::range::{self, Range};
use super::table::Intensity;
use crate::TrainError;

/// The distance of every voxel from its channel's mean times a factor of the channel's own,
/// clipped to the range that the channel had.
///
/// Source: batchgenerators 0.21, `augment_contrast` with `preserve_range`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contrast {
    /// How likely a sample's contrast changes.
    pub probability: f64,
    /// Least and largest factor; below and above 1 are as likely.
    pub factor: [f64; 2],
}

impl Default for Contrast {
    fn default() -> Self {
        Self {
            probability: 0.15,
            factor: [0.75, 1.25],
        }
    }
}

impl Contrast {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        const LIMITS: Range = [0.0, 100.0];
        range::check_probability("contrast.probability", self.probability)?;
        range::check("contrast.factor", self.factor, LIMITS)
    }
}

impl Intensity for Contrast {
    fn probability(&self) -> f64 {
        self.probability
    }

    fn change(&self, image: &mut Array4<f32>, random: &mut Random) {
        for voxels in channels(image).0 {
            stretch(voxels, range::draw_about_one(self.factor, random) as f32);
        }
    }
}

fn stretch(voxels: &mut [f32], factor: f32) {
    let mean = mean_and_deviation(voxels).0 as f32;
    let (low, high) = extremes(voxels);
    for v in voxels {
        *v = ((*v - mean) * factor + mean).max(low).min(high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [(f32, [f32; 6]); 2] = [
        (
            0.8,
            [
                2.783_333_3,
                -0.416_666_6,
                3.583_333_3,
                1.583_333_4,
                -3.616_666_6,
                7.583_333_5,
            ],
        ),
        (
            1.2,
            [
                3.216_666_7,
                -1.583_333_4,
                4.416_666_5,
                1.416_666_6,
                -5.0,
                9.0,
            ],
        ),
    ];

    /// `augment_contrast` of batchgenerators 0.21 with a range of one factor.
    #[test]
    fn contrast_equals_batchgenerators() {
        const LINE: [f32; 6] = [3.0, -1.0, 4.0, 1.5, -5.0, 9.0];
        for (factor, expected) in EXPECTED {
            let mut voxels = LINE;
            stretch(&mut voxels, factor);
            for (found, expected) in voxels.iter().zip(expected) {
                assert!((found - expected).abs() < 2e-6, "{factor}: {voxels:?}");
            }
        }
    }
}
