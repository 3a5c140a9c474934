//! Cases by the names of their files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::{CohortCase, CohortError};

/// The cases whose files lie in `folder` and, if there is one, match `pattern`.
pub(super) fn in_folder(
    folder: &Path,
    pattern: Option<&str>,
) -> Result<Vec<CohortCase>, CohortError> {
    let failed = |source| CohortError::Read {
        path: folder.to_owned(),
        source,
    };
    // By case, then by channel: both sorted, whatever order the file system has.
    let mut found: BTreeMap<String, BTreeMap<u32, _>> = BTreeMap::new();
    // Channels that a pattern leaves out on purpose are not missing.
    let mut there: BTreeSet<(String, u32)> = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let Some((case, channel)) = case_and_channel(name) else {
            continue;
        };
        there.insert((case.to_owned(), channel));
        if !pattern.is_none_or(|pattern| matches(pattern, name)) {
            continue;
        }
        let channels = found.entry(case.to_owned()).or_default();
        if channels.insert(channel, path.clone()).is_some() {
            return Err(CohortError::Twice {
                path: folder.to_owned(),
                case: case.to_owned(),
            });
        }
    }
    Ok(found
        .into_iter()
        .map(|(name, channels)| CohortCase {
            missing: missing(&name, &channels, &there),
            name,
            images: channels.into_values().collect(),
            task: None,
        })
        .collect())
}

/// The lowest channel before the last of `channels` that no file in the folder has.
fn missing<T>(
    case: &str,
    channels: &BTreeMap<u32, T>,
    there: &BTreeSet<(String, u32)>,
) -> Option<u32> {
    let last = channels.keys().next_back().copied()?;
    (0..last).find(|channel| !there.contains(&(case.to_owned(), *channel)))
}

/// The case and the channel that an image file's name tells: `CASE_0001.nii.gz` is channel 1 of
/// CASE, a name without a channel is channel 0; nothing for the name of another file.
fn case_and_channel(name: &str) -> Option<(&str, u32)> {
    // A hidden file is nobody's image: our own temporary files are hidden.
    stem(name).filter(|_| !name.starts_with('.')).map(channel)
}

/// A NIfTI file's name without its ending.
fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".nii.gz")
        .or_else(|| name.strip_suffix(".nii"))
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

/// Whether `name` is what `pattern` means, where `*` is anything and `?` one character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last star does not fit: one character later.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    p = after;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("*.nii.gz", "a.nii.gz", true),
            ("*.nii.gz", "a.nii", false),
            ("ct_?.nii", "ct_1.nii", true),
            ("ct_?.nii", "ct_12.nii", false),
            ("*ab*b", "xababb", true),
            ("*ab*c", "xababb", false),
            ("**", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn four_digits_are_a_channel() {
        assert_eq!(channel("liver_12_0003"), ("liver_12", 3));
        assert_eq!(channel("liver_12"), ("liver_12", 0));
        assert_eq!(channel("_0001"), ("_0001", 0));
    }
}
