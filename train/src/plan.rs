//! What a universal network looks like and which tasks it serves.

mod network;
mod normalization;
mod paper;
mod task;
mod variant;

pub use network::NetworkConfig;
pub use normalization::{normalization_from_name, normalization_to_name};
pub use paper::paper;
pub use task::TaskPlan;
pub use variant::Variant;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::data::atomic::write_atomically;

/// A network and its tasks: the content of a `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The network's shape.
    #[serde(flatten)]
    pub network: NetworkConfig,
    /// Patches of one training step; all of them are of one task.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// The tasks, in the order of their ids. A plan file without them gets
    /// [generic ones](TaskPlan::generic).
    #[serde(default)]
    pub tasks: Vec<TaskPlan>,
}

/// The paper's, and that of plan files that do not say.
pub(crate) fn default_batch_size() -> usize {
    2
}

/// No batch is larger; a plan that asks for more is a mistake.
const MAX_BATCH: usize = 1024;

impl Plan {
    /// Writes a plan file, whole or not at all; the inverse of [`read`](Self::read).
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_vec_pretty(self).map_err(|source| TrainError::Json {
            what: "plan",
            path: path.to_path_buf(),
            source,
        })?;
        write_atomically(path, |out| out.write_all(&text)).map_err(TrainError::io("write", path))
    }

    /// Reads and checks a plan file.
    ///
    /// Fields that describe nothing (such as a parameter count) are ignored, so that the plans
    /// that other programs write beside their weights are accepted as they are.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(TrainError::io("read", path))?;
        let plan: Self = serde_json::from_str(&text).map_err(|source| TrainError::Json {
            what: "plan",
            path: path.to_path_buf(),
            source,
        })?;
        plan.complete()
    }

    /// The plan of one task's baseline: a network of its own with the same trunk, the task's
    /// classes and the one stem that its images need. None if there is no such task.
    pub fn baseline_of(&self, task: usize) -> Option<Self> {
        let task = TaskPlan {
            id: 0,
            ..self.tasks.get(task)?.clone()
        };
        let network = NetworkConfig {
            variant: Variant::Baseline,
            num_tasks: 1,
            num_classes: task.labels.len(),
            input_channel_variants: vec![task.channels.len()],
            ..self.network.clone()
        };
        Some(Self {
            network,
            batch_size: self.batch_size,
            tasks: vec![task],
        })
    }

    /// Adds generic tasks where there are none, and checks everything.
    pub fn complete(mut self) -> Result<Self, TrainError> {
        self.network.check()?;
        if !(1..=MAX_BATCH).contains(&self.batch_size) {
            return Err(TrainError::InvalidPlan {
                field: "batch_size".into(),
                found: self.batch_size.to_string(),
                expected: format!("1 to {MAX_BATCH} are possible"),
            });
        }
        if self.tasks.is_empty() {
            self.tasks = (0..self.network.num_tasks)
                .map(|id| TaskPlan::generic(id, &self.network))
                .collect();
        }
        if self.tasks.len() != self.network.num_tasks {
            return Err(TrainError::InvalidPlan {
                field: "tasks".into(),
                found: format!("{} entries", self.tasks.len()),
                expected: format!("num_tasks is {}", self.network.num_tasks),
            });
        }
        for (index, task) in self.tasks.iter().enumerate() {
            task.check(index, &self.network)?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"{
        "patch_size": [8, 16, 16],
        "strides_between_stages": [[1, 2, 2], [2, 2, 2]],
        "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        "base_num_features": 4, "num_tasks": 2, "num_classes": 3,
        "input_channel_variants": [1, 2], "parameters": 12345
    }"#;

    #[test]
    fn a_plan_without_tasks_gets_generic_ones() {
        let plan: Plan = serde_json::from_str(MINIMAL).unwrap();
        let plan = plan.complete().unwrap();
        assert_eq!(plan.tasks.len(), 2);
        assert_eq!(plan.tasks[1].name, "task1");
        assert_eq!(plan.tasks[1].labels, ["background", "label1", "label2"]);
        assert_eq!(plan.tasks[1].spacing_zyx_mm, [1.0; 3]);
        assert_eq!(plan.network.max_num_features, 320);
        assert_eq!(plan.batch_size, 2, "plans of before there was a batch size");
        assert_eq!(
            plan.network.variant,
            Variant::Uniseg,
            "plans of before there were variants"
        );
    }

    #[test]
    fn a_plan_survives_being_written_and_read() {
        let plan = Plan {
            batch_size: 3,
            ..paper()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        plan.write(&path).unwrap();
        assert_eq!(Plan::read(&path).unwrap(), plan);
    }

    #[test]
    fn every_task_of_the_paper_has_a_baseline() {
        let universal = paper();
        for task in &universal.tasks {
            let plan = universal.baseline_of(task.id).unwrap();
            assert_eq!(plan.clone().complete().unwrap(), plan);
            assert_eq!(plan.network.num_classes, task.labels.len());
            assert_eq!(plan.network.stem_slots(), task.channels.len());
            assert_eq!(plan.tasks[0].name, task.name);
        }
        assert_eq!(universal.baseline_of(11), None);
    }

    #[test]
    fn impossible_plans_name_the_field() {
        for (from, to, field) in [
            ("[8, 16, 16]", "[8, 15, 16]", "patch_size"),
            ("[1, 3, 3]", "[1, 2, 3]", "kernel_sizes"),
            (", [2, 2, 2]]", ", [0, 2, 2]]", "strides_between_stages"),
            ("\"num_classes\": 3", "\"num_classes\": 1", "num_classes"),
            (
                "\"base_num_features\": 4",
                "\"base_num_features\": 0",
                "base_num_features",
            ),
            ("[1, 2]", "[2, 2]", "input_channel_variants"),
            ("\"num_tasks\": 2", "\"num_tasks\": 9000000000", "num_tasks"),
            (
                "\"num_tasks\": 2",
                "\"num_tasks\": 2, \"batch_size\": 0",
                "batch_size",
            ),
            (
                "\"num_tasks\": 2",
                "\"num_tasks\": 2, \"variant\": \"baseline\"",
                "num_tasks",
            ),
        ] {
            let plan: Plan = serde_json::from_str(&MINIMAL.replace(from, to)).unwrap();
            let error = plan.complete().unwrap_err().to_string();
            assert!(error.contains(field), "{error} should name {field}");
        }
    }
}
