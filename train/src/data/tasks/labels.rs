//! From a dataset's labels to a task's.

use std::collections::BTreeMap;

use crate::data::DeclaredLabel;

/// What a label map speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A value in the label files.
    Value(u16),
    /// A name in `dataset.json`; a region stands for all of its values.
    Name(String),
    /// Every value above 0 that nothing else speaks of.
    Rest,
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(value) => Self::Value(value),
            Err(_) if text == "*" => Self::Rest,
            Err(_) => Self::Name(text.to_owned()),
        }
    }
}

/// A task's label map as its file states it. An empty one leaves values as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelMap {
    entries: Vec<(Source, u16)>,
}

impl LabelMap {
    /// From pairs of a source and the task's label.
    pub fn new(entries: Vec<(Source, u16)>) -> Self {
        Self { entries }
    }

    /// Joins the map with what a dataset declares, for a task with `labels` labels, background
    /// included. Values speak louder than names, names than the rest.
    ///
    /// Errors: the first name that the dataset does not declare.
    pub fn resolve(&self, declared: &[DeclaredLabel], labels: usize) -> Result<LabelTable, String> {
        let mut known: BTreeMap<u16, Option<u16>> = declared
            .iter()
            .flat_map(|label| &label.values)
            .map(|value| (*value, None))
            .collect();
        let mut rest = None;
        for (source, target) in &self.entries {
            match source {
                Source::Value(_) => {}
                Source::Rest => rest = Some(*target),
                Source::Name(name) => {
                    let found = declared.iter().find(|label| label.name == *name);
                    let found = found.ok_or_else(|| name.clone())?;
                    known.extend(found.values.iter().map(|value| (*value, Some(*target))));
                }
            }
        }
        for (source, target) in &self.entries {
            if let Source::Value(value) = source {
                known.insert(*value, Some(*target));
            }
        }
        let stays = self.entries.is_empty();
        let mut rules: BTreeMap<u16, Rule> = BTreeMap::new();
        for (value, target) in known {
            let stay = (stays && usize::from(value) < labels).then_some(value);
            let target = target.or(stay).or(if value == 0 { Some(0) } else { rest });
            rules.insert(value, target.map_or(Rule::Unmapped, Rule::To));
        }
        rules.entry(0).or_insert(Rule::To(0));
        Ok(LabelTable {
            rules,
            others: rest.map_or(Rule::Undeclared, Rule::To),
        })
    }
}

/// What becomes of a value in a label file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Rule {
    To(u16),
    /// Declared, but the task's map does not mention it.
    Unmapped,
    /// Not declared in `dataset.json`.
    Undeclared,
}

/// What becomes of every value that a label file may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelTable {
    rules: BTreeMap<u16, Rule>,
    others: Rule,
}

impl LabelTable {
    /// The task's label for a value of the dataset; `None` if the value must not occur.
    pub fn get(&self, value: u16) -> Option<u16> {
        match self.rule(value) {
            Rule::To(label) => Some(label),
            Rule::Unmapped | Rule::Undeclared => None,
        }
    }

    pub(in crate::data) fn rule(&self, value: u16) -> Rule {
        self.rules.get(&value).copied().unwrap_or(self.others)
    }

    /// The same text for the same table: part of a cached case's key.
    pub(in crate::data) fn text(&self) -> String {
        format!("{:?} {:?}", self.rules, self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<DeclaredLabel> {
        [
            ("background", &[0][..]),
            ("kidney", &[1]),
            ("tumour", &[2]),
            ("cyst", &[3]),
        ]
        .into_iter()
        .chain([("lesions", &[2, 3][..])])
        .map(|(name, values)| DeclaredLabel {
            name: name.into(),
            values: values.to_vec(),
        })
        .collect()
    }

    #[track_caller]
    fn check(map: &[(&str, u16)], labels: usize, expected: [Option<u16>; 5]) {
        let map = LabelMap::new(map.iter().map(|(from, to)| ((*from).into(), *to)).collect());
        let table = map.resolve(&declared(), labels).unwrap();
        assert_eq!([0, 1, 2, 3, 9].map(|value| table.get(value)), expected);
    }

    #[test]
    fn values_stay_merge_are_dropped_or_become_one() {
        // Left alone: what the task has no label for must not occur.
        check(&[], 4, [Some(0), Some(1), Some(2), Some(3), None]);
        check(&[], 3, [Some(0), Some(1), Some(2), None, None]);
        // By value and by name, one dropped.
        check(
            &[("1", 1), ("tumour", 2), ("cyst", 0)],
            3,
            [Some(0), Some(1), Some(2), Some(0), None],
        );
        // Merged by a region; a value speaks louder.
        check(
            &[("kidney", 1), ("lesions", 2)],
            3,
            [Some(0), Some(1), Some(2), Some(2), None],
        );
        check(
            &[("3", 0), ("kidney", 1), ("lesions", 2)],
            3,
            [Some(0), Some(1), Some(2), Some(0), None],
        );
        // Binarised, declared or not.
        check(
            &[("*", 1)],
            2,
            [Some(0), Some(1), Some(1), Some(1), Some(1)],
        );
        check(
            &[("*", 1), ("cyst", 0)],
            2,
            [Some(0), Some(1), Some(1), Some(0), Some(1)],
        );
        // Forgotten.
        check(&[("1", 1)], 3, [Some(0), Some(1), None, None, None]);
    }

    #[test]
    fn brats_values_change_places() {
        let map = LabelMap::new(vec![("2".into(), 1), ("1".into(), 2), ("4".into(), 3)]);
        let table = map.resolve(&[], 4).unwrap();
        assert_eq!(
            [0, 1, 2, 4].map(|value| table.get(value)),
            [Some(0), Some(2), Some(1), Some(3)]
        );
        assert_eq!(table.get(3), None);
        assert_eq!(table.rule(3), Rule::Undeclared);
    }

    #[test]
    fn an_unknown_name_is_told() {
        let map = LabelMap::new(vec![("kidny".into(), 1)]);
        assert_eq!(map.resolve(&declared(), 2).unwrap_err(), "kidny");
    }
}
