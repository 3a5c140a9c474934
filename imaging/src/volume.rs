//! Voxels with their geometry.

use ndarray::{Array3, ArrayView3};

use crate::error::ImagingError;
use crate::geometry::{Extent, Geometry};

/// A three-dimensional array, indexed (z, y, x), and where it lies in space.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<T> {
    voxels: Array3<T>,
    geometry: Geometry,
}

impl<T> Volume<T> {
    /// Joins voxels and geometry.
    ///
    /// Errors: [`ImagingError::VolumeShape`] if the array does not have the geometry's extent.
    pub fn new(voxels: Array3<T>, geometry: Geometry) -> Result<Self, ImagingError> {
        let found = Extent::from(voxels.dim());
        if found == geometry.extent {
            Ok(Self { voxels, geometry })
        } else {
            Err(ImagingError::VolumeShape {
                found,
                expected: geometry.extent,
            })
        }
    }

    /// The voxels, (z, y, x).
    pub fn voxels(&self) -> ArrayView3<'_, T> {
        self.voxels.view()
    }

    /// The voxels alone.
    pub fn into_voxels(self) -> Array3<T> {
        self.voxels
    }

    /// The same grid with other voxels.
    pub fn map<U>(&self, map: impl Fn(T) -> U) -> Volume<U>
    where
        T: Clone,
    {
        Volume {
            voxels: self.voxels.mapv(map),
            geometry: self.geometry,
        }
    }

    /// Where the voxels lie.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::SpacingMm;

    #[test]
    fn shape_and_extent_must_agree() -> Result<(), ImagingError> {
        let spacing = SpacingMm::from_zyx([1.0; 3])?;
        let geometry = Geometry::axis_aligned(Extent::from_zyx([2, 3, 4]), spacing);
        assert!(Volume::new(Array3::<f32>::zeros((2, 3, 4)), geometry).is_ok());
        let error = Volume::new(Array3::<f32>::zeros((4, 3, 2)), geometry).err();
        assert_eq!(
            error.map(|e| e.to_string()).as_deref(),
            Some("voxels are 4 x 3 x 2 (z, y, x), their geometry says 2 x 3 x 4 (z, y, x)")
        );
        Ok(())
    }
}
