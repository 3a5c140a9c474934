use serde::{Deserialize, Serialize};
use uniseg_imaging::{Normalization, Recipe, SpacingMm};

use crate::data::{DataError, Fingerprint};
use crate::plan::{TaskPlan, normalization_from_name, normalization_to_name};

use super::{NormalizationRule, Task};

/// A task with nothing left to be found out: what a plan and a cache hold of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResolvedTask {
    /// Name by which users ask for it.
    pub name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// Label names; the index is the label's value and 0 is the background.
    pub labels: Vec<String>,
    /// Modality of each channel.
    pub channels: Vec<String>,
    /// Spacing that images are resampled to, (z, y, x) in millimetres.
    pub spacing_zyx_mm: [f64; 3],
    /// Rule of each channel, as plan files name it.
    #[serde(with = "names")]
    pub normalization: Vec<Normalization>,
}

impl Task {
    /// Fills in what the tasks file leaves to the data.
    ///
    /// Errors: [`DataError::NotInFingerprint`] if the data does not give it. A task that states
    /// both spacing and intensities needs no fingerprint.
    pub fn resolve(&self, fingerprint: Option<&Fingerprint>) -> Result<ResolvedTask, DataError> {
        let missing = |what, found: &str| DataError::NotInFingerprint {
            task: self.name.clone(),
            what,
            found: found.into(),
        };
        let spacing_zyx_mm = match self.spacing {
            Some(spacing) => spacing.zyx(),
            None => fingerprint
                .and_then(Fingerprint::target_spacing_zyx_mm)
                .ok_or_else(|| missing("spacing", "no case was read"))?,
        };
        let mut normalization = Vec::new();
        for (index, channel) in self.channels.iter().enumerate() {
            normalization.push(match channel.normalization {
                NormalizationRule::Fixed(rule) => rule,
                NormalizationRule::ClipForeground => {
                    let what = "intensity window";
                    let intensity = fingerprint
                        .and_then(|fingerprint| fingerprint.intensities.get(index))
                        .ok_or_else(|| missing(what, "there is no foreground"))?;
                    let (lower, upper) = (intensity.percentile_00_5, intensity.percentile_99_5);
                    let window = Normalization::ClipRescale { lower, upper };
                    let same = |_| missing(what, "all of the foreground has one intensity");
                    window.check().map_err(same)?;
                    window
                }
            });
        }
        Ok(ResolvedTask {
            name: self.name.clone(),
            aliases: self.aliases.clone(),
            labels: self.labels.clone(),
            channels: self
                .channels
                .iter()
                .map(|channel| channel.modality.clone())
                .collect(),
            spacing_zyx_mm,
            normalization,
        })
    }
}

impl ResolvedTask {
    /// The preprocessing of its images.
    ///
    /// Errors: [`DataError::NotInFingerprint`] if the spacing is none, which only a changed file
    /// can cause.
    pub fn recipe(&self) -> Result<Recipe, DataError> {
        let spacing =
            SpacingMm::from_zyx(self.spacing_zyx_mm).map_err(|_| DataError::NotInFingerprint {
                task: self.name.clone(),
                what: "spacing",
                found: format!("{:?} mm is none", self.spacing_zyx_mm),
            })?;
        Ok(Recipe {
            spacing,
            normalizations: self.normalization.clone(),
        })
    }

    /// The task as a plan has it.
    pub fn to_plan(&self, id: usize) -> TaskPlan {
        TaskPlan {
            id,
            name: self.name.clone(),
            aliases: self.aliases.clone(),
            labels: self.labels.clone(),
            channels: self.channels.clone(),
            spacing_zyx_mm: self.spacing_zyx_mm,
            normalization: self.normalization.clone(),
        }
    }
}

impl From<&TaskPlan> for ResolvedTask {
    /// The task as a plan has it: what is trained on is preprocessed as the plan, and so the
    /// artefact, says.
    fn from(plan: &TaskPlan) -> Self {
        Self {
            name: plan.name.clone(),
            aliases: plan.aliases.clone(),
            labels: plan.labels.clone(),
            channels: plan.channels.clone(),
            spacing_zyx_mm: plan.spacing_zyx_mm,
            normalization: plan.normalization.clone(),
        }
    }
}

mod names {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        rules: &[Normalization],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rules.iter().map(normalization_to_name))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Normalization>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let rules = names.iter().map(|name| normalization_from_name(name));
        rules
            .collect::<Result<_, _>>()
            .map_err(serde::de::Error::custom)
    }
}
