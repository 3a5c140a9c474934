//! Many cases: what a folder, a pattern or a table of files means.

mod csv;
mod error;
mod files;
mod shard;

use std::path::{Path, PathBuf};

pub use self::error::CohortError;
pub use self::files::nifti_stem;
pub use self::shard::Shard;

/// The images of one case, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortCase {
    /// Name of the case, which names its results; safe in a file name.
    pub name: String,
    /// One file for each channel, in order.
    pub images: Vec<PathBuf>,
    /// The task, where the table says one.
    pub task: Option<String>,
    /// Why it cannot be segmented, if that shows already.
    pub flaw: Option<CaseFlaw>,
}

/// What is wrong with the files of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseFlaw {
    /// The lowest channel that has no file, where a higher one has.
    NoFile {
        /// The channel, from 0.
        channel: u32,
    },
    /// There is no image at all.
    NoImage,
    /// More than one file could be a channel.
    TwoFiles {
        /// The channel, from 0.
        channel: u32,
    },
}

impl CohortCase {
    /// Whether each channel up to the last one has one file.
    ///
    /// Errors: [`CohortError::Gap`], [`CohortError::NoImage`], [`CohortError::TwoFiles`].
    pub fn check(&self) -> Result<(), CohortError> {
        let case = self.name.clone();
        let found = || {
            let names = self.images.iter().filter_map(|path| path.file_name());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .collect()
        };
        match self.flaw {
            None => Ok(()),
            Some(CaseFlaw::NoFile { channel: missing }) => Err(CohortError::Gap {
                case,
                missing,
                found: found(),
            }),
            Some(CaseFlaw::NoImage) => Err(CohortError::NoImage { case }),
            Some(CaseFlaw::TwoFiles { channel }) => Err(CohortError::TwoFiles {
                case,
                channel,
                found: found(),
            }),
        }
    }
}

/// Finds the cases that `input` means; nothing if it is the name of an image file.
///
/// - A folder: its NIfTI files, not those of folders within it.
/// - A pattern, where nothing has that name itself: `*`, `?` and `[abc]` as in a shell, in any part
///   of the path, and `**` for folders within folders. Of a folder that matches its files are meant.
/// - A table: a file ending in `.csv` with the columns `case`, any number of image columns, and
///   optionally `task`; paths are relative to the table's folder.
///
/// Files called `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, ... are the channels of one case, as
/// nnU-Net names them; any other file is a case of its own. A case whose numbers leave a channel
/// out, or of which a channel has two files, is found, and says so in [`CohortCase::check`]. Cases
/// are sorted by name, those of a table stay in its order.
///
/// What lies in the folder `results`, or below, is none of the images of a folder or pattern, so that
/// results may lie where a pattern reaches.
///
/// Errors: [`CohortError`].
pub fn find_cases(
    input: &Path,
    results: Option<&Path>,
) -> Result<Option<Vec<CohortCase>>, CohortError> {
    let outside = |files: Vec<PathBuf>| match results {
        Some(results) if !files.is_empty() => {
            let found = files::outside(files, results);
            match found.is_empty() {
                true => Err(CohortError::AmongResults {
                    path: results.to_owned(),
                }),
                false => Ok(found),
            }
        }
        _ => Ok(files),
    };
    let name = input.file_name().map(|name| name.to_string_lossy());
    let name = name.as_deref().unwrap_or_default();
    let pattern = input.to_str().filter(|text| text.contains(['*', '?', '[']));
    let path = input.to_owned();
    let (cases, none) = if input.is_dir() {
        let files = outside(files::in_folder(input)?)?;
        (files::cases(files)?, CohortError::Empty { path })
    } else if name.to_lowercase().ends_with(".csv") {
        (csv::read(input)?, CohortError::NoRows { path })
    } else if let Some(pattern) = pattern.filter(|_| !input.exists()) {
        let files = outside(files::matching(pattern)?)?;
        (files::cases(files)?, CohortError::NoMatch { path })
    } else {
        return Ok(None);
    };
    if cases.is_empty() {
        return Err(none);
    }
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(CohortError::Twice {
            path: input.to_owned(),
            case: pair[0].to_owned(),
        });
    }
    Ok(Some(cases))
}

#[cfg(test)]
mod tests;
