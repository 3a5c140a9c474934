//! Which cases are trained on and which are held out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::DataError;
use super::random::Random;

/// How cases are divided.
#[derive(Debug, Clone, PartialEq)]
pub enum SplitRule {
    /// As a `splits_final.json` of nnU-Net says.
    File {
        /// The file: a list of `{"train": [names], "val": [names]}`.
        path: PathBuf,
        /// Which entry.
        fold: usize,
    },
    /// A share of the cases is held out.
    Fraction {
        /// The share, between 0 and 1.
        fraction: f64,
        /// Seed of the order in which cases are taken.
        seed: u64,
        /// Take the last ones by name instead of random ones.
        sorted: bool,
        /// Divide each group of names that are equal up to this text on its own, such as `_` for
        /// the sites of `SITE_Case01`.
        group_separator: Option<String>,
    },
}

impl SplitRule {
    /// The paper holds out a fifth.
    pub const FRACTION: f64 = 0.2;
    /// The paper's seed. The order is not numpy's, so neither is the choice.
    pub const SEED: u64 = 1234;

    /// Divides cases. The same names and rule give the same split, whatever their order.
    ///
    /// Errors: [`DataError::Split`] if either part would be empty, or a file names cases that do
    /// not exist or names one in both parts; [`DataError::Io`], [`DataError::Json`].
    pub fn apply(&self, dataset: &Path, names: &[&str]) -> Result<Split, DataError> {
        match self {
            Self::File { path, fold } => from_file(path, *fold, names),
            Self::Fraction {
                fraction,
                seed,
                sorted,
                group_separator,
            } => {
                if names.len() < 2 {
                    return Err(DataError::Split {
                        what: dataset.display().to_string(),
                        found: format!("it has {} case(s)", names.len()),
                        expected: "training and validation need at least one each".into(),
                    });
                }
                Ok(by_fraction(
                    names,
                    *fraction,
                    *seed,
                    *sorted,
                    group_separator.as_deref(),
                ))
            }
        }
    }
}

impl Default for SplitRule {
    fn default() -> Self {
        Self::Fraction {
            fraction: Self::FRACTION,
            seed: Self::SEED,
            sorted: false,
            group_separator: None,
        }
    }
}

/// The cases of a dataset in two parts, each sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Split {
    /// Cases to train on.
    pub train: Vec<String>,
    /// Cases that are held out.
    #[serde(alias = "val")]
    pub validation: Vec<String>,
}

