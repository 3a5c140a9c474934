//! From TOML to checked tasks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use uniseg_imaging::SpacingMm;

use crate::data::error::{DataError, nearest};
use crate::data::{Format, SplitRule, from_toml};
use crate::plan::normalization_from_name;

use super::{Channel, EmptyLabels, LabelMap, NormalizationRule, Task, Tasks};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    root: Option<PathBuf>,
    #[serde(default)]
    task: Vec<TaskEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskEntry {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    dataset: PathBuf,
    format: Option<String>,
    channels: Vec<ChannelEntry>,
    labels: Vec<String>,
    #[serde(default)]
    label_map: BTreeMap<String, String>,
    spacing_zyx_mm: Option<[f64; 3]>,
    #[serde(default)]
    split: SplitEntry,
    empty_labels: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelEntry {
    modality: String,
    source: Option<String>,
    normalization: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SplitEntry {
    file: Option<PathBuf>,
    fold: Option<usize>,
    fraction: Option<f64>,
    seed: Option<u64>,
    sorted: Option<bool>,
    group_separator: Option<String>,
}

/// The rule that needs the data.
const CLIP_FOREGROUND: &str = "clip_foreground_to_0_1";

pub(super) fn parse(text: &str, path: &Path, root: Option<&Path>) -> Result<Tasks, DataError> {
    let file: FileEntry = from_toml(text, path, "tasks file")?;
    let here = path.parent().unwrap_or(Path::new(""));
    let root = match root {
        Some(root) => root.to_path_buf(),
        None => here.join(file.root.unwrap_or_default()),
    };
    let mut tasks: Vec<Task> = Vec::new();
    for entry in file.task {
        let check = Check {
            path,
            task: entry.name.clone(),
        };
        let task = check.task(entry, &root, here)?;
        for name in std::iter::once(&task.name).chain(&task.aliases) {
            let taken = |other: &Task| other.name == *name || other.aliases.contains(name);
            if tasks.iter().any(taken) {
                return Err(check.invalid("name or alias", name, "another task has it"));
            }
        }
        tasks.push(task);
    }
    if tasks.is_empty() {
        let check = Check {
            path,
            task: String::new(),
        };
        return Err(check.invalid("[[task]]", "missing", "a universal model has tasks"));
    }
    Ok(Tasks {
        path: path.to_path_buf(),
        tasks,
    })
}

struct Check<'a> {
    path: &'a Path,
    task: String,
}

impl Check<'_> {
    fn invalid(&self, field: &str, found: impl ToString, expected: impl ToString) -> DataError {
        DataError::InvalidTask {
            path: self.path.to_path_buf(),
            task: self.task.clone(),
            field: field.into(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    fn task(&self, entry: TaskEntry, root: &Path, here: &Path) -> Result<Task, DataError> {
        let plain = |name: &str| {
            let usual = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            !name.is_empty() && name.len() <= 100 && name.chars().all(usual)
        };
        if let Some(name) = std::iter::once(&entry.name)
            .chain(&entry.aliases)
            .find(|name| !plain(name))
        {
            let expected = "names are letters, digits, '_' and '-'";
            return Err(self.invalid("name or alias", format!("'{name}'"), expected));
        }
        let spacing = entry
            .spacing_zyx_mm
            .map(SpacingMm::from_zyx)
            .transpose()
            .map_err(|_| {
                let found = format!("{:?}", entry.spacing_zyx_mm.unwrap_or_default());
                self.invalid("spacing_zyx_mm", found, "spacing is positive millimetres")
            })?;
        if entry.channels.is_empty() {
            return Err(self.invalid("channels", "empty", "an image has at least one channel"));
        }
        let labels = self.labels(entry.labels)?;
        let label_map = self.label_map(&entry.label_map, &labels)?;
        Ok(Task {
            format: self.one_of("format", entry.format.as_deref(), &Format::ALL)?,
            channels: entry
                .channels
                .into_iter()
                .map(|channel| self.channel(channel))
                .collect::<Result<_, _>>()?,
            empty_labels: self
                .one_of(
                    "empty_labels",
                    entry.empty_labels.as_deref(),
                    &EmptyLabels::ALL,
                )?
                .unwrap_or(EmptyLabels::Refuse),
            split: self.split(entry.split, here)?,
            name: entry.name,
            aliases: entry.aliases,
            dataset: root.join(entry.dataset),
            labels,
            label_map,
            spacing,
        })
    }

    fn labels(&self, foreground: Vec<String>) -> Result<Vec<String>, DataError> {
        let mut labels = vec!["background".to_owned()];
        for label in foreground {
            if label.is_empty() || labels.contains(&label) {
                let expected = "labels have different names; 0, 'background', is always there";
                return Err(self.invalid("labels", format!("'{label}'"), expected));
            }
            labels.push(label);
        }
        if labels.len() < 2 || labels.len() > 1000 {
            let found = format!("{} label(s)", labels.len() - 1);
            return Err(self.invalid("labels", found, "a task has 1 to 999"));
        }
        Ok(labels)
    }

    fn label_map(
        &self,
        entries: &BTreeMap<String, String>,
        labels: &[String],
    ) -> Result<LabelMap, DataError> {
        let mut map = Vec::new();
        for (source, target) in entries {
            let Some(value) = labels.iter().position(|label| label == target) else {
                let close = nearest(target, labels.iter().map(String::as_str));
                let expected = match close {
                    Some(close) => format!("the task has no such label (did you mean '{close}'?)"),
                    None => format!("the task's labels are {}", labels.join(", ")),
                };
                let field = format!("label_map, entry '{source}',");
                return Err(self.invalid(&field, format!("'{target}'"), expected));
            };
            map.push((source.as_str().into(), value as u16));
        }
        Ok(LabelMap::new(map))
    }

    fn channel(&self, entry: ChannelEntry) -> Result<Channel, DataError> {
        let normalization = if entry.normalization == CLIP_FOREGROUND {
            NormalizationRule::ClipForeground
        } else {
            let rule = normalization_from_name(&entry.normalization).map_err(|_| {
                let expected = format!(
                    "rules are none, zscore, zscore_nonzero, clip_LOWER_UPPER_to_0_1 and \
                     {CLIP_FOREGROUND}"
                );
                self.invalid(
                    "normalization",
                    format!("'{}'", entry.normalization),
                    expected,
                )
            })?;
            NormalizationRule::Fixed(rule)
        };
        Ok(Channel {
            modality: entry.modality,
            source: entry.source,
            normalization,
        })
    }

    fn one_of<T: Copy>(
        &self,
        field: &str,
        found: Option<&str>,
        known: &[(&str, T)],
    ) -> Result<Option<T>, DataError> {
        let Some(found) = found else { return Ok(None) };
        let row = known.iter().find(|(name, _)| *name == found);
        row.map(|(_, value)| Some(*value)).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.invalid(
                field,
                format!("'{found}'"),
                format!("it is one of {}", names.join(", ")),
            )
        })
    }

    fn split(&self, entry: SplitEntry, here: &Path) -> Result<SplitRule, DataError> {
        let by_fraction = entry.fraction.is_some()
            || entry.seed.is_some()
            || entry.sorted.is_some()
            || entry.group_separator.is_some();
        match entry.file {
            Some(_) if by_fraction => Err(self.invalid(
                "split",
                "both a file and a fraction",
                "a split is { file, fold } or { fraction, seed, sorted, group_separator }",
            )),
            Some(file) => Ok(SplitRule::File {
                path: here.join(file),
                fold: entry.fold.unwrap_or(0),
            }),
            None if entry.fold.is_some() => Err(self.invalid(
                "split",
                "a fold without a file",
                "folds are those of a file",
            )),
            None => {
                let fraction = entry.fraction.unwrap_or(SplitRule::FRACTION);
                if !(fraction > 0.0 && fraction < 1.0) {
                    let expected = "it is the share of cases to hold out, between 0 and 1";
                    return Err(self.invalid("split.fraction", fraction, expected));
                }
                Ok(SplitRule::Fraction {
                    fraction,
                    seed: entry.seed.unwrap_or(SplitRule::SEED),
                    sorted: entry.sorted.unwrap_or(false),
                    group_separator: entry.group_separator.filter(|text| !text.is_empty()),
                })
            }
        }
    }
}
