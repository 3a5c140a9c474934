//! One label map of many tasks.

use std::collections::BTreeMap;

use ndarray::{Array3, Zip};
use serde::{Deserialize, Serialize};
use uniseg_onnx::Task;

use crate::{
    RuntimeError, Segmentation,
    output::{record_sha256, sha256},
};

/// Version of the JSON layout; rises when a field changes its meaning or goes.
pub const MERGED_VERSION: u32 = 1;

/// What the values of a merged label map mean, as plain data for a JSON file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedTable {
    /// Layout of this record, see [`MERGED_VERSION`].
    pub schema_version: u32,
    /// Volume of one voxel in millilitres.
    pub voxel_ml: f64,
    /// One entry for each value but 0, which is background.
    pub labels: Vec<MergedLabel>,
    /// The values, the one that wins over all others first.
    pub priority: Vec<u16>,
    /// By task, the digest of the statistics beside the map that was joined: another map has others.
    /// Empty in records of earlier versions.
    #[serde(default)]
    pub made_of: BTreeMap<String, String>,
}

impl MergedTable {
    /// Whether it is what joining `tasks` with this `priority` gives, from the maps beside which
    /// the files `statistics` lie, one for each task.
    pub fn is_of(&self, tasks: &[&Task], priority: &[String], statistics: &[Vec<u8>]) -> bool {
        let Ok(merge) = Merge::new(tasks, priority, [0; 3]) else {
            return false;
        };
        let (_, expected) = merge.finish(self.voxel_ml);
        let digests = statistics.iter().map(|file| sha256(file));
        let names = tasks.iter().map(|task| task.name.clone());
        let made_of: BTreeMap<String, String> = names.zip(digests).collect();
        let meaning = |table: &MergedTable| -> Vec<(u16, String, u16, String)> {
            let labels = table.labels.iter();
            labels
                .map(|found| {
                    (
                        found.value,
                        found.task.clone(),
                        found.label,
                        found.name.clone(),
                    )
                })
                .collect()
        };
        meaning(&expected) == meaning(self)
            && expected.priority == self.priority
            && made_of == self.made_of
    }
}

/// A label of a task in a merged map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedLabel {
    /// Value in the merged map.
    pub value: u16,
    /// Name of the task.
    pub task: String,
    /// Value in the task's own map.
    pub label: u16,
    /// Name of the label.
    pub name: String,
    /// Voxels with this value in the merged map.
    pub voxels: u64,
    /// Their volume in millilitres.
    pub ml: f64,
}

/// Joins the label maps of tasks on one grid.
///
/// Values are given in the order of the tasks and, within a task, of its labels, whatever the
/// priority. Where two tasks label one voxel, the label that is named first in the priority wins,
/// by its own name or by its task's; labels that are not named come after those that are, in the
/// order of their values.
#[derive(Debug, Clone)]
pub struct Merge {
    labels: Vec<MergedLabel>,
    /// For each value, 0 included, its place among all; the lowest wins.
    rank: Vec<usize>,
    map: Array3<u16>,
    made_of: BTreeMap<String, String>,
}

