//! Mirroring.

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::channel::row_major;
use super::range;
use super::{Random, Sample};
use crate::TrainError;

/// Image and label mirrored along some axes.
///
/// Source: batchgenerators 0.21, `augment_mirroring`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mirror {
    /// How likely each axis is mirrored.
    pub probability: f64,
    /// Which axes, (z, y, x), may be.
    pub axes: [bool; 3],
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            probability: 0.5,
            axes: [true; 3],
        }
    }
}

impl Mirror {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        range::check_probability("mirror.probability", self.probability)
    }

    pub(super) fn apply(&self, sample: Sample, random: &mut Random) -> Sample {
        let Sample {
            mut image,
            mut label,
        } = sample;
        for (axis, may) in self.axes.into_iter().enumerate() {
            if random.chance(self.probability) && may {
                image.invert_axis(Axis(axis + 1));
                label.invert_axis(Axis(axis));
            }
        }
        // One copy, however many axes were mirrored.
        Sample {
            image: row_major(image),
            label: row_major(label),
        }
    }
}
