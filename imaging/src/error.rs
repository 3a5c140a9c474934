//! What can go wrong, in words for the person who has to fix it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::format::nifti::NiftiFault;
use crate::geometry::Extent;

/// A failed act of this crate.
#[derive(Debug, Error)]
pub enum ImagingError {
    /// An image file could not be read.
    #[error("cannot read {path}")]
    ReadNifti {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: NiftiFault,
    },
    /// An output file could not be written; nothing was left behind.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An output file's name does not tell its format.
    #[error("cannot write {path}: the name must end in .nii or .nii.gz")]
    OutputName {
        /// The file.
        path: PathBuf,
    },
    /// Labels do not have the shape of the image whose header they are to take over.
    #[error("cannot write {path}: labels are {found}, the image's grid is {expected}")]
    LabelShape {
        /// The file.
        path: PathBuf,
        /// Shape of the labels.
        found: Extent,
        /// Shape in the header.
        expected: Extent,
    },
    /// A folder to which phantoms are to be written belongs to something else.
    #[error(
        "cannot add phantoms to {folder}: it holds other data, or phantoms of another seed or \
         size; choose another folder"
    )]
    ForeignDataset {
        /// The dataset's folder.
        folder: PathBuf,
    },
    /// A grid does not fit the 16-bit sizes of a NIfTI-1 header.
    #[error("a grid of {extent} voxels does not fit a nifti-1 header (at most 32767 each way)")]
    ExtentTooLarge {
        /// The grid.
        extent: Extent,
    },
    /// A spacing is zero, negative or not a number.
    #[error("spacing {found:?} mm (z, y, x) must be finite and positive")]
    InvalidSpacing {
        /// (z, y, x) millimetres.
        found: [f64; 3],
    },
    /// An array does not have its geometry's shape.
    #[error("voxels are {found}, their geometry says {expected}")]
    VolumeShape {
        /// Shape of the array.
        found: Extent,
        /// Shape in the geometry.
        expected: Extent,
    },
    /// The number of images is not the number of channels.
    #[error("{found} image(s) given where the task needs {expected} channel(s)")]
    ChannelCount {
        /// Images given.
        found: usize,
        /// Channels of the recipe.
        expected: usize,
    },
    /// A channel's grid has another size than the first's.
    #[error("channel {channel} is {found}, channel 0 is {expected}; resample them to one grid")]
    ChannelExtent {
        /// Index of the differing channel.
        channel: usize,
        /// Its size.
        found: Extent,
        /// Size of the first.
        expected: Extent,
    },
    /// A channel lies elsewhere than the first.
    #[error(
        "channel {channel} lies up to {distance_mm:.2} mm away from channel 0; \
         resample them to one grid"
    )]
    ChannelPosition {
        /// Index of the differing channel.
        channel: usize,
        /// Largest distance between equal corners.
        distance_mm: f64,
    },
    /// There is nothing but zeros.
    #[error("the image is empty: every voxel of every channel is zero")]
    EmptyImage,
    /// Every voxel is NaN.
    #[error("channel {channel} (from 0) has no voxel that is a number")]
    NoNumbers {
        /// Index of the channel.
        channel: usize,
    },
    /// A voxel is infinite, or beyond what 32 bits hold.
    #[error("channel {channel} (from 0) has voxels that are infinite, or beyond 3.4e38")]
    InfiniteVoxels {
        /// Index of the channel.
        channel: usize,
    },
    /// The lower bound of an intensity window is not below the upper.
    #[error("intensity window from {lower} to {upper} is not a window")]
    IntensityWindow {
        /// Lower bound.
        lower: f64,
        /// Upper bound.
        upper: f64,
    },
    /// Resampling to the wanted spacing would make an absurdly large grid.
    #[error(
        "resampling {from} to the target spacing needs about {voxels:.1e} voxels, \
         more than the limit of {limit:.1e}; check the file's spacing"
    )]
    TargetTooLarge {
        /// Grid before.
        from: Extent,
        /// Voxels after, over all channels.
        voxels: f64,
        /// Most that are allowed.
        limit: f64,
    },
    /// A requested grid has no voxels along some axis.
    #[error("cannot resample {from} to {to}: both need at least one voxel along every axis")]
    EmptyTarget {
        /// Grid before.
        from: Extent,
        /// Grid after.
        to: Extent,
    },
    /// Probabilities are not on the grid that preprocessing made.
    #[error(
        "probabilities are {classes} class(es) on {found}, expected at least one on {expected}"
    )]
    ProbabilityShape {
        /// Number of classes.
        classes: usize,
        /// Their grid.
        found: Extent,
        /// The grid that preprocessing made.
        expected: Extent,
    },
    /// More classes than a 16-bit label can name.
    #[error("{found} classes do not fit 16-bit labels")]
    TooManyClasses {
        /// Number of classes.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every message is one sentence: lower case, no full stop, with its numbers.
    #[test]
    fn messages_read_as_sentences() {
        let extent = Extent::from_zyx([1, 2, 3]);
        let path = PathBuf::from("a.nii");
        let io = || io::Error::from(io::ErrorKind::StorageFull);
        let errors = [
            ImagingError::ReadNifti {
                path: path.clone(),
                fault: NiftiFault::Empty,
            },
            ImagingError::Write {
                path: path.clone(),
                source: io(),
            },
            ImagingError::OutputName { path: path.clone() },
            ImagingError::LabelShape {
                path,
                found: extent,
                expected: extent,
            },
            ImagingError::ForeignDataset {
                folder: PathBuf::from("a"),
            },
            ImagingError::ExtentTooLarge { extent },
            ImagingError::InvalidSpacing {
                found: [1.0, 0.0, 1.0],
            },
            ImagingError::VolumeShape {
                found: extent,
                expected: extent,
            },
            ImagingError::ChannelCount {
                found: 1,
                expected: 4,
            },
            ImagingError::ChannelExtent {
                channel: 1,
                found: extent,
                expected: extent,
            },
            ImagingError::ChannelPosition {
                channel: 1,
                distance_mm: 2.5,
            },
            ImagingError::EmptyImage,
            ImagingError::NoNumbers { channel: 0 },
            ImagingError::InfiniteVoxels { channel: 0 },
            ImagingError::IntensityWindow {
                lower: 1.0,
                upper: 0.0,
            },
            ImagingError::TargetTooLarge {
                from: extent,
                voxels: 1e15,
                limit: 2e9,
            },
            ImagingError::EmptyTarget {
                from: extent,
                to: extent,
            },
            ImagingError::ProbabilityShape {
                classes: 0,
                found: extent,
                expected: extent,
            },
            ImagingError::TooManyClasses { found: 70_000 },
        ];
        for error in errors {
            let text = error.to_string();
            let first = text.chars().next();
            assert!(first.is_some_and(|c| !c.is_uppercase()), "{text}");
            assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
            assert!(text.len() < 140, "{text}");
        }
    }
}
