//! Probabilities as a four-dimensional NIfTI file, from slices that come one after another.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{ArrayView3, Axis};
use rayon::prelude::*;

use crate::error::ImagingError;
use crate::format::atomic::Unfinished;
use crate::geometry::Extent;

use super::NiftiHeader;
use super::write::FLOAT32;

/// Probabilities are rounded to a multiple of one over this: what is lost is below what a network
/// repeats, and what compresses badly is gone.
const STEPS: f32 = 65_536.0;

/// A file `.nii.gz` of f32 probabilities, (x, y, z, class), on the grid of an image that was read.
///
/// The classes lie one behind the other in the file, but come together, slice by slice: each is
/// compressed into a temporary file of its own, and the pieces are joined in the end, as gzip
/// allows. The file appears whole or not at all. Memory: some buffers for each class.
///
/// Shape, sform, qform, their codes, voxel sizes and units keep the header's bytes, as in
/// [`super::write_labels`].
#[derive(Debug)]
pub struct ProbabilityFile {
    path: PathBuf,
    extent: Extent,
    classes: Vec<Class>,
    /// Slices that have come.
    slices: usize,
}

/// One class on its way.
#[derive(Debug)]
struct Class {
    unfinished: Unfinished,
    encoder: GzEncoder<BufWriter<File>>,
    block: Vec<u8>,
}

impl ProbabilityFile {
    /// Begins the file `path`, whose name must end in `.nii.gz`, for so many classes.
    ///
    /// Errors: [`ImagingError::OutputName`], [`ImagingError::TooManyClasses`],
    /// [`ImagingError::Write`].
    pub fn create(path: &Path, like: &NiftiHeader, classes: usize) -> Result<Self, ImagingError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.to_lowercase().ends_with(".nii.gz") {
            return Err(ImagingError::OutputName {
                path: path.to_path_buf(),
            });
        }
        let frames =
            i16::try_from(classes).map_err(|_| ImagingError::TooManyClasses { found: classes })?;
        let failed = |source| ImagingError::Write {
            path: path.to_path_buf(),
            source,
        };
        let mut classes = (0..classes)
            .map(|_| Class::beside(path))
            .collect::<io::Result<Vec<_>>>()
            .map_err(failed)?;
        if let Some(first) = classes.first_mut() {
            let header = like.raw.with_voxels(FLOAT32, 32).with_frames(frames);
            let no_extensions = [0; 4];
            let header = [header.bytes(), &no_extensions].concat();
            first.encoder.write_all(&header).map_err(failed)?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            extent: like.geometry.extent,
            classes,
            slices: 0,
        })
    }

    /// Takes the next slice (class, y, x).
    ///
    /// Errors: [`ImagingError::LabelShape`] for other classes or another extent,
    /// [`ImagingError::Write`].
    pub fn push(&mut self, slice: ArrayView3<'_, f32>) -> Result<(), ImagingError> {
        let (classes, y, x) = slice.dim();
        let [_, expected_y, expected_x] = self.extent.zyx();
        if (classes, y, x) != (self.classes.len(), expected_y, expected_x) {
            return Err(self.misfit([self.slices + 1, y, x]));
        }
        let pairs: Vec<_> = self
            .classes
            .iter_mut()
            .zip(slice.axis_iter(Axis(0)))
            .collect();
        pairs
            .into_par_iter()
            .try_for_each(|(class, voxels)| {
                let Class { encoder, block, .. } = class;
                block.clear();
                for value in voxels {
                    let rounded = (value * STEPS).round() / STEPS;
                    block.extend_from_slice(&rounded.to_le_bytes());
                }
                encoder.write_all(block)
            })
            .map_err(|source| self.failed(source))?;
        self.slices += 1;
        Ok(())
    }

    /// Joins the classes and gives the file its name.
    ///
    /// Errors: [`ImagingError::LabelShape`] if slices are missing, [`ImagingError::Write`].
    pub fn finish(mut self) -> Result<(), ImagingError> {
        let [z, y, x] = self.extent.zyx();
        if self.slices != z {
            return Err(self.misfit([self.slices, y, x]));
        }
        let classes = std::mem::take(&mut self.classes);
        join(classes, &self.path).map_err(|source| self.failed(source))
    }

    fn misfit(&self, found: [usize; 3]) -> ImagingError {
        ImagingError::LabelShape {
            path: self.path.clone(),
            found: Extent::from_zyx(found),
            expected: self.extent,
        }
    }

    fn failed(&self, source: io::Error) -> ImagingError {
        ImagingError::Write {
            path: self.path.clone(),
            source,
        }
    }
}