impl Merge {
    /// An empty map of `extent` (z, y, x) voxels for `tasks`; `priority` holds names, aliases or ids
    /// of tasks, or names of labels, whatever their case.
    ///
    /// Errors: [`RuntimeError::UnknownPriority`], [`RuntimeError::TooManyLabels`].
    pub fn new(
        tasks: &[&Task],
        priority: &[String],
        extent: [usize; 3],
    ) -> Result<Merge, RuntimeError> {
        let same = |a: &str, b: &str| a.to_lowercase() == b.trim().to_lowercase();
        let names_task = |task: &Task, name: &str| {
            task.names().any(|known| same(known, name)) || task.id.to_string() == name.trim()
        };
        let (mut labels, mut order) = (Vec::new(), Vec::new());
        let mut known = vec![false; priority.len()];
        for task in tasks {
            for (label, name) in (0_u16..).zip(&task.labels).skip(1) {
                let value =
                    u16::try_from(labels.len() + 1).map_err(|_| RuntimeError::TooManyLabels)?;
                let mut place = priority.len();
                for (at, wanted) in priority.iter().enumerate() {
                    if same(name, wanted) || names_task(task, wanted) {
                        known[at] = true;
                        place = place.min(at);
                    }
                }
                order.push((place, value));
                labels.push(MergedLabel {
                    value,
                    task: task.name.clone(),
                    label,
                    name: name.clone(),
                    voxels: 0,
                    ml: 0.0,
                });
            }
        }
        if let Some(unknown) = priority.iter().zip(known).find(|(_, known)| !known) {
            return Err(RuntimeError::UnknownPriority {
                name: unknown.0.clone(),
                tasks: tasks.iter().map(|task| task.name.clone()).collect(),
            });
        }
        order.sort_unstable();
        // Background loses against everything.
        let mut rank = vec![order.len(); order.len() + 1];
        for (place, (_, value)) in order.into_iter().enumerate() {
            rank[usize::from(value)] = place;
        }
        Ok(Merge {
            labels,
            rank,
            map: Array3::zeros(extent),
            made_of: BTreeMap::new(),
        })
    }

    /// Adds one task's labels, which must be on the grid of the map. The order of adding does not
    /// matter.
    ///
    /// Errors: [`RuntimeError::MergeGrid`].
    pub fn add(&mut self, found: &Segmentation) -> Result<(), RuntimeError> {
        let misfit = || RuntimeError::MergeGrid {
            task: found.task.name.clone(),
        };
        if found.labels.dim() != self.map.dim() {
            return Err(misfit());
        }
        // The value of each of the task's labels.
        let mut values = vec![0_u16; found.task.labels.len()];
        for label in self
            .labels
            .iter()
            .filter(|label| label.task == found.task.name)
        {
            if let Some(value) = values.get_mut(usize::from(label.label)) {
                *value = label.value;
            }
        }
        let digest = record_sha256(&found.statistics);
        self.made_of.insert(found.task.name.clone(), digest);
        let rank = &self.rank;
        Zip::from(&mut self.map)
            .and(&found.labels)
            .for_each(|merged, label| {
                let value = values.get(usize::from(*label)).copied().unwrap_or(0);
                if rank[usize::from(value)] < rank[usize::from(*merged)] {
                    *merged = value;
                }
            });
        Ok(())
    }