fn from_file(path: &Path, fold: usize, names: &[&str]) -> Result<Split, DataError> {
    let text = std::fs::read_to_string(path).map_err(DataError::io("read", path))?;
    let folds: Vec<Split> = serde_json::from_str(&text).map_err(|source| DataError::Json {
        what: "splits file",
        path: path.to_path_buf(),
        source,
    })?;
    let fail = |found: String, expected: &str| {
        let what = format!("by {}, fold {fold}", path.display());
        Err(DataError::Split {
            what,
            found,
            expected: expected.into(),
        })
    };
    let count = folds.len();
    let Some(mut split) = folds.into_iter().nth(fold) else {
        return fail(
            format!("the file has {count} fold(s)"),
            "folds are counted from 0",
        );
    };
    split.train.sort_unstable();
    split.validation.sort_unstable();
    let known: BTreeSet<&str> = names.iter().copied().collect();
    let named = || split.train.iter().chain(&split.validation);
    let strangers: Vec<&str> = named()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    if let Some(first) = strangers.first() {
        let found = format!(
            "{} name(s) such as '{first}' are in the file",
            strangers.len()
        );
        return fail(found, "the dataset has no such case");
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = named().find(|name| !seen.insert(name.as_str())) {
        return fail(
            format!("'{twice}' is named twice"),
            "a case is in one part, once",
        );
    }
    if split.train.is_empty() || split.validation.is_empty() {
        return fail("one part is empty".into(), "both need at least one case");
    }
    Ok(split)
}

fn by_fraction(
    names: &[&str],
    fraction: f64,
    seed: u64,
    sorted: bool,
    separator: Option<&str>,
) -> Split {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        let group = separator.and_then(|separator| name.split_once(separator));
        groups
            .entry(group.map_or("", |(group, _)| group))
            .or_default()
            .push(name);
    }
    let mut split = Split::default();
    for (group, mut members) in groups {
        members.sort_unstable();
        if !sorted {
            Random::for_name(seed, group).shuffle(&mut members);
        }
        // As int(0.8 * n) in Python, up to the rounding of 1 - fraction.
        let train = (members.len() as f64 * (1.0 - fraction) + 1e-9).floor() as usize;
        let train = train.clamp(1, members.len().max(2) - 1);
        let (first, rest) = members.split_at(train);
        split
            .train
            .extend(first.iter().map(|name| (*name).to_owned()));
        split
            .validation
            .extend(rest.iter().map(|name| (*name).to_owned()));
    }
    // Only where every group has one member.
    if split.validation.is_empty() {
        split.validation.extend(split.train.pop());
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count)
            .map(|i| format!("{}_Case{i:02}", ["BMC", "UCL"][i % 2]))
            .collect()
    }

    fn apply(rule: &SplitRule, count: usize) -> Result<Split, DataError> {
        let names = names(count);
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.reverse();
        rule.apply(Path::new("data"), &names)
    }

    #[test]
    fn a_fraction_is_held_out_the_same_every_time() {
        let split = apply(&SplitRule::default(), 20).unwrap();
        assert_eq!((split.train.len(), split.validation.len()), (16, 4));
        assert_eq!(split, apply(&SplitRule::default(), 20).unwrap());
        let mut all = [split.train.clone(), split.validation.clone()].concat();
        let mut expected = names(20);
        all.sort_unstable();
        expected.sort_unstable();
        assert_eq!(all, expected);
        let other = SplitRule::Fraction {
            fraction: 0.2,
            seed: 1,
            sorted: false,
            group_separator: None,
        };
        assert_ne!(split, apply(&other, 20).unwrap());
        let two = apply(&SplitRule::default(), 2).unwrap();
        assert_eq!((two.train.len(), two.validation.len()), (1, 1));
    }

    #[test]
    fn the_first_cases_of_each_group_are_trained_on() {
        let rule = SplitRule::Fraction {
            fraction: 0.2,
            seed: 0,
            sorted: true,
            group_separator: Some("_".into()),
        };
        let split = apply(&rule, 20).unwrap();
        let last = ["BMC_Case16", "BMC_Case18", "UCL_Case17", "UCL_Case19"];
        assert_eq!(split.validation, last);
    }

    #[test]
    fn one_case_cannot_be_split() {
        let error = apply(&SplitRule::default(), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot split data: it has 1 case(s), but training and validation need at least one \
             each"
        );
    }

    #[test]
    fn a_file_of_nnu_net_is_followed_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("splits_final.json");
        let check = |text: &str, fold: usize| {
            std::fs::write(&path, text).unwrap();
            apply(
                &SplitRule::File {
                    path: path.clone(),
                    fold,
                },
                4,
            )
            .map_err(|e| e.to_string())
        };
        let good = r#"[{"train": ["BMC_Case00"], "val": ["UCL_Case01"]},
                       {"train": ["UCL_Case03", "BMC_Case02"], "val": ["UCL_Case01"]}]"#;
        let split = check(good, 1).unwrap();
        assert_eq!(split.train, ["BMC_Case02", "UCL_Case03"]);
        assert_eq!(split.validation, ["UCL_Case01"]);
        for (text, fold, part) in [
            (good, 2, "the file has 2 fold(s)"),
            (
                r#"[{"train": ["x"], "val": ["UCL_Case01"]}]"#,
                0,
                "such as 'x'",
            ),
            (
                r#"[{"train": ["UCL_Case01"], "val": ["UCL_Case01"]}]"#,
                0,
                "named twice",
            ),
            (
                r#"[{"train": ["UCL_Case01"], "val": []}]"#,
                0,
                "one part is empty",
            ),
            ("{}", 0, "not a valid splits file"),
        ] {
            let error = check(text, fold).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
