//! Many cases: what a folder, a pattern or a table of files means.

mod csv;
mod error;
mod files;
mod shard;

use std::path::{Path, PathBuf};

pub use self::error::CohortError;
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
    /// The lowest channel number that no file has, if a higher one has a file.
    pub missing: Option<u32>,
}

impl CohortCase {
    /// Whether the files' names leave no channel out.
    ///
    /// Errors: [`CohortError::Gap`].
    pub fn check(&self) -> Result<(), CohortError> {
        match self.missing {
            None => Ok(()),
            Some(missing) => Err(CohortError::Gap {
                case: self.name.clone(),
                missing,
                found: self
                    .images
                    .iter()
                    .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
                    .collect(),
            }),
        }
    }
}

/// Finds the cases that `input` means; nothing if it is the name of an image file.
///
/// - A folder: its NIfTI files, not those of folders within it.
/// - A pattern: `*` and `?` in the last part of a path that is not there itself.
/// - A table: a file ending in `.csv` with the columns `case`, any number of image columns, and
///   optionally `task`; paths are relative to the table's folder.
///
/// Files called `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, ... are the channels of one case, as
/// nnU-Net names them; any other file is a case of its own. A case whose numbers leave a channel
/// out is found, and says so in [`CohortCase::check`]. Cases are sorted by name, those of a
/// table stay in its order.
///
/// Errors: [`CohortError`].
pub fn find_cases(input: &Path) -> Result<Option<Vec<CohortCase>>, CohortError> {
    let name = input.file_name().map(|name| name.to_string_lossy());
    let name = name.as_deref().unwrap_or_default();
    let cases = if input.is_dir() {
        files::in_folder(input, None)?
    } else if name.to_lowercase().ends_with(".csv") {
        csv::read(input)?
    } else if !input.exists() && name.contains(['*', '?']) {
        let folder = match input.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        files::in_folder(folder, Some(name))?
    } else {
        return Ok(None);
    };
    if cases.is_empty() {
        return Err(CohortError::Empty {
            path: input.to_owned(),
        });
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
