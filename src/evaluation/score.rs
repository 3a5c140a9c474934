//! The result as plain data: what is printed, written as JSON, and kept of a finished case.

use serde::{Deserialize, Serialize};
use uniseg_imaging::{Agreement, TaskAgreement};
use uniseg_onnx::Manifest;

use super::SplitPart;
use super::pairing::Pair;

/// Version of the JSON layout; rises when a field changes its meaning or goes.
const SCHEMA_VERSION: u32 = 1;

/// A model's scores. The same model, settings and cases give the same one: it has no date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    pub(crate) schema_version: u32,
    /// Name of the network.
    pub(crate) network: String,
    /// Digest of its weights.
    pub(crate) weights_sha256: String,
    pub(crate) settings: Settings,
    pub(crate) tasks: Vec<TaskScore>,
    /// Mean over the tasks, each counting the same; absent if no case could be evaluated.
    pub(crate) mean: Option<Measures>,
}

/// How the numbers were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) split: SplitPart,
    /// Distance of two windows as a fraction of the patch.
    pub(crate) step: f64,
    /// Whether mirror views were averaged.
    pub(crate) mirror: bool,
    /// Tolerance of the surface Dice.
    pub(crate) tolerance_mm: f64,
    /// Engine that predicted.
    pub(crate) engine: String,
}

/// A task's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskScore {
    /// Name of the task in the tasks file.
    pub(crate) name: String,
    /// Mean over the labels; absent without a case.
    pub(crate) mean: Option<Measures>,
    /// The labels of the foreground.
    pub(crate) labels: Vec<LabelScore>,
    /// The cases that were evaluated, by name.
    pub(crate) cases: Vec<CaseScore>,
    /// Cases without any of the task's labels that were left out, as the tasks file says.
    pub(crate) dropped: Vec<String>,
    /// Cases that could not be evaluated.
    pub(crate) failures: Vec<Failure>,
}

/// A label's scores over the cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LabelScore {
    /// Value in the label map.
    pub(crate) label: u16,
    pub(crate) name: String,
    /// Cases in which only one of truth and prediction has the label: Dice 0, distances 998 mm.
    pub(crate) one_sided: usize,
    /// Mean over the cases; absent without a case.
    pub(crate) mean: Option<Measures>,
}

/// A case's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CaseScore {
    pub(crate) case: String,
    /// The labels of the foreground, in order from 1.
    pub(crate) labels: Vec<CaseLabel>,
}

/// A label's scores in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CaseLabel {
    /// Value in the label map.
    pub(crate) label: u16,
    #[serde(flatten)]
    pub(crate) measures: Measures,
    pub(crate) truth_voxels: u64,
    pub(crate) predicted_voxels: u64,
    pub(crate) truth_ml: f64,
    pub(crate) predicted_ml: f64,
}

/// [`Agreement`] as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measures {
    pub(crate) dice: f64,
    pub(crate) surface_dice: f64,
    pub(crate) hd95_mm: f64,
    pub(crate) average_surface_distance_mm: f64,
}

/// A case that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) case: String,
    /// Why, with its causes.
    pub(crate) error: String,
}

impl From<Agreement> for Measures {
    fn from(agreement: Agreement) -> Self {
        Self {
            dice: agreement.dice,
            surface_dice: agreement.surface_dice,
            hd95_mm: agreement.hd95_mm,
            average_surface_distance_mm: agreement.average_mm,
        }
    }
}

impl From<Measures> for Agreement {
    fn from(measures: Measures) -> Self {
        Self {
            dice: measures.dice,
            surface_dice: measures.surface_dice,
            hd95_mm: measures.hd95_mm,
            average_mm: measures.average_surface_distance_mm,
        }
    }
}

impl CaseScore {
    /// Mean Dice over the labels, to order cases by.
    pub(crate) fn dice(&self) -> f64 {
        let sum: f64 = self.labels.iter().map(|label| label.measures.dice).sum();
        sum / self.labels.len().max(1) as f64
    }
}

impl TaskScore {
    /// A task without cases.
    pub(super) fn new(pair: &Pair) -> Self {
        let labels = pair.task.labels.iter().zip(0..).skip(1);
        Self {
            name: pair.name().to_owned(),
            mean: None,
            labels: labels
                .map(|(name, label)| LabelScore {
                    label,
                    name: name.clone(),
                    one_sided: 0,
                    mean: None,
                })
                .collect(),
            cases: Vec::new(),
            dropped: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Fills in the means over the cases.
    pub(super) fn average(&mut self) {
        let cases: Vec<Vec<Agreement>> = self
            .cases
            .iter()
            .map(|case| case.labels.iter().map(|one| one.measures.into()).collect())
            .collect();
        let Some(agreement) = TaskAgreement::of(&cases) else {
            return;
        };
        self.mean = Some(agreement.mean.into());
        for (index, (label, mean)) in self.labels.iter_mut().zip(agreement.labels).enumerate() {
            let found = self.cases.iter().filter_map(|case| case.labels.get(index));
            label.one_sided = found
                .filter(|one| (one.truth_voxels == 0) != (one.predicted_voxels == 0))
                .count();
            label.mean = Some(mean.into());
        }
    }
}

impl Evaluation {
    pub(super) fn new(manifest: &Manifest, settings: Settings, tasks: Vec<TaskScore>) -> Self {
        let means = tasks.iter().filter_map(|task| task.mean);
        Self {
            schema_version: SCHEMA_VERSION,
            network: manifest.network.name.clone(),
            weights_sha256: manifest.weights_sha256.clone(),
            settings,
            mean: Agreement::mean(means.map(Agreement::from)).map(Measures::from),
            tasks,
        }
    }

    /// Mean Dice over the tasks; absent if no case could be evaluated.
    pub(crate) fn mean_dice(&self) -> Option<f64> {
        self.mean.map(|mean| mean.dice)
    }

    /// Number of cases that could not be evaluated.
    pub(crate) fn failed(&self) -> usize {
        self.tasks.iter().map(|task| task.failures.len()).sum()
    }

    /// Labels, tasks and mean as rows; the first is the heading.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let heading = [
            "task",
            "label",
            "cases",
            "Dice",
            "surface Dice",
            "HD95 mm",
            "ASD mm",
            "one-sided",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        let row = |task: &str, label: &str, cases: usize, mean: Option<Measures>, last: String| {
            let mut row = vec![task.to_owned(), label.to_owned(), cases.to_string()];
            let of = |digits, pick: fn(&Measures) -> f64| {
                mean.map_or("–".into(), |mean| format!("{:.digits$}", pick(&mean)))
            };
            row.push(of(4, |mean| mean.dice));
            row.push(of(4, |mean| mean.surface_dice));
            row.push(of(2, |mean| mean.hd95_mm));
            row.push(of(2, |mean| mean.average_surface_distance_mm));
            row.push(last);
            row
        };
        for task in &self.tasks {
            let count = task.cases.len();
            for label in &task.labels {
                let name = format!("{} {}", label.label, label.name);
                let last = label.one_sided.to_string();
                rows.push(row(&task.name, &name, count, label.mean, last));
            }
            rows.push(row(&task.name, "all", count, task.mean, String::new()));
        }
        let cases = self.tasks.iter().map(|task| task.cases.len()).sum();
        rows.push(row("mean", "", cases, self.mean, String::new()));
        rows
    }
}
