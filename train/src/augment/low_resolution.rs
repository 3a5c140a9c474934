//! Simulated low resolution.

use ndarray::{Array4, Axis};
use serde::{Deserialize, Serialize};
use uniseg_imaging::{Extent, Interpolation, resample};

use super::Random;
use super::range;
use super::table::Intensity;
use crate::TrainError;

/// Some channels lose voxels and are brought back to size: nearest voxels on the way down, a cubic
/// spline, clipped to their range, on the way up.
///
/// Source: batchgenerators 0.21, `augment_linear_downsampling_scipy` (`resize` of scikit-image).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LowResolution {
    /// How likely a sample loses resolution.
    pub probability: f64,
    /// How likely each channel of such a sample does.
    pub channel_probability: f64,
    /// Least and largest share of the voxels that is left along each axis.
    pub zoom: [f64; 2],
}

impl Default for LowResolution {
    fn default() -> Self {
        Self {
            probability: 0.25,
            channel_probability: 0.5,
            zoom: [0.5, 1.0],
        }
    }
}

impl LowResolution {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        range::check_probability("low_resolution.probability", self.probability)?;
        range::check_probability(
            "low_resolution.channel_probability",
            self.channel_probability,
        )?;
        range::check("low_resolution.zoom", self.zoom, [0.01, 1.0])
    }
}

impl Intensity for LowResolution {
    fn probability(&self) -> f64 {
        self.probability
    }

    fn change(&self, image: &mut Array4<f32>, random: &mut Random) {
        for mut channel in image.axis_iter_mut(Axis(0)) {
            let chosen = random.chance(self.channel_probability);
            let zoom = range::draw(self.zoom, random);
            if !chosen {
                continue;
            }
            let full = Extent::from(channel.dim());
            let left = |size: usize| ((size as f64 * zoom).round_ties_even() as usize).max(1);
            let small = Extent::from_zyx(full.zyx().map(left));
            let back = resample(channel.view(), small, Interpolation::Nearest, None)
                .and_then(|small| resample(small.view(), full, Interpolation::Cubic, None));
            // Only a patch without voxels has no other extent, and nothing to lose.
            if let Ok(back) = back {
                channel.assign(&back);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [f32; 60] = [
        9.362_006,
        1.626_102_2,
        -4.619_988_4,
        4.975_403,
        11.0,
        4.154_681_7,
        1.147_200_5,
        -0.647_171_8,
        4.853_449_3,
        9.761_751,
        -5.311_54,
        0.276_620_8,
        6.574_879,
        4.631_754_4,
        1.277_207,
        -9.0,
        -0.202_280_9,
        10.547_696,
        4.509_801,
        -3.390_101_4,
        3.034_502_7,
        0.566_299_3,
        -0.5,
        5.148_956_3,
        9.967_463_5,
        2.784_733,
        0.763_292_2,
        -0.5,
        3.037_364_7,
        6.225_107,
        2.330_684_7,
        1.121_398_9,
        -0.5,
        -0.801_227_3,
        -0.577_997_4,
        2.080_914_7,
        1.318_391_8,
        -0.5,
        -2.912_819,
        -4.320_353_5,
        -3.293_000_5,
        -0.493_503_6,
        3.619_988_4,
        5.322_51,
        5.505_867,
        1.414_784_3,
        0.379_383_9,
        -0.352_828_1,
        1.221_28,
        2.688_463,
        9.972_909,
        1.966_177,
        -7.574_879,
        -6.234_209,
        -2.433_201_8,
        11.0,
        2.839_064_6,
        -9.0,
        -9.0,
        -5.250_605_6,
    ];

    /// `augment_linear_downsampling_scipy(order_downsample=0, order_upsample=3)` of
    /// batchgenerators 0.21 on scikit-image 0.24.
    #[test]
    fn low_resolution_equals_batchgenerators() {
        let step = LowResolution {
            probability: 1.0,
            channel_probability: 1.0,
            zoom: [0.6, 0.6],
        };
        let mut image = Array4::from_shape_fn((1, 3, 4, 5), |(_, z, y, x)| {
            ((z * 31 + y * 17 + x * 7 + 3 * z * y * x) % 23) as f32 - 11.0
        });
        step.change(&mut image, &mut Random::new(0));
        for (found, expected) in image.iter().zip(EXPECTED) {
            assert!((found - expected).abs() < 5e-6, "{image}");
        }
    }
}
