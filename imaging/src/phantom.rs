//! Synthetic volumes: something to run on where there is no patient data.

use ndarray::Array3;

use crate::{Extent, Geometry, ImagingError, SpacingMm, Volume};

/// Labels of a phantom, in the order of their values from 1 on.
pub const CT_LABELS: [&str; 5] = ["liver", "spleen", "kidney", "lung", "vertebrae"];

/// A volume and the truth about it.
#[derive(Debug, Clone)]
pub struct Phantom {
    /// Intensities, in Hounsfield units.
    pub image: Volume<f32>,
    /// Labels on the same grid; see [`CT_LABELS`].
    pub labels: Array3<u16>,
}

/// An ellipsoid in the unit cube of the field of view: centre, radii (z, y, x), intensity, label.
struct Organ {
    centre: [f64; 3],
    radii: [f64; 3],
    hounsfield: f32,
    label: u16,
}

const fn organ(centre: [f64; 3], radii: [f64; 3], hounsfield: f32, label: u16) -> Organ {
    Organ {
        centre,
        radii,
        hounsfield,
        label,
    }
}

/// Indices grow to the head, the front and the patient's right. Later organs lie over earlier ones.
const ABDOMEN: [Organ; 9] = [
    // Fat under the skin, then the wall and what it holds.
    organ([0.5, 0.5, 0.5], [9.0, 0.40, 0.46], -90.0, 0),
    organ([0.5, 0.5, 0.5], [9.0, 0.36, 0.42], 40.0, 0),
    organ([0.95, 0.55, 0.30], [0.35, 0.24, 0.15], -820.0, 4),
    organ([0.95, 0.55, 0.70], [0.35, 0.24, 0.15], -820.0, 4),
    organ([0.55, 0.58, 0.69], [0.25, 0.22, 0.20], 110.0, 1),
    organ([0.60, 0.42, 0.22], [0.18, 0.12, 0.09], 125.0, 2),
    organ([0.35, 0.37, 0.33], [0.18, 0.08, 0.08], 160.0, 3),
    organ([0.35, 0.37, 0.67], [0.18, 0.08, 0.08], 160.0, 3),
    organ([0.5, 0.26, 0.5], [9.0, 0.09, 0.08], 420.0, 5),
];

/// Air around a patient, in Hounsfield units.
const AIR: f32 = -1000.0;
/// Noise of a clinical CT is of this order, in Hounsfield units.
const NOISE: f32 = 25.0;

/// An abdomen-like CT: a body with organs of slightly random pose and size, and noise. The same
/// seed gives the same volume.
///
/// Errors: [`ImagingError`] if the extent is empty.
pub fn ct(extent: Extent, spacing: SpacingMm, seed: u64) -> Result<Phantom, ImagingError> {
    let mut random = SplitMix64(seed);
    let organs = ABDOMEN.map(|organ| {
        let jitter =
            |value: f64, by: f64, random: &mut SplitMix64| value + by * (2.0 * random.unit() - 1.0);
        Organ {
            centre: organ.centre.map(|c| jitter(c, 0.015, &mut random)),
            radii: organ.radii.map(|r| r * jitter(1.0, 0.08, &mut random)),
            ..organ
        }
    });
    let size = extent.zyx();
    let mut labels = Array3::zeros(size);
    let voxels = Array3::from_shape_fn(size, |(z, y, x)| {
        let at = [z, y, x];
        let place: [f64; 3] =
            std::array::from_fn(|axis| (at[axis] as f64 + 0.5) / size[axis] as f64);
        let inside = organs.iter().rev().find(|organ| {
            let distance: f64 = (0..3)
                .map(|axis| ((place[axis] - organ.centre[axis]) / organ.radii[axis]).powi(2))
                .sum();
            distance <= 1.0
        });
        let noise = NOISE * random.normal();
        match inside {
            Some(organ) => {
                labels[at] = organ.label;
                organ.hounsfield + noise
            }
            None => (AIR + noise).max(-1024.0),
        }
    });
    let image = Volume::new(voxels, Geometry::axis_aligned(extent, spacing))?;
    Ok(Phantom { image, labels })
}

/// Steele, Lea and Flood's generator: tiny, and good enough for noise.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, near enough: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f64>() as f32 - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phantom_is_deterministic_and_has_every_organ() {
        let extent = Extent::from_zyx([24, 40, 48]);
        let spacing = SpacingMm::from_zyx([5.0, 8.0, 8.0]).unwrap();
        let phantom = ct(extent, spacing, 1).unwrap();
        assert_eq!(phantom.image, ct(extent, spacing, 1).unwrap().image);
        assert_ne!(phantom.image, ct(extent, spacing, 2).unwrap().image);
        for label in 1..=CT_LABELS.len() as u16 {
            assert!(
                phantom.labels.iter().any(|&found| found == label),
                "no {label}"
            );
        }
    }
}
