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
mod probabilities;
mod raw;
mod source;
mod warning;
mod write;

use std::path::Path;

use rayon::prelude::*;

use crate::error::ImagingError;
use crate::geometry::Geometry;
use crate::volume::Volume;

use layout::Layout;
use raw::RawHeader;
use source::Source;

pub use fault::NiftiFault;
pub use probabilities::ProbabilityFile;
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

/// The content of a file with one or more channels on one grid.
#[derive(Debug, Clone)]
pub struct NiftiChannels {
    /// The channels, in the file's order; at least one.
    pub channels: Vec<Volume<f32>>,
    /// The header of one channel, to be passed on to results on the same grid.
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

/// Reads an image with a channel dimension, as the Medical Segmentation Decathlon stores several
/// modalities: 4-D, channels last in the header, each of them a volume on the same grid.
///
/// A three-dimensional image is one channel. The header is that of one channel, so that results
/// on the grid are three-dimensional. All else is as in [`read_nifti`].
///
/// Errors: [`ImagingError::ReadNifti`] with the fault. Memory grows only with data that arrived.
pub fn read_nifti_channels(path: &Path) -> Result<NiftiChannels, ImagingError> {
    read_channels(path).map_err(|fault| ImagingError::ReadNifti {
        path: path.to_path_buf(),
        fault,
    })
}

fn read(path: &Path) -> Result<NiftiImage, NiftiFault> {
    let file = Opened::open(path)?;
    if file.layout.frames() != 1 {
        return Err(NiftiFault::NotThreeDimensional {
            shape: file.shape(),
        });
    }
    // Further dimensions of size one are kept as the file has them.
    let header = file.header();
    let (mut channels, warnings) = file.read_frames()?;
    let volume = channels.pop().ok_or(NiftiFault::Empty)?;
    Ok(NiftiImage {
        volume,
        header,
        warnings,
    })
}

fn read_channels(path: &Path) -> Result<NiftiChannels, NiftiFault> {
    let file = Opened::open(path)?;
    let mut header = file.header();
    header.raw = header.raw.with_one_frame();
    let (channels, warnings) = file.read_frames()?;
    Ok(NiftiChannels {
        channels,
        header,
        warnings,
    })
}

/// A file whose header is understood and whose voxels come next.
struct Opened {
    source: Source,
    raw: RawHeader,
    layout: Layout,
    warnings: Vec<HeaderWarning>,
}

impl Opened {
    fn open(path: &Path) -> Result<Self, NiftiFault> {
        let mut source = Source::open(path)?;
        let raw = RawHeader::read(&mut source)?;
        let (layout, warnings) = Layout::interpret(&raw.fields()?, raw.version())?;
        Ok(Self {
            source,
            raw,
            layout,
            warnings,
        })
    }

    /// Sizes along x, y, z and the frames.
    fn shape(&self) -> Vec<i64> {
        let frames = self.layout.frames() as i64;
        let sizes = self.layout.shape_xyz().map(|size| size as i64);
        sizes.into_iter().chain([frames]).collect()
    }

    fn header(&self) -> NiftiHeader {
        NiftiHeader {
            raw: self.raw.clone(),
            geometry: *self.layout.geometry(),
        }
    }

    fn read_frames(mut self) -> Result<(Vec<Volume<f32>>, Vec<HeaderWarning>), NiftiFault> {
        let layout = &self.layout;
        self.source.check_claim(layout.end())?;
        self.source.skip(
            layout.data_offset() - self.raw.bytes().len() as u64,
            layout.end(),
        )?;
        let mut frames = Vec::new();
        for _ in 0..layout.frames() {
            let voxels = decode::read_voxels(&mut self.source, layout, self.raw.byte_order())?;
            // The array was made with the layout's extent.
            let volume = Volume::new(voxels, *layout.geometry());
            frames.push(volume.map_err(|_| NiftiFault::TooManyVoxels {
                shape: layout.shape_xyz(),
            })?);
        }
        let surplus = self.source.finish(layout.end())?;
        if surplus > 0 {
            self.warnings
                .push(HeaderWarning::SurplusBytes { count: surplus });
        }
        // Whole numbers stay numbers when they are scaled.
        let looked_at = frames.iter().filter(|_| layout.scalar().is_float());
        let count = looked_at.map(not_numbers).sum();
        if count > 0 {
            self.warnings.push(HeaderWarning::NotNumbers { count });
        }
        Ok((frames, self.warnings))
    }
}

/// How many voxels are NaN.
fn not_numbers(volume: &Volume<f32>) -> u64 {
    let voxels = volume.voxels();
    let planes: Vec<_> = voxels.outer_iter().collect();
    let count = planes
        .into_par_iter()
        .map(|plane| plane.iter().filter(|voxel| voxel.is_nan()).count());
    count.sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Extent, SpacingMm};
    use ndarray::Array3;

