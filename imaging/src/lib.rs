//! Medical volumes: geometry, NIfTI, resampling, normalisation, metrics.
//!
//! The crate takes image files to the numbers a network sees, and the network's
//! probabilities back to a label map on the voxels of the original file:
//!
//! ```text
//! read_nifti -> Volume -> Recipe::apply -> Preprocessed { channels, restore }
//!                                              |            |
//!                                           network    Restore::labels -> write_labels
//! ```
//!
//! Conventions, stated once:
//! - arrays are indexed (z, y, x), several channels or classes come first: (c, z, y, x);
//! - NIfTI headers and affines are (x, y, z); the order changes only in [`mod@format`];
//! - spacing is in millimetres, positions are RAS+ millimetres, CT is in Hounsfield units;
//! - a file's content is untrusted: nothing is allocated because a header says so.
//!
//! The numbers follow nnU-Net v1 on scipy and scikit-image, whose outputs are the reference.
//!
//! ```
//! use uniseg_imaging::ndarray::{Array3, Axis, stack};
//! use uniseg_imaging::{Extent, Geometry, Normalization, Recipe, SpacingMm, Volume};
//!
//! # fn main() -> Result<(), uniseg_imaging::ImagingError> {
//! let scanned = SpacingMm::from_zyx([3.0, 1.0, 1.0])?;
//! let geometry = Geometry::axis_aligned(Extent::from_zyx([8, 20, 24]), scanned);
//! let voxels = Array3::from_shape_fn((8, 20, 24), |(_, _, x)| if x < 12 { -100.0 } else { 60.0 });
//! let image = Volume::new(voxels, geometry)?;
//!
//! let window = Normalization::ClipRescale { lower: -325.0, upper: 325.0 };
//! let recipe = Recipe { spacing: SpacingMm::from_zyx([3.0, 2.0, 2.0])?, normalizations: vec![window] };
//! let ready = recipe.apply(&[&image])?;
//! assert_eq!(ready.channels.dim(), (1, 8, 10, 12));
//!
//! // A "network" that finds the bright half.
//! let bright = ready.channels.index_axis(Axis(0), 0).mapv(|v| if v > 0.5 { 1.0 } else { 0.0 });
//! let probabilities = stack![Axis(0), 1.0 - &bright, bright];
//! let labels = ready.restore.labels(probabilities.view())?;
//! assert_eq!(labels.dim(), (8, 20, 24));
//! assert_eq!((labels[[4, 10, 5]], labels[[4, 10, 20]]), (0, 1));
//! # Ok(())
//! # }
//! ```

pub mod crop;
pub mod error;
pub mod format;
pub mod geometry;
pub mod intensity;
pub mod interpolate;
pub mod metrics;
pub mod phantom;
pub mod recipe;
pub mod resample;
pub mod restore;
pub mod volume;

pub use crop::BoundingBox;
pub use error::ImagingError;
pub use format::atomic::{abandon_writes, write_atomically};
pub use format::nifti::{
    HeaderWarning, NiftiChannels, NiftiFault, NiftiHeader, NiftiImage, NiftiVersion,
    ProbabilityFile, read_nifti, read_nifti_channels, write_image, write_labels,
};
pub use geometry::{Affine, Extent, Geometry, SpacingMm};
pub use intensity::{Normalization, ZScoreScope};
pub use interpolate::{CubicTap, SPLINE_REACH, fit_spline};
pub use metrics::{Agreement, SurfaceDistances, TaskAgreement, dice, label_counts};
/// The array library whose types appear in this crate's signatures.
pub use ndarray;
pub use recipe::{Preprocessed, Recipe};
pub use resample::{Interpolation, resample, resample_labels, separate_axis};
pub use restore::{EachSlice, LabelStream, ProbabilityStream, Restore};
pub use volume::Volume;
