//! What can be wrong with a dataset, and where.

use std::fmt;
use std::path::PathBuf;

use uniseg_imaging::{Extent, HeaderWarning, ImagingError, NiftiFault};

use super::DataError;

/// What is wrong with one file, case or dataset.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The dataset as a whole cannot be opened.
    #[error(transparent)]
    Dataset(Box<DataError>),
    /// A file that the dataset must have is not there.
    #[error("the file is missing")]
    Missing,
    /// A file is no readable image.
    #[error("{fault}")]
    Unreadable {
        /// What is wrong with it.
        fault: NiftiFault,
    },
    /// The header has something odd that was repaired.
    #[error("{0}")]
    Header(HeaderWarning),
    /// A name in a list leads out of the dataset's folder.
    #[error("the path leads out of the dataset's folder")]
    Outside,
    /// A file's name does not follow the dataset's format.
    #[error("the name is not CASE_0000 with the dataset's file ending: it is ignored")]
    StrangeName,
    /// There are labels, but no image for them.
    #[error("there are labels but no image")]
    LabelsWithoutImage,
    /// A channel that `dataset.json` does not declare.
    #[error("dataset.json declares {declared} channel(s), but this is number {found} (from 0)")]
    UndeclaredChannel {
        /// Number in the file's name.
        found: usize,
        /// Channels of the dataset.
        declared: usize,
    },
    /// An image has fewer or more channels than declared.
    #[error("the image has {found} channel(s), dataset.json declares {declared}")]
    ChannelCount {
        /// Channels of the file.
        found: usize,
        /// Channels of the dataset.
        declared: usize,
    },
    /// A grid has another size than the first channel's.
    #[error("the grid is {found}, the first channel's is {expected}")]
    Extent {
        /// Size of this grid.
        found: Extent,
        /// Size of the first channel's.
        expected: Extent,
    },
    /// A grid lies elsewhere than the first channel's.
    #[error("the grid lies up to {distance_mm:.2} mm away from the first channel's (affine)")]
    Position {
        /// Largest distance between equal corners.
        distance_mm: f64,
    },
    /// Intensities are not numbers.
    #[error("{voxels} voxel(s) are nan")]
    NotANumber {
        /// How many.
        voxels: u64,
    },
    /// Intensities are infinite.
    #[error("{voxels} voxel(s) are infinite")]
    Infinite {
        /// How many.
        voxels: u64,
    },
    /// All voxels of all channels are zero.
    #[error("the image is empty: every voxel is zero")]
    EmptyImage,
    /// A label is not a whole number from 0 to 65535.
    #[error("{voxels} voxel(s) are no label, such as {example}: labels are whole numbers from 0")]
    NotALabel {
        /// One of them.
        example: f32,
        /// How many.
        voxels: u64,
    },
    /// A label value that the dataset does not declare.
    #[error("label {value} ({voxels} voxels) is not declared in dataset.json")]
    UndeclaredLabel {
        /// The value.
        value: u16,
        /// How many voxels have it.
        voxels: u64,
    },
    /// A label value that the task's label map does not mention.
    #[error(
        "label {value} ({voxels} voxels) is not in the task's label map: map it, or drop it with \
         \"background\""
    )]
    UnmappedLabel {
        /// The value.
        value: u16,
        /// How many voxels have it.
        voxels: u64,
    },
    /// Nothing of the task is labelled in this case.
    #[error("the labels are empty: no voxel belongs to the task")]
    EmptyLabels,
    /// One label of the task is in no case.
    #[error("label '{label}' is in no case")]
    LabelNeverSeen {
        /// The task's label.
        label: String,
    },
    /// No case has any label of the task.
    #[error("the task has no foreground: every label file is empty")]
    NoForeground,
    /// Too few cases to train and validate with.
    #[error("the dataset has {found} case(s), at least 2 are needed")]
    TooFewCases {
        /// How many there are.
        found: usize,
    },
    /// `dataset.json` counts other than the folder.
    #[error("dataset.json declares {declared} training case(s), the dataset has {found}")]
    CaseCount {
        /// How many there are.
        found: usize,
        /// `numTraining`.
        declared: usize,
    },
    /// The case could be read but not be preprocessed.
    #[error("{0}")]
    Preprocess(ImagingError),
    /// The case could be preprocessed but not be written.
    #[error("cannot be written ({0})")]
    Write(std::io::Error),
}

impl Fault {
    /// Whether a dataset with it can be trained on, or has to be repaired first.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Header(_)
            | Self::StrangeName
            | Self::LabelNeverSeen { .. }
            | Self::CaseCount { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    pub(super) fn unreadable(error: ImagingError) -> Self {
        match error {
            ImagingError::ReadNifti { fault, .. } => Self::Unreadable { fault },
            other => Self::Preprocess(other),
        }
    }
}

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Warning,
    /// To be repaired before training.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A fault and where it is.
#[derive(Debug)]
pub struct Problem {
    /// The task whose data it is.
    pub task: String,
    /// The case, unless the dataset as a whole is to blame.
    pub case: Option<String>,
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

impl Problem {
    /// Whether the dataset has to be repaired.
    pub fn severity(&self) -> Severity {
        self.fault.severity()
    }

    /// What is wrong and why, in one line, without the file.
    pub fn what(&self) -> String {
        let mut text = self.fault.to_string();
        // The chain belongs in the one line that a table has for a problem.
        let mut source = std::error::Error::source(&self.fault);
        while let Some(cause) = source {
            text += &format!(": {cause}");
            source = cause.source();
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            // Names its file itself.
            Fault::Dataset(_) => write!(f, "{}: {}", self.severity(), self.what()),
            _ => {
                let path = self.path.display();
                write!(f, "{}: {path}: {}", self.severity(), self.what())
            }
        }
    }
}