    #[test]
    fn voxels_that_are_no_numbers_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let spacing = SpacingMm::from_zyx([1.0; 3]).unwrap();
        let geometry = Geometry::axis_aligned(Extent::from_zyx([2, 1, 3]), spacing);
        let mut voxels = Array3::zeros((2, 1, 3));
        for bad in [[0, 0, 1], [1, 0, 2]] {
            voxels[bad] = f32::NAN;
        }
        let path = folder.path().join("nan.nii");
        write_image(&path, &Volume::new(voxels, geometry).unwrap()).unwrap();
        let warnings = read_nifti(&path).unwrap().warnings;
        assert_eq!(warnings, [HeaderWarning::NotNumbers { count: 2 }]);
    }

    /// A file of two channels: three-dimensional bytes under a four-dimensional header.
    fn two_channels(folder: &Path, dims: [i16; 8]) -> std::path::PathBuf {
        let spacing = SpacingMm::from_zyx([3.0, 1.0, 2.0]).unwrap();
        let geometry = Geometry::axis_aligned(Extent::from_zyx([6, 4, 5]), spacing);
        let voxels = Array3::from_shape_fn((6, 4, 5), |(z, y, x)| (100 * z + 10 * y + x) as f32);
        let path = folder.join("case.nii");
        write_image(&path, &Volume::new(voxels, geometry).unwrap()).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        for (i, size) in dims.into_iter().enumerate() {
            bytes[40 + 2 * i..42 + 2 * i].copy_from_slice(&size.to_le_bytes());
        }
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn channels_are_split_and_keep_their_grid() {
        let folder = tempfile::tempdir().unwrap();
        // Decathlon writes 4-D, some tools put channels into the fifth dimension.
        for dims in [[4, 5, 4, 3, 2, 1, 1, 1], [5, 5, 4, 3, 1, 2, 1, 1]] {
            let path = two_channels(folder.path(), dims);
            let image = read_nifti_channels(&path).unwrap();
            assert_eq!(image.channels.len(), 2);
            for (index, channel) in image.channels.iter().enumerate() {
                assert_eq!(channel.geometry().extent, Extent::from_zyx([3, 4, 5]));
                assert_eq!(channel.geometry().spacing.zyx(), [3.0, 1.0, 2.0]);
                assert_eq!(channel.voxels()[[1, 2, 3]], (300 * index + 123) as f32);
            }
            let labels = image.channels[1].voxels().mapv(|v| v as u16);
            let out = folder.path().join("labels.nii.gz");
            write_labels(&out, &labels, &image.header).unwrap();
            let again = read_nifti(&out).unwrap();
            assert_eq!(again.volume.voxels(), image.channels[1].voxels());
            assert!(matches!(
                read_nifti(&path).unwrap_err(),
                ImagingError::ReadNifti {
                    fault: NiftiFault::NotThreeDimensional { .. },
                    ..
                }
            ));
        }
    }

    #[test]
    fn a_three_dimensional_image_is_one_channel() {
        let folder = tempfile::tempdir().unwrap();
        let path = two_channels(folder.path(), [3, 5, 4, 6, 1, 1, 1, 1]);
        let channels = read_nifti_channels(&path).unwrap().channels;
        let image = read_nifti(&path).unwrap();
        assert_eq!(channels, [image.volume]);
    }

    #[test]
    fn claimed_channels_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        for (dims, missing) in [
            ([4, 5, 4, 3, 3, 1, 1, 1], true),
            ([4, 5, 4, 3, i16::MAX, 1, 1, 1], true),
            ([5, 5, 4, 3, 2, 2, 1, 1], false),
            ([4, 5, 4, 3, 0, 1, 1, 1], false),
        ] {
            let path = two_channels(folder.path(), dims);
            let ImagingError::ReadNifti { fault, .. } = read_nifti_channels(&path).unwrap_err()
            else {
                panic!("not a read error: {dims:?}");
            };
            assert_eq!(
                matches!(fault, NiftiFault::MissingData { .. }),
                missing,
                "{fault:?}"
            );
        }
    }
}
