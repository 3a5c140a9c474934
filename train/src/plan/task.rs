use serde::{Deserialize, Serialize};
use uniseg_imaging::Normalization;

use super::NetworkConfig;
use crate::TrainError;

/// One task of a universal network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// Index of the task's prompt.
    pub id: usize,
    /// Name by which users ask for the task.
    pub name: String,
    /// Other names for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Label names; the index is the label's value and 0 is the background.
    pub labels: Vec<String>,
    /// Modality of each image channel, in order.
    pub channels: Vec<String>,
    /// Spacing that images are resampled to, (z, y, x) in millimetres.
    pub spacing_zyx_mm: [f64; 3],
    /// Intensity normalisation of each channel.
    #[serde(with = "super::normalization")]
    pub normalization: Vec<Normalization>,
}

impl TaskPlan {
    /// A task about which nothing is known: all classes, one channel (or as many as the smallest
    /// stem takes), 1 mm, no normalisation.
    pub fn generic(id: usize, network: &NetworkConfig) -> Self {
        let channels = network.input_channel_variants.first().copied().unwrap_or(1);
        let labels = (0..network.num_classes)
            .map(|label| match label {
                0 => "background".to_owned(),
                _ => format!("label{label}"),
            })
            .collect();
        Self {
            id,
            name: format!("task{id}"),
            aliases: Vec::new(),
            labels,
            channels: vec!["unknown".into(); channels],
            spacing_zyx_mm: [1.0; 3],
            normalization: vec![Normalization::None; channels],
        }
    }

    pub(super) fn check(&self, index: usize, network: &NetworkConfig) -> Result<(), TrainError> {
        let fail = |field: &str, found: String, expected: String| {
            Err(TrainError::InvalidPlan {
                field: format!("tasks[{index}].{field}"),
                found,
                expected,
            })
        };
        if self.id != index {
            return fail(
                "id",
                self.id.to_string(),
                format!("tasks are in id order: {index}"),
            );
        }
        if !(2..=network.num_classes).contains(&self.labels.len()) {
            return fail(
                "labels",
                format!("{} labels", self.labels.len()),
                format!(
                    "the network has {} classes, background included",
                    network.num_classes
                ),
            );
        }
        if network.slots_for(self.channels.len()).is_none() {
            return fail(
                "channels",
                format!("{} channels", self.channels.len()),
                format!(
                    "the network has stems for {:?}",
                    network.input_channel_variants
                ),
            );
        }
        if self.normalization.len() != self.channels.len() {
            return fail(
                "normalization",
                format!("{} rules", self.normalization.len()),
                format!("there are {} channels", self.channels.len()),
            );
        }
        if !self
            .spacing_zyx_mm
            .iter()
            .all(|s| s.is_finite() && *s > 0.0)
        {
            return fail(
                "spacing_zyx_mm",
                format!("{:?}", self.spacing_zyx_mm),
                "spacing is positive millimetres".into(),
            );
        }
        Ok(())
    }
}
