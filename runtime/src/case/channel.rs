//! One channel of a case in memory.

use std::borrow::Cow;

use uniseg_imaging::{Geometry, NiftiHeader, NiftiImage, Volume};

/// The voxels of an image file, and the header that results are written like.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) header: NiftiHeader,
    voxels: Voxels,
}

/// Scanners write whole numbers of 16 bits or less; what was computed may be anything.
#[derive(Debug)]
enum Voxels {
    Floats(Volume<f32>),
    Whole(Volume<i16>),
}

/// Voxels that are all whole numbers of 16 bits, which is what scanners write, are kept so: half of
/// the memory beside a network that needs all it can get.
impl From<NiftiImage> for Channel {
    fn from(image: NiftiImage) -> Channel {
        let whole = |value: &f32| f32::from(*value as i16) == *value;
        let voxels = match image.volume.voxels().iter().all(whole) {
            true => Voxels::Whole(image.volume.map(|value| value as i16)),
            false => Voxels::Floats(image.volume),
        };
        Channel {
            header: image.header,
            voxels,
        }
    }
}

impl Channel {
    /// Where the voxels lie.
    pub(super) fn geometry(&self) -> &Geometry {
        match &self.voxels {
            Voxels::Floats(volume) => volume.geometry(),
            Voxels::Whole(volume) => volume.geometry(),
        }
    }

    /// The voxels; made where they are kept in 16 bits.
    pub(super) fn volume(&self) -> Cow<'_, Volume<f32>> {
        match &self.voxels {
            Voxels::Floats(volume) => Cow::Borrowed(volume),
            Voxels::Whole(volume) => Cow::Owned(volume.map(f32::from)),
        }
    }

    /// Bytes of the voxels as they are kept, and of those that [`Channel::volume`] makes.
    pub(super) fn bytes(&self) -> [u64; 2] {
        let sizes = self.geometry().extent.zyx();
        let voxels: u64 = sizes.iter().map(|size| *size as u64).product();
        match &self.voxels {
            Voxels::Floats(_) => [4 * voxels, 0],
            Voxels::Whole(_) => [2 * voxels, 4 * voxels],
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use uniseg_imaging::{Extent, SpacingMm};

    use super::*;

    fn channel(values: [f32; 4]) -> Channel {
        let spacing = SpacingMm::from_zyx([1.0; 3]).unwrap();
        let geometry = Geometry::axis_aligned(Extent::from_zyx([1, 1, 4]), spacing);
        let voxels = Array3::from_shape_vec((1, 1, 4), values.to_vec()).unwrap();
        Channel::from(NiftiImage {
            header: NiftiHeader::for_geometry(&geometry).unwrap(),
            volume: Volume::new(voxels, geometry).unwrap(),
            warnings: Vec::new(),
        })
    }

    #[test]
    fn whole_numbers_take_half_the_memory_and_come_back_as_they_were() {
        let values = [-1024.0, 0.0, 32_767.0, -32_768.0];
        let found = channel(values);
        assert_eq!(found.bytes(), [8, 16]);
        assert!(found.volume().voxels().iter().eq(&values));
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for odd in [0.5, 32_768.0, f32::NAN, f32::INFINITY] {
            let found = channel([1.0, 2.0, odd, 3.0]);
            assert_eq!(found.bytes(), [16, 0], "{odd}");
            assert!(matches!(found.volume(), Cow::Borrowed(_)));
        }
    }
}