    /// The map, and what its values mean; `voxel_ml` is the volume of a voxel in millilitres.
    pub fn finish(self, voxel_ml: f64) -> (Array3<u16>, MergedTable) {
        let Merge {
            mut labels,
            rank,
            map,
            made_of,
        } = self;
        let counts = uniseg_imaging::label_counts(map.view(), labels.len() + 1);
        for (label, voxels) in labels.iter_mut().zip(counts.into_iter().skip(1)) {
            label.voxels = voxels;
            label.ml = voxels as f64 * voxel_ml;
        }
        let mut priority: Vec<u16> = labels.iter().map(|label| label.value).collect();
        priority.sort_by_key(|value| rank[usize::from(*value)]);
        let table = MergedTable {
            schema_version: MERGED_VERSION,
            voxel_ml,
            labels,
            priority,
            made_of,
        };
        (map, table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Statistics, statistics::STATISTICS_VERSION, testing};

    fn found(task: &Task, labels: &[u16]) -> Segmentation {
        Segmentation {
            task: task.clone(),
            labels: Array3::from_shape_vec((1, 1, labels.len()), labels.to_vec()).unwrap(),
            statistics: Statistics {
                schema_version: STATISTICS_VERSION,
                task_id: task.id,
                task: task.name.clone(),
                network: String::new(),
                recipe_sha256: None,
                uniseg_version: None,
                weights_sha256: String::new(),
                engine: String::new(),
                device: None,
                precision: None,
                step: 0.5,
                mirror: false,
                skip: false,
                fast: None,
                probabilities: false,
                inputs: Vec::new(),
                files: Vec::new(),
                voxel_ml: 2.0,
                labels: Vec::new(),
                warnings: Vec::new(),
            },
        }
    }

    /// The values of a voxel that two tasks want, one each wants alone, and one nobody wants.
    fn merged(priority: &[&str]) -> (Vec<u16>, MergedTable) {
        let manifest = testing::manifest();
        let tasks = [&manifest.tasks[0], &manifest.tasks[2]];
        let priority: Vec<String> = priority.iter().map(|&name| name.to_owned()).collect();
        let mut maps = [
            found(tasks[0], &[1, 2, 2, 0, 0]),
            found(tasks[1], &[1, 1, 0, 1, 0]),
        ];
        let mut both = Vec::new();
        // Whichever comes first.
        for _ in 0..2 {
            let mut merge = Merge::new(&tasks, &priority, [1, 1, 5]).unwrap();
            maps.iter().for_each(|map| merge.add(map).unwrap());
            both.push(merge.finish(2.0));
            maps.reverse();
        }
        assert_eq!(both[0], both[1]);
        let (map, table) = both.remove(0);
        (map.into_raw_vec_and_offset().0, table)
    }

    #[test]
    fn the_first_task_wins_unless_told_otherwise() {
        let (map, table) = merged(&[]);
        assert_eq!(map, [1, 2, 2, 3, 0]);
        assert_eq!(table.priority, [1, 2, 3]);
        let names: Vec<_> = table
            .labels
            .iter()
            .map(|l| (l.value, l.task.as_str(), l.name.as_str(), l.voxels))
            .collect();
        assert_eq!(
            names,
            [
                (1, "liver", "liver", 1),
                (2, "liver", "tumour", 2),
                (3, "mr_liver", "liver", 1)
            ]
        );
        assert_eq!(table.labels[1].ml, 4.0);
    }

    #[test]
    fn a_table_knows_what_it_was_made_of() {
        let manifest = testing::manifest();
        let tasks = [&manifest.tasks[0], &manifest.tasks[2]];
        let (_, table) = merged(&["tumour"]);
        let priority = ["tumour".to_owned()];
        let folder = tempfile::tempdir().unwrap();
        let mut files: Vec<Vec<u8>> = tasks
            .iter()
            .map(|task| {
                let path = folder.path().join(&task.name);
                crate::write_statistics(&found(task, &[]).statistics, &path).unwrap();
                std::fs::read(path).unwrap()
            })
            .collect();
        assert!(table.is_of(&tasks, &priority, &files));
        assert!(!table.is_of(&tasks, &[], &files), "another priority");
        let fewer = table.is_of(&tasks[..1], &priority, &files[..1]);
        assert!(!fewer, "fewer tasks");
        let turned = [tasks[1], tasks[0]];
        let other_order = [files[1].clone(), files[0].clone()];
        assert!(
            !table.is_of(&turned, &priority, &other_order),
            "another order"
        );
        files[0].push(b' ');
        assert!(!table.is_of(&tasks, &priority, &files), "another map");
    }

    #[test]
    fn priority_is_by_task_or_by_label_and_moves_no_value() {
        assert_eq!(merged(&["MR_liver"]).0, [3, 3, 2, 3, 0]);
        let (map, table) = merged(&["tumour", "mr_liver"]);
        assert_eq!((map, table.priority), (vec![3, 2, 2, 3, 0], vec![2, 3, 1]));
        assert_eq!(merged(&["hepar"]).0, [1, 2, 2, 3, 0], "by alias");
        let id = testing::manifest().tasks[2].id.to_string();
        assert_eq!(merged(&[&format!(" {id}")]), merged(&["MR_liver"]));
    }

    #[test]
    fn unknown_names_and_other_grids_are_refused() {
        let manifest = testing::manifest();
        let tasks = [&manifest.tasks[0]];
        let error = Merge::new(&tasks, &["spleen".to_owned()], [1, 1, 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--priority names \"spleen\", which is neither a task nor a label of liver"
        );
        let mut merge = Merge::new(&tasks, &[], [1, 1, 1]).unwrap();
        let error = merge.add(&found(tasks[0], &[0, 0])).unwrap_err();
        assert!(matches!(error, RuntimeError::MergeGrid { .. }));
    }
}
