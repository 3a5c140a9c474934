//! Scaling.

use serde::{Deserialize, Serialize};

use super::Random;
use super::range::{self, Range};
use crate::TrainError;

/// Scaling of the patch about its centre, alike along all axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scaling {
    /// How likely a sample is scaled.
    pub probability: f64,
    /// Least and largest number of the block's voxels for one of the patch's: above 1, the patch
    /// shows more, and everything smaller. Below and above 1 are as likely.
    pub factor: [f64; 2],
    /// What the sizes of blocks are divided by if samples are scaled at all. nnU-Net v1 sizes them
    /// for its default range of factors, whose least is 0.85, and then widens the range.
    pub block_scale: f64,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            probability: 0.2,
            factor: [0.7, 1.4],
            block_scale: 0.85,
        }
    }
}

impl Scaling {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        const LIMITS: Range = [0.1, 10.0];
        range::check_probability("scaling.probability", self.probability)?;
        range::check("scaling.factor", self.factor, LIMITS)?;
        range::check_number("scaling.block_scale", self.block_scale, [0.1, 1.0])
    }

    pub(super) fn divisor(&self) -> f64 {
        if self.probability > 0.0 {
            self.block_scale
        } else {
            1.0
        }
    }

    /// The factor of a sample, if it is scaled.
    pub(super) fn draw(&self, random: &mut Random) -> Option<f64> {
        let scaled = random.chance(self.probability);
        let factor = range::draw_about_one(self.factor, random);
        scaled.then_some(factor)
    }
}
