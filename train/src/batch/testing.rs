//! A cache and a plan for tests of training: two tasks on the same scans.

use std::path::Path;

use tempfile::TempDir;

use crate::data::testing::Folder;
use crate::data::{PreprocessOptions, TaskData, Tasks, preprocess};
use crate::plan::{NetworkConfig, Plan, paper};

/// Spacing of the cached cases, (z, y, x) in millimetres.
const SPACING: &str = "[4.0, 3.0, 3.0]";

/// A cache of two tasks, `liver` with two labels and `spleen` with one, over the same scans.
pub(crate) struct Cache {
    dir: TempDir,
    pub plan: Plan,
}

impl Cache {
    pub(crate) fn new(cases: usize) -> Self {
        let folder = Folder::new(cases);
        let task = |name: &str, labels: &str, map: &str| {
            format!(
                "[[task]]\nname = \"{name}\"\ndataset = \".\"\nlabels = {labels}\n\
                 spacing_zyx_mm = {SPACING}\nlabel_map = {map}\n\
                 channels = [{{ modality = \"CT\", normalization = \"clip_-325_325_to_0_1\" }}]\n"
            )
        };
        let text = task(
            "liver",
            "[\"liver\", \"spleen\"]",
            "{ 1 = \"liver\", 2 = \"spleen\" }",
        ) + &task(
            "spleen",
            "[\"spleen\"]",
            "{ 1 = \"background\", 2 = \"spleen\" }",
        );
        let tasks = Tasks::parse(&text, &folder.path().join("tasks.toml"), None).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut plans = Vec::new();
        for (id, task) in tasks.tasks.iter().enumerate() {
            let resolved = task.resolve(None).unwrap();
            let data = TaskData::open(task).unwrap();
            let options = PreprocessOptions::default();
            preprocess(&data, &resolved, dir.path(), &options, &mut |_| {}).unwrap();
            plans.push(resolved.to_plan(id));
        }
        let network = NetworkConfig {
            patch_size: [8, 8, 8],
            strides_between_stages: vec![[1, 2, 2], [2; 3]],
            kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3]],
            base_num_features: 4,
            num_tasks: 2,
            num_classes: 3,
            input_channel_variants: vec![1],
            ..paper().network
        };
        let plan = Plan {
            network,
            tasks: plans,
            ..paper()
        };
        Self {
            dir,
            plan: plan.complete().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}
