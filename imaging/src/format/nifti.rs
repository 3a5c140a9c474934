//! NIfTI-1 and NIfTI-2 images, `.nii` and `.nii.gz`.
//!
//! The [`nifti`] crate gives the meaning of a NIfTI-1 header's fields and of the datatype
//! codes. It never sees a file: it panics on headers that occur in practice, allocates what a
//! header claims, ignores gzip checksums and does not know NIfTI-2. So bytes are inflated
//! (`gzip`, `source`), bounded and put in order (`raw`) first, the fields are checked and repaired
//! (`layout`), and only then are numbers made of bytes that are really there (`decode`).
//!
//! Not here: `.hdr`/`.img` pairs, extensions (skipped on reading, dropped on writing), colour and
//! complex voxels.

mod decode;
mod fault;
mod gzip;
mod layout;
mod raw;
mod source;
mod warning;
mod write;

use std::path::Path;

use crate::error::ImagingError;
use crate::geometry::Geometry;
use crate::volume::Volume;

use layout::Layout;
use raw::RawHeader;
use source::Source;

pub use fault::NiftiFault;
pub use raw::NiftiVersion;
pub use warning::HeaderWarning;
pub use write::{write_image, write_labels};

/// An image file's content.
#[derive(Debug, Clone)]
pub struct NiftiImage {
    /// Voxels with slope and intercept applied, and their geometry in millimetres.
    pub volume: Volume<f32>,
    /// The header, to be passed on to results on the same grid.
    pub header: NiftiHeader,
    /// What was odd and how it was read.
    pub warnings: Vec<HeaderWarning>,
}

/// A checked header: the file's own bytes, and the geometry they were found to mean.
///
/// Results written with it keep the bytes of shape, sform, qform, voxel sizes and units, even
/// where reading had to repair them.
#[derive(Debug, Clone, PartialEq)]
pub struct NiftiHeader {
    raw: RawHeader,
    geometry: Geometry,
}

impl NiftiHeader {
    /// A fresh NIfTI-1 header for a grid, with its affine as sform (scanner coordinates).
    ///
    /// Errors: [`ImagingError::ExtentTooLarge`] beyond 32767 voxels along an axis.
    pub fn for_geometry(geometry: &Geometry) -> Result<Self, ImagingError> {
        let raw = RawHeader::for_geometry(geometry).ok_or(ImagingError::ExtentTooLarge {
            extent: geometry.extent,
        })?;
        Ok(Self {
            raw,
            geometry: *geometry,
        })
    }

    /// NIfTI-1 or NIfTI-2; results are written in the same version.
    pub fn version(&self) -> NiftiVersion {
        self.raw.version()
    }

    /// The grid after repairs, in millimetres.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The header's bytes in little-endian order, 348 or 540 of them, as they were in the file.
    pub fn bytes(&self) -> &[u8] {
        self.raw.bytes()
    }
}

/// Reads a three-dimensional image (further dimensions of size one are fine).
///
/// Voxels of every integer and floating type become f32 after slope and intercept. The affine is
/// the sform, else the qform, else the voxel sizes; spacing is that of the voxel sizes unless the
/// affine says otherwise by over 1 %. Metres and micrometres become millimetres. Compression is
/// recognised by content, not by name.
///
/// Errors: [`ImagingError::ReadNifti`] with the fault. Memory grows only with data that arrived.
pub fn read_nifti(path: &Path) -> Result<NiftiImage, ImagingError> {
    read(path).map_err(|fault| ImagingError::ReadNifti {
        path: path.to_path_buf(),
        fault,
    })
}

fn read(path: &Path) -> Result<NiftiImage, NiftiFault> {
    let mut source = Source::open(path)?;
    let raw = RawHeader::read(&mut source)?;
    let (layout, mut warnings) = Layout::interpret(&raw.fields()?, raw.version())?;
    source.check_claim(layout.end())?;
    source.skip(
        layout.data_offset() - raw.bytes().len() as u64,
        layout.end(),
    )?;
    let voxels = decode::read_voxels(&mut source, &layout, raw.byte_order())?;
    let surplus = source.finish(layout.end())?;
    if surplus > 0 {
        warnings.push(HeaderWarning::SurplusBytes { count: surplus });
    }
    let geometry = *layout.geometry();
    // The array was made with the layout's extent.
    let volume = Volume::new(voxels, geometry).map_err(|_| NiftiFault::TooManyVoxels {
        shape: layout.shape_xyz(),
    })?;
    Ok(NiftiImage {
        volume,
        header: NiftiHeader { raw, geometry },
        warnings,
    })
}
