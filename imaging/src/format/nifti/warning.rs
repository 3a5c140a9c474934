//! Oddities of headers that have one accepted reading.

use std::fmt;

/// Something odd in a header, and how it was read.
///
/// Source of the repairs: nibabel's header checks.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HeaderWarning {
    /// The handedness of the qform (`pixdim[0]`) is neither 1 nor -1: read as 1.
    Qfac {
        /// `pixdim[0]`.
        found: f64,
    },
    /// A voxel size is negative: its absolute value is used.
    NegativeSpacing {
        /// Which axis.
        axis: char,
        /// `pixdim` of that axis.
        found: f64,
    },
    /// The intensity slope is zero or not finite: voxels are taken as stored.
    NoScaling {
        /// `scl_slope`.
        slope: f64,
    },
    /// The quaternion of the qform is longer than one: it was normalised.
    QuaternionNorm {
        /// Length of (b, c, d).
        found: f64,
    },
    /// The sform or qform is flat or not finite: it was passed over.
    UnusableTransform {
        /// `sform` or `qform`.
        name: &'static str,
    },
    /// Voxel sizes and affine contradict each other: the affine's are used.
    SpacingDisagrees {
        /// `pixdim`, (x, y, z) millimetres.
        pixdim: [f64; 3],
        /// Lengths of the affine's columns, (x, y, z) millimetres.
        affine: [f64; 3],
    },
    /// The unit of length is unknown to the format: millimetres are assumed.
    LengthUnit {
        /// Spatial part of `xyzt_units`.
        code: u8,
    },
    /// The place of the first voxel is given as 0: it was taken to follow the header.
    NoOffset,
    /// There are bytes behind the last voxel: they were ignored.
    SurplusBytes {
        /// How many.
        count: u64,
    },
    /// Voxels are not a number: preprocessing takes them as 0.
    NotNumbers {
        /// How many.
        count: u64,
    },
}

impl HeaderWarning {
    /// Whether this is the everyday way of saying "not set" rather than a sign of trouble.
    ///
    /// Most software stores an unset slope as 0 or NaN; a program may keep quiet about it.
    pub fn is_routine(&self) -> bool {
        matches!(self, Self::NoScaling { slope } if slope.is_nan() || *slope == 0.0)
    }
}

impl fmt::Display for HeaderWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Qfac { found } => {
                write!(
                    f,
                    "handedness of the qform (pixdim[0]) is {found}, taken as 1"
                )
            }
            Self::NegativeSpacing { axis, found } => {
                write!(
                    f,
                    "voxel size along {axis} is {found}, taken as {}",
                    found.abs()
                )
            }
            Self::NoScaling { slope } => {
                write!(f, "intensity slope is {slope}, voxels are taken as stored")
            }
            Self::QuaternionNorm { found } => {
                write!(
                    f,
                    "quaternion of the qform has length {found:.6}, normalised to 1"
                )
            }
            Self::UnusableTransform { name } => {
                write!(f, "{name} is flat or not finite, passed over")
            }
            Self::SpacingDisagrees { pixdim, affine } => write!(
                f,
                "voxel sizes {pixdim:?} mm disagree with the affine's {affine:?} mm (x, y, z), \
                 the affine's are used"
            ),
            Self::LengthUnit { code } => {
                write!(
                    f,
                    "unit of length {code} is unknown, millimetres are assumed"
                )
            }
            Self::NoOffset => {
                write!(
                    f,
                    "voxel offset is 0, voxels are taken to follow the header"
                )
            }
            Self::SurplusBytes { count } => {
                write!(f, "{count} bytes behind the last voxel are ignored")
            }
            Self::NotNumbers { count } => {
                write!(f, "{count} voxels are not a number (NaN), taken as 0")
            }
        }
    }
}
