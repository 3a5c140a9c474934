//! Dataset folders: which cases there are, and what `dataset.json` says about them.
//!
//! Three formats are read; see [`Format`]. Nothing of the images is read here, and no file needs
//! to exist but `dataset.json`: what is missing is found, file by file, when cases are loaded.

mod json;
mod listing;

use std::path::{Path, PathBuf};

use super::{DataError, fault::Fault};

pub use json::DeclaredLabel;

/// How a dataset's folder is organised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// nnU-Net v1 raw data (`nnUNet_raw_data/TaskXXX_NAME`): `imagesTr/CASE_0000.nii.gz`, and
    /// `dataset.json` with `modality` and labels by value.
    NnunetV1,
    /// nnU-Net v2 raw data (`nnUNet_raw/DatasetXXX_NAME`): the same files, and `dataset.json` with
    /// `channel_names`, labels by name and `file_ending`.
    NnunetV2,
    /// Medical Segmentation Decathlon: one image a case, its channels along the fourth dimension.
    Decathlon,
}

impl Format {
    /// All formats, by the names that tasks files use.
    pub const ALL: [(&str, Self); 3] = [
        ("nnunet-v1", Self::NnunetV1),
        ("nnunet-v2", Self::NnunetV2),
        ("msd", Self::Decathlon),
    ];

    /// Name in a tasks file.
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, format)| *format == self)
            .map_or("", |(name, _)| name)
    }
}

/// Where a case's channels are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseImages {
    /// A file for each channel of the dataset, in order.
    Separate(Vec<PathBuf>),
    /// One file with all channels.
    Stacked(PathBuf),
}

/// An annotated image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The case's name: a file name without channel and ending.
    pub name: String,
    /// Its image or images.
    pub images: CaseImages,
    /// Its label file.
    pub labels: PathBuf,
}

/// The training cases of a dataset folder.
#[derive(Debug)]
pub struct Dataset {
    /// The folder.
    pub folder: PathBuf,
    /// How it is organised.
    pub format: Format,
    /// Names of the channels, in order.
    pub channels: Vec<String>,
    /// Labels that `dataset.json` declares, by value; regions have several values.
    pub labels: Vec<DeclaredLabel>,
    /// Cases, sorted by name.
    pub cases: Vec<Case>,
    /// Number of cases that `dataset.json` declares, if it does.
    pub declared_cases: Option<usize>,
    /// What is wrong with the folder's lists and names.
    pub faults: Vec<(PathBuf, Fault)>,
}

impl Dataset {
    /// Opens a folder; its format is found out unless given.
    ///
    /// Cases are those of the `training` list (v1, decathlon) or of the `dataset` table (v2)
    /// where there is one, else all those in `imagesTr`.
    ///
    /// Errors: [`DataError::NotADataset`], [`DataError::Json`], [`DataError::InvalidDataset`],
    /// [`DataError::NoCases`], [`DataError::Io`].
    pub fn open(folder: &Path, format: Option<Format>) -> Result<Self, DataError> {
        let path = folder.join("dataset.json");
        if !path.is_file() {
            return Err(DataError::NotADataset {
                path: folder.to_path_buf(),
            });
        }
        let text = std::fs::read_to_string(&path).map_err(DataError::io("read", &path))?;
        let description = json::Description::parse(&text, &path)?;
        let found = listing::Listing::read(folder, &description, format)?;
        if found.cases.is_empty() {
            return Err(DataError::NoCases {
                path: folder.to_path_buf(),
            });
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            format: found.format,
            channels: description.channels,
            labels: description.labels,
            cases: found.cases,
            declared_cases: description.num_training,
            faults: found.faults,
        })
    }
}

#[cfg(test)]
mod tests;
