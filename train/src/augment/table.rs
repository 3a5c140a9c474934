//! What is done to the image's intensities, in order. Source: uniseg recipe, section 4.

use ndarray::Array4;

use super::gamma::GammaStep;
use super::{Augmentation, Random};

/// A member that changes intensities and leaves every voxel where it is.
pub(super) trait Intensity {
    /// How likely a sample is changed.
    fn probability(&self) -> f64;

    /// Changes a sample's image (channel, z, y, x), which is row-major.
    fn change(&self, image: &mut Array4<f32>, random: &mut Random);
}

/// Changes intensities with the name of their stream of random numbers: the order is nnU-Net's.
pub(super) fn intensity(settings: &Augmentation) -> [(&'static str, Box<dyn Intensity + '_>); 7] {
    let Augmentation { gamma, .. } = settings;
    [
        ("noise", Box::new(&settings.noise)),
        ("blur", Box::new(&settings.blur)),
        ("brightness", Box::new(&settings.brightness)),
        ("contrast", Box::new(&settings.contrast)),
        ("low_resolution", Box::new(&settings.low_resolution)),
        ("gamma_inverted", Box::new(GammaStep::inverted(gamma))),
        ("gamma", Box::new(GammaStep::plain(gamma))),
    ]
}

impl<T: Intensity> Intensity for &T {
    fn probability(&self) -> f64 {
        (**self).probability()
    }

    fn change(&self, image: &mut Array4<f32>, random: &mut Random) {
        (**self).change(image, random);
    }
}
