//! Results as NIfTI files, whole or not at all.

use std::io::{self, Write};
use std::path::Path;

use ndarray::Array3;

use crate::error::ImagingError;
use crate::format::atomic::write_atomically;
use crate::geometry::Extent;
use crate::volume::Volume;

use super::NiftiHeader;
use super::raw::RawHeader;

const UINT8: i16 = 2;
pub(super) const FLOAT32: i16 = 16;
const UINT16: i16 = 512;

/// Writes labels (z, y, x) on the grid of an image that was read.
///
/// Shape, sform, qform, their codes, voxel sizes and units keep the header's bytes (in
/// little-endian order); the NIfTI version too. Voxels are uint8 if every label fits, else uint16.
/// Scaling, display range, intent and extensions are cleared. A name ending in `.nii.gz` is
/// compressed. The file appears whole or not at all.
///
/// Errors: [`ImagingError::LabelShape`], [`ImagingError::OutputName`], [`ImagingError::Write`].
pub fn write_labels(
    path: &Path,
    labels: &Array3<u16>,
    like: &NiftiHeader,
) -> Result<(), ImagingError> {
    let found = Extent::from(labels.dim());
    let expected = like.geometry.extent;
    if found != expected {
        return Err(ImagingError::LabelShape {
            path: path.to_path_buf(),
            found,
            expected,
        });
    }
    let highest = labels.iter().max().copied().unwrap_or(0);
    if u8::try_from(highest).is_ok() {
        let voxels = labels.iter().map(|label| [*label as u8]);
        write(path, &like.raw.with_voxels(UINT8, 8), voxels)
    } else {
        let voxels = labels.iter().map(|label| label.to_le_bytes());
        write(path, &like.raw.with_voxels(UINT16, 16), voxels)
    }
}

/// Writes an image as a fresh NIfTI-1 file of f32 voxels, its affine as sform.
///
/// Errors: [`ImagingError::ExtentTooLarge`], [`ImagingError::OutputName`],
/// [`ImagingError::Write`].
pub fn write_image(path: &Path, volume: &Volume<f32>) -> Result<(), ImagingError> {
    let header = NiftiHeader::for_geometry(volume.geometry())?;
    let voxels = volume.voxels();
    let voxels = voxels.iter().map(|value| value.to_le_bytes());
    write(path, &header.raw.with_voxels(FLOAT32, 32), voxels)
}

fn write<const N: usize>(
    path: &Path,
    header: &RawHeader,
    voxels: impl Iterator<Item = [u8; N]>,
) -> Result<(), ImagingError> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase());
    let gzip = match name {
        Some(name) if name.ends_with(".nii.gz") => true,
        Some(name) if name.ends_with(".nii") => false,
        _ => {
            return Err(ImagingError::OutputName {
                path: path.to_path_buf(),
            });
        }
    };
    write_atomically(path, gzip, |out| fill(out, header, voxels)).map_err(|source| {
        ImagingError::Write {
            path: path.to_path_buf(),
            source,
        }
    })
}

fn fill<const N: usize>(
    out: &mut dyn Write,
    header: &RawHeader,
    voxels: impl Iterator<Item = [u8; N]>,
) -> io::Result<()> {
    const BLOCK: usize = 1 << 16;
    out.write_all(header.bytes())?;
    let no_extensions = [0; 4];
    out.write_all(&no_extensions)?;
    let mut block = Vec::with_capacity(BLOCK + N);
    for voxel in voxels {
        block.extend_from_slice(&voxel);
        if block.len() >= BLOCK {
            out.write_all(&block)?;
            block.clear();
        }
    }
    out.write_all(&block)
}
