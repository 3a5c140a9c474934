//! Cases by the names of their files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use glob::{MatchOptions, glob_with};

use super::{CaseFlaw, CohortCase, CohortError};

/// Patterns mean what they mean in a shell: a star stays in its folder and finds no hidden file.
const AS_IN_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What lies in `folder`.
pub(super) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, CohortError> {
    let entries = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    entries().map_err(|source| CohortError::Read {
        path: folder.to_owned(),
        source,
    })
}

/// What matches `pattern`, and what lies in folders that do.
pub(super) fn matching(pattern: &str) -> Result<Vec<PathBuf>, CohortError> {
    let found = glob_with(pattern, AS_IN_A_SHELL).map_err(|source| CohortError::Pattern {
        pattern: pattern.to_owned(),
        source,
    })?;
    // A folder that matches beside its own files names them twice.
    let mut files = BTreeSet::new();
    for path in found {
        let path = path.map_err(|error| CohortError::Read {
            path: error.path().to_owned(),
            source: error.into(),
        })?;
        match path.is_dir() {
            true => files.extend(in_folder(&path)?),
            false => {
                files.insert(path);
            }
        }
    }
    Ok(files.into_iter().collect())
}

/// `files` without those that lie in the folder `results`, or below: results of earlier runs.
pub(super) fn outside(files: Vec<PathBuf>, results: &Path) -> Vec<PathBuf> {
    let Ok(results) = results.canonicalize() else {
        return files;
    };
    let mut below: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut is_below = |path: &PathBuf| {
        let folder = folder_of(path).to_owned();
        *below.entry(folder).or_insert_with_key(|folder| {
            folder
                .canonicalize()
                .is_ok_and(|folder| folder.starts_with(&results))
        })
    };
    files.into_iter().filter(|path| !is_below(path)).collect()
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The cases that these files are, by name; files of other kinds are none.
///
/// Where files of several folders have the same names, as `CASE/ct.nii.gz`, cases are called by
/// their folder, too: `CASE_ct`.
pub(super) fn cases(files: Vec<PathBuf>) -> Result<Vec<CohortCase>, CohortError> {
    // By folder and case, then by channel: sorted, whatever order the file system has.
    let mut found: BTreeMap<(PathBuf, String), BTreeMap<u32, Vec<PathBuf>>> = BTreeMap::new();
    for path in files {
        let folder = folder_of(&path).to_owned();
        if let Some((case, channel)) = case_and_channel(&path) {
            let channels = found.entry((folder, case)).or_default();
            channels.entry(channel).or_default().push(path);
        }
    }
    // Channels that a pattern leaves out on purpose are not missing.
    let mut there: BTreeSet<(PathBuf, String, u32)> = BTreeSet::new();
    for folder in found
        .keys()
        .map(|(folder, _)| folder)
        .collect::<BTreeSet<_>>()
    {
        for (case, channel) in in_folder(folder)?
            .iter()
            .filter_map(|path| case_and_channel(path))
        {
            there.insert((folder.clone(), case, channel));
        }
    }
    let names: BTreeSet<&str> = found.keys().map(|(_, case)| case.as_str()).collect();
    let by_folder = names.len() < found.len();
    let mut cases: Vec<CohortCase> = found
        .into_iter()
        .map(|((folder, case), channels)| {
            let mut flaw = channels
                .iter()
                .find(|(_, files)| files.len() > 1)
                .map(|(channel, _)| CaseFlaw::TwoFiles { channel: *channel });
            if let Some(last) = channels.keys().next_back() {
                let absent =
                    |channel: &u32| !there.contains(&(folder.clone(), case.clone(), *channel));
                let absent = (0..*last).find(absent);
                flaw = flaw.or(absent.map(|channel| CaseFlaw::NoFile { channel }));
            }
            let parent = folder.file_name().filter(|_| by_folder);
            CohortCase {
                name: match parent {
                    Some(parent) => format!("{}_{case}", parent.to_string_lossy()),
                    None => case,
                },
                images: channels.into_values().flatten().collect(),
                task: None,
                flaw,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

/// The case and the channel that an image file's name tells: `CASE_0001.nii.gz` is channel 1 of
/// CASE, a name without a channel is channel 0; nothing for the name of another file.
fn case_and_channel(path: &Path) -> Option<(String, u32)> {
    let name = path.file_name()?.to_string_lossy();
    // A hidden file is nobody's image: our own temporary files are hidden.
    let (case, channel) = nifti_stem(&name)
        .filter(|_| !name.starts_with('.'))
        .map(channel)?;
    Some((case.to_owned(), channel))
}

/// A NIfTI file's name without its ending, `.nii.gz` or `.nii` in capitals or not; `None` for another
/// file's name, and for an ending alone.
pub fn nifti_stem(name: &str) -> Option<&str> {
    let ends = |ending: &&str| {
        let start = name.len().checked_sub(ending.len());
        let end = start.and_then(|start| name.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    let ending = [".nii.gz", ".nii"].into_iter().find(ends)?;
    name.get(..name.len() - ending.len())
        .filter(|stem| !stem.is_empty())
}

/// Splits `CASE_0001` into case and channel; a name without a channel is the first.
fn channel(stem: &str) -> (&str, u32) {
    let parts = stem.rsplit_once('_').filter(|(case, digits)| {
        !case.is_empty() && digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit())
    });
    parts
        .and_then(|(case, digits)| Some((case, digits.parse().ok()?)))
        .unwrap_or((stem, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_a_channel() {
        assert_eq!(channel("liver_12_0003"), ("liver_12", 3));
        assert_eq!(channel("liver_12"), ("liver_12", 0));
        assert_eq!(channel("_0001"), ("_0001", 0));
    }

    #[test]
    fn an_ending_is_one_in_any_case() {
        for (name, expected) in [
            ("a.nii.gz", Some("a")),
            ("A.NII.GZ", Some("A")),
            ("b.Nii", Some("b")),
            ("ä.nii", Some("ä")),
            (".nii", None),
            ("a.nii.txt", None),
            ("äii", None),
        ] {
            assert_eq!(nifti_stem(name), expected, "{name}");
        }
    }
}