impl Class {
    fn beside(path: &Path) -> io::Result<Self> {
        let unfinished = Unfinished::beside(path)?;
        let file = BufWriter::with_capacity(1 << 16, unfinished.file()?.try_clone()?);
        Ok(Self {
            unfinished,
            // There is a lot to write and it is already rounded: a better ratio costs more time
            // than the network.
            encoder: GzEncoder::new(file, Compression::fast()),
            block: Vec::new(),
        })
    }

    /// The compressed class, and what keeps its file there.
    fn finish(self) -> io::Result<(File, Unfinished)> {
        let file = self.encoder.finish()?.into_inner();
        Ok((
            file.map_err(io::IntoInnerError::into_error)?,
            self.unfinished,
        ))
    }
}

/// Appends every class to the first one, and forgets it.
fn join(classes: Vec<Class>, path: &Path) -> io::Result<()> {
    let mut classes = classes.into_iter().map(Class::finish);
    let (mut whole, unfinished) = classes.next().ok_or(io::ErrorKind::InvalidInput)??;
    for class in classes {
        let (mut class, _until_copied) = class?;
        class.rewind()?;
        io::copy(&mut class, &mut whole)?;
    }
    whole.sync_all()?;
    unfinished.finish(path)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::format::nifti::{read_nifti_channels, write_image};
    use crate::geometry::{Geometry, SpacingMm};
    use crate::{Volume, read_nifti};

    /// The header of an image of 3 x 4 x 5 voxels, with a name and a display range of its own.
    fn header(folder: &Path) -> NiftiHeader {
        let spacing = SpacingMm::from_zyx([3.0, 1.0, 2.0]).unwrap();
        let geometry = Geometry::axis_aligned(Extent::from_zyx([3, 4, 5]), spacing);
        let path = folder.join("image.nii");
        let volume = Volume::new(Array3::zeros((3, 4, 5)), geometry).unwrap();
        write_image(&path, &volume).unwrap();
        read_nifti(&path).unwrap().header
    }

    fn value(class: usize, z: usize, y: usize, x: usize) -> f32 {
        ((class * 61 + z * 20 + y * 5 + x) % 120) as f32 / 128.0
    }

    #[test]
    fn classes_are_frames_on_the_grid_of_the_image() {
        let folder = tempfile::tempdir().unwrap();
        let like = header(folder.path());
        let path = folder.path().join("p.nii.gz");
        let mut file = ProbabilityFile::create(&path, &like, 2).unwrap();
        for z in 0..3 {
            let slice = Array3::from_shape_fn((2, 4, 5), |(class, y, x)| value(class, z, y, x));
            file.push(slice.view()).unwrap();
        }
        file.finish().unwrap();
        let found = read_nifti_channels(&path).unwrap();
        assert_eq!(found.channels.len(), 2);
        for (class, channel) in found.channels.iter().enumerate() {
            assert_eq!(channel.geometry(), like.geometry());
            for ((z, y, x), found) in channel.voxels().indexed_iter() {
                assert_eq!(*found, value(class, z, y, x), "{class} {z} {y} {x}");
            }
        }
        // Sform, qform and their codes, byte for byte.
        assert_eq!(found.header.bytes()[252..328], like.bytes()[252..328]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_whole_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let like = header(folder.path());
        let path = folder.path().join("p.nii.gz");
        let slice = Array3::zeros((2, 4, 5));
        let mut file = ProbabilityFile::create(&path, &like, 2).unwrap();
        file.push(slice.view()).unwrap();
        assert!(file.push(Array3::zeros((3, 4, 5)).view()).is_err());
        assert!(matches!(
            file.finish(),
            Err(ImagingError::LabelShape { .. })
        ));
        drop(ProbabilityFile::create(&path, &like, 2).unwrap());
        let name = folder.path().join("p.nii");
        assert!(matches!(
            ProbabilityFile::create(&name, &like, 2),
            Err(ImagingError::OutputName { .. })
        ));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
