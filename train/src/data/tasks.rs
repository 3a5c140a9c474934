//! `tasks.toml`: the tasks of a universal model and where their data is.
//!
//! ```toml
//! root = "../nnUNet_raw"                  # folder of the datasets; default: this file's
//!
//! [[task]]
//! name = "liver"
//! aliases = ["lits"]
//! dataset = "Dataset003_Liver"
//! format = "nnunet-v2"                    # default: found out
//! spacing_zyx_mm = [3.0, 1.5, 1.5]        # default: from the data, as nnU-Net does
//! channels = [{ modality = "CT", normalization = "clip_-325_325_to_0_1" }]
//! labels = ["liver", "tumour"]            # 1, 2, ...; 0 is "background"
//! empty_labels = "refuse"                 # or "keep" or "drop" cases without foreground
//! split = { fraction = 0.2, seed = 1234 } # or { file = "splits_final.json", fold = 0 }
//!
//! [task.label_map]                        # default: values stay
//! 1 = "liver"                             # a source value ...
//! "tumor" = "tumour"                      # ... or a source name of dataset.json
//! "cyst" = "background"                   # dropped
//! "*" = "liver"                           # every other value above 0
//! ```
//!
//! A channel may name its `source`, a channel name or number of the dataset, which reorders or
//! leaves out channels. `normalization` is a rule of plan files, or `clip_foreground_to_0_1`.

mod file;
mod labels;
mod planned;
mod resolve;

use std::path::{Path, PathBuf};

use uniseg_imaging::{Normalization, SpacingMm};

use super::error::{DataError, nearest};
use super::{Format, SplitRule};

pub(super) use labels::Rule;
pub use labels::{LabelMap, LabelTable, Source};
pub use planned::PlannedTask;
pub use resolve::ResolvedTask;

/// The tasks of a universal model, in the order of their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Tasks {
    /// The file they were read from.
    pub path: PathBuf,
    /// The tasks; at least one.
    pub tasks: Vec<Task>,
}

/// One task and where its data is.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Name by which users ask for it; also a folder's name in the cache.
    pub name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// Folder of its dataset.
    pub dataset: PathBuf,
    /// How the folder is organised; found out if `None`.
    pub format: Option<Format>,
    /// Image channels, in the order in which the network gets them.
    pub channels: Vec<Channel>,
    /// Label names; the index is the label's value and 0 is the background.
    pub labels: Vec<String>,
    /// From the dataset's labels to the task's.
    pub label_map: LabelMap,
    /// Spacing that images are resampled to; from the data if `None`.
    pub spacing: Option<SpacingMm>,
    /// Which cases are held out.
    pub split: SplitRule,
    /// What to do with cases without foreground.
    pub empty_labels: EmptyLabels,
}

/// One image channel of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// CT, MR, PET, ...
    pub modality: String,
    /// The dataset's channel, by name or number; the one in the same place if `None`.
    pub source: Option<String>,
    /// How its intensities are normalised.
    pub normalization: NormalizationRule,
}

/// A normalisation that may have to wait for the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormalizationRule {
    /// As stated.
    Fixed(Normalization),
    /// `clip_foreground_to_0_1`: the window from the 0.5 to the 99.5 percentile of the dataset's
    /// foreground becomes [0, 1].
    ///
    /// nnU-Net's rule for CT subtracts the foreground's mean and divides by its deviation after
    /// the same clipping; this is that up to one linear map for the whole dataset, and keeps to
    /// the rules that an artefact can carry.
    ClipForeground,
}

/// What to do with a case in which the task has no foreground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyLabels {
    /// It is a mistake and reported.
    Refuse,
    /// It is a healthy case and trained on.
    Keep,
    /// It is left out.
    Drop,
}

impl EmptyLabels {
    /// All of them, by the names that tasks files use.
    pub const ALL: [(&str, Self); 3] = [
        ("refuse", Self::Refuse),
        ("keep", Self::Keep),
        ("drop", Self::Drop),
    ];
}

impl Tasks {
    /// Reads and checks a tasks file. `root` replaces the folder that datasets are relative to.
    ///
    /// Errors: [`DataError::Io`], [`DataError::Toml`], [`DataError::UnknownKey`],
    /// [`DataError::InvalidTask`]. No dataset is opened.
    pub fn read(path: &Path, root: Option<&Path>) -> Result<Self, DataError> {
        let text = std::fs::read_to_string(path).map_err(DataError::io("read", path))?;
        Self::parse(&text, path, root)
    }

    /// As [`read`](Self::read), from text; `path` is named in errors and is what relative paths
    /// start from.
    pub fn parse(text: &str, path: &Path, root: Option<&Path>) -> Result<Self, DataError> {
        file::parse(text, path, root)
    }

    /// The task of a name or alias.
    ///
    /// Errors: [`DataError::UnknownTask`].
    pub fn find(&self, name: &str) -> Result<&Task, DataError> {
        let called = |task: &&Task| task.name == name || task.aliases.iter().any(|a| a == name);
        self.tasks.iter().find(called).ok_or_else(|| {
            let known: Vec<String> = self.tasks.iter().map(|task| task.name.clone()).collect();
            DataError::UnknownTask {
                path: self.path.clone(),
                found: name.into(),
                nearest: nearest(name, known.iter().map(String::as_str)),
                known,
            }
        })
    }
}

#[cfg(test)]
mod tests;
