//! Random changes of training patches, as nnU-Net v1's `moreDA` for 3-D makes them.
//!
//! The loader cuts a block that is larger than the patch; one resampling pass turns and scales it
//! into the patch, the image's intensities are changed one way after the other, and both are
//! mirrored:
//!
//! ```text
//! Block (c, Z, Y, X) --spatial--> (c, z, y, x) --noise, blur, brightness, contrast,
//!                                                low resolution, gamma--> mirror --> Sample
//! ```
//!
//! | module | what | p |
//! |---|---|---|
//! | [`rotation`] | about all three axes, -30 to 30 degrees | 0.2 |
//! | [`scaling`] | one factor for all axes, 0.7 to 1.4 | 0.2 |
//! | [`elastic`] | a smooth random displacement | off |
//! | [`noise`] | Gaussian, standard deviation 0 to 0.1 | 0.1 |
//! | [`blur`] | Gaussian, sigma 0.5 to 1 voxel | 0.2, channels 0.5 |
//! | [`brightness`] | times 0.75 to 1.25 | 0.15 |
//! | [`contrast`] | about the mean, times 0.75 to 1.25 | 0.15 |
//! | [`low_resolution`] | 0.5 to 1 of the voxels and back | 0.25, channels 0.5 |
//! | [`gamma`] | 0.7 to 1.5, first on the inverted image | 0.1, then 0.3 |
//! | [`mirror`] | each axis | 0.5 |
//!
//! The settings of the paper are the defaults. Numbers follow batchgenerators on scipy and
//! scikit-image; where not, the member says so. nnU-Net's masking of what lies outside the
//! non-zero region is left out: the paper's merged plan has it switched off for every channel.
//!
//! Every member draws from a stream of its own that depends on the sample's seed and the member's
//! name alone. So what one member draws does not change when another is reconfigured, and never
//! depends on what the image shows.

use ndarray::{Array3, Array4};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::data::Block;

pub mod blur;
pub mod brightness;
pub mod contrast;
pub mod elastic;
pub mod gamma;
pub mod low_resolution;
pub mod mirror;
pub mod noise;
pub mod rotation;
pub mod scaling;

mod channel;
mod filter;
mod range;
mod spatial;
mod table;

pub use blur::Blur;
pub use brightness::Brightness;
pub use contrast::Contrast;
pub use elastic::Elastic;
pub use gamma::Gamma;
pub use low_resolution::LowResolution;
pub use mirror::Mirror;
pub use noise::Noise;
pub use rotation::Rotation;
pub use scaling::Scaling;

/// The random numbers that augmentation draws.
pub use crate::data::random::Random;

/// Probabilities and ranges of all members; by default the paper's.
///
/// In a configuration file every setting may be left out. A member of probability 0 is off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Rotation about all three axes.
    pub rotation: Rotation,
    /// Scaling, alike along all axes.
    pub scaling: Scaling,
    /// Elastic deformation; off, as in the paper.
    pub elastic: Elastic,
    /// Gaussian noise.
    pub noise: Noise,
    /// Gaussian blur.
    pub blur: Blur,
    /// Multiplicative brightness.
    pub brightness: Brightness,
    /// Contrast.
    pub contrast: Contrast,
    /// Simulated low resolution.
    pub low_resolution: LowResolution,
    /// Gamma of the inverted image, then of the image.
    pub gamma: Gamma,
    /// Mirroring.
    pub mirror: Mirror,
}

/// A patch to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// (channel, z, y, x), row-major.
    pub image: Array4<f32>,
    /// (z, y, x), row-major; what lies outside the case is background.
    pub label: Array3<u8>,
}

impl Augmentation {
    /// No change at all: blocks are as large as patches.
    pub fn none() -> Self {
        let mut off = Self::default();
        for probability in off.probabilities() {
            *probability = 0.0;
        }
        off
    }

    /// Errors: [`TrainError::InvalidAugmentation`] at the first setting that makes no sense.
    pub fn check(&self) -> Result<(), TrainError> {
        self.rotation.check()?;
        self.scaling.check()?;
        self.elastic.check()?;
        self.noise.check()?;
        self.blur.check()?;
        self.brightness.check()?;
        self.contrast.check()?;
        self.low_resolution.check()?;
        self.gamma.check()?;
        self.mirror.check()
    }

    /// Size (z, y, x) of the block to cut for a patch of a size.
    ///
    /// The patch's diagonal vector is turned by the largest angle about one axis at a time; along
    /// each axis the largest extent found is divided by [`Scaling::block_scale`]. Blocks do not
    /// hold everything that can be asked of them: at three angles at once, or scaled by more than
    /// 1 / `block_scale`, corners of a patch show what lies beyond the block, which is 0 and
    /// background. Source: nnU-Net v1, `get_patch_size`.
    pub fn block_size(&self, patch: [usize; 3]) -> [usize; 3] {
        let angle = self.rotation.largest();
        let corner = patch.map(|size| size as f64);
        let mut largest = corner;
        for axis in 0..3 {
            let mut angles = [0.0; 3];
            angles[axis] = angle;
            let turned = rotation::turn(corner, &rotation::matrix(angles));
            for (largest, turned) in largest.iter_mut().zip(turned) {
                *largest = largest.max(turned.abs());
            }
        }
        largest.map(|size| (size / self.scaling.divisor()) as usize)
    }

    /// Makes a block of [`block_size`](Self::block_size) into a patch.
    ///
    /// The same block, patch and state of `random` give the same sample; `random` moves on by one
    /// draw whatever happens. A block of another size is taken as it is; what a patch shows beyond
    /// it is 0 and background. Labels below 0 become background; a label above 255 becomes 255, so
    /// a task of more labels is to be refused before.
    pub fn apply(&self, block: Block, patch: [usize; 3], random: &mut Random) -> Sample {
        let seed = random.next();
        let mut sample = match spatial::Spatial::draw(self, patch, seed) {
            Some(spatial) => spatial.resample(block, patch),
            None => spatial::centre_crop(&block, patch),
        };
        for (name, step) in table::intensity(self) {
            let mut random = Random::for_name(seed, name);
            if random.chance(step.probability()) {
                step.change(&mut sample.image, &mut random);
            }
        }
        self.mirror
            .apply(sample, &mut Random::for_name(seed, "mirror"))
    }

    fn probabilities(&mut self) -> [&mut f64; 11] {
        [
            &mut self.rotation.probability,
            &mut self.scaling.probability,
            &mut self.elastic.probability,
            &mut self.noise.probability,
            &mut self.blur.probability,
            &mut self.brightness.probability,
            &mut self.contrast.probability,
            &mut self.low_resolution.probability,
            &mut self.gamma.inverted_probability,
            &mut self.gamma.probability,
            &mut self.mirror.probability,
        ]
    }
}

#[cfg(test)]
mod tests;
