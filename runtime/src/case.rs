//! One patient, one examination: from image files to labels on the image's own grid.

mod channel;
mod first_look;
mod preparation;
mod restoring;
mod together;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use uniseg_imaging::{Geometry, NiftiHeader, NiftiImage, Preprocessed, Volume, read_nifti};
use uniseg_onnx::Task;

use self::channel::Channel;
use self::preparation::Preparation;
pub use self::together::{Request, Timing, Together, group_tasks};
use crate::{Engine, InputFile, Model, RuntimeError, Statistics, WindowOptions, WindowProgress};

/// How far apart the corners of two channels may lie, in smallest voxel sizes: headers store
/// their affine in f32 and as a quaternion, which differ by less. The recipe asks for the same,
/// but does not know the files' names.
const GRID_TOLERANCE: f64 = 0.05;

/// What the pipeline is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress<'a> {
    /// Reading an image file.
    Reading(&'a Path),
    /// Crop, resampling and normalisation for a task.
    Preprocessing(&'a Task),
    /// Windows of a first look for a task's foreground.
    Looking(&'a Task, WindowProgress),
    /// Windows of a task.
    Window(&'a Task, WindowProgress),
    /// Back to the image's grid.
    Restoring(&'a Task),
}

/// The images of one case, read once and preprocessed once for tasks that agree on how.
#[derive(Debug)]
pub struct Case {
    paths: Vec<PathBuf>,
    /// What the files were when they were read; nothing of images that came from memory.
    files: Vec<InputFile>,
    images: Vec<Channel>,
    warnings: Vec<String>,
    /// The last preprocessing and what it was for. Only one is kept: a resampled volume may be
    /// larger than the image itself.
    prepared: Option<(Preparation, Preprocessed)>,
}

/// One task's labels on one case.
#[derive(Debug, Clone)]
pub struct Segmentation {
    /// The task.
    pub task: Task,
    /// Label values on the grid of the first image file, (z, y, x).
    pub labels: Array3<u16>,
    /// Voxels and millilitres of each label.
    pub statistics: Statistics,
}

/// What [`segment_case`] returns: everything needed to write and show the result.
#[derive(Debug)]
pub struct CaseResult {
    /// Labels and statistics.
    pub segmentation: Segmentation,
    /// The images, for a preview; [`Case::header`] is what the labels are written like.
    pub case: Case,
}

impl Case {
    /// Reads the image files, one for each channel, and checks that they share one grid.
    ///
    /// Errors: [`RuntimeError::NoImages`], [`RuntimeError::ReadImage`],
    /// [`RuntimeError::GridsDiffer`].
    pub fn read(
        paths: &[PathBuf],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Case, RuntimeError> {
        if paths.is_empty() {
            return Err(RuntimeError::NoImages);
        }
        let mut images = Vec::with_capacity(paths.len());
        let (mut files, mut warnings) = (Vec::new(), Vec::new());
        for path in paths {
            progress(Progress::Reading(path));
            // Before it is read: one that is replaced meanwhile must not look finished. What is not
            // there is told by who reads it.
            files.extend(InputFile::of(path));
            let image = read_nifti(path).map_err(|source| RuntimeError::ReadImage { source })?;
            let name = file_name(path);
            warnings.extend(
                image
                    .warnings
                    .iter()
                    .map(|warning| format!("{name}: {warning}")),
            );
            images.push(image.into());
        }
        check_grids(paths, &images)?;
        Ok(Case {
            paths: paths.to_vec(),
            files,
            images,
            warnings,
            prepared: None,
        })
    }

    /// A case whose channels are in memory already, one volume for each, on one grid.
    ///
    /// `names` stand for the files in messages and statistics. Label maps written like
    /// [`Case::header`] are on the first volume's grid.
    ///
    /// Errors: [`RuntimeError::NoImages`] unless there is a volume for each name,
    /// [`RuntimeError::GridsDiffer`], [`RuntimeError::ReadImage`] for a grid that no header holds.
    pub fn from_volumes(
        names: &[PathBuf],
        volumes: Vec<Volume<f32>>,
    ) -> Result<Case, RuntimeError> {
        if volumes.is_empty() || names.len() != volumes.len() {
            return Err(RuntimeError::NoImages);
        }
        let image = |volume: Volume<f32>| {
            Ok(Channel::from(NiftiImage {
                header: NiftiHeader::for_geometry(volume.geometry())?,
                volume,
                warnings: Vec::new(),
            }))
        };
        let images = volumes
            .into_iter()
            .map(image)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| RuntimeError::ReadImage { source })?;
        check_grids(names, &images)?;
        Ok(Case {
            paths: names.to_vec(),
            files: Vec::new(),
            images,
            warnings: Vec::new(),
            prepared: None,
        })
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.images.len()
    }

    /// The first channel, for a preview.
    pub fn image(&self) -> Cow<'_, Volume<f32>> {
        self.first().volume()
    }

    /// The first channel's grid, on which the labels are.
    pub fn geometry(&self) -> &Geometry {
        self.first().geometry()
    }

    /// Bytes of the channels as they are kept, and of what is made of them to preprocess them.
    pub(crate) fn image_bytes(&self) -> [u64; 2] {
        self.images.iter().fold([0, 0], |[kept, made], image| {
            let [more_kept, more_made] = image.bytes();
            [kept + more_kept, made + more_made]
        })
    }

    /// The first channel's header, which label maps are written like.
    pub fn header(&self) -> &NiftiHeader {
        &self.first().header
    }

    fn first(&self) -> &Channel {
        // `Case::read` refuses a case without files.
        &self.images[0]
    }

    /// What was repaired or doubtful in the files, each line with its file's name.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Reads one case and segments it for one task; see [`Case`] for several tasks.
///
/// The number of files is checked before any is read. Nothing is written: see
/// [`crate::write_labels`] and [`crate::write_statistics`].
///
/// Errors: those of [`Case::read`] and [`Case::segment`].
pub fn segment_case(
    model: &Model,
    engine: &mut dyn Engine,
    task: &Task,
    inputs: &[PathBuf],
    options: &WindowOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<CaseResult, RuntimeError> {
    RuntimeError::check_channels(task, inputs.len())?;
    let mut case = Case::read(inputs, progress)?;
    let segmentation = case.segment(model, engine, task, options, progress)?;
    Ok(CaseResult { segmentation, case })
}

/// The channels of one case must be one grid: a network sees them voxel by voxel.
fn check_grids(paths: &[PathBuf], images: &[Channel]) -> Result<(), RuntimeError> {
    let mut channels = paths.iter().zip(images.iter().map(Channel::geometry));
    let Some((first, expected)) = channels.next() else {
        return Ok(());
    };
    let smallest = expected
        .spacing
        .zyx()
        .into_iter()
        .fold(f64::INFINITY, f64::min);
    for (other, found) in channels {
        let distance = expected.corner_distance_mm(found);
        let difference = if found.extent != expected.extent {
            format!("it has {} voxels, not {}", found.extent, expected.extent)
        } else if distance.is_nan() || distance > GRID_TOLERANCE * smallest {
            format!("its corners lie up to {distance:.2} mm away")
        } else {
            continue;
        };
        return Err(RuntimeError::GridsDiffer {
            first: first.clone(),
            other: other.clone(),
            difference,
        });
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests;
