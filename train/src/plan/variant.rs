use std::fmt;

use serde::{Deserialize, Serialize};

/// How a network is told its task: the rows of the paper's Table 4.
///
/// Only the last is in the released code; the others follow the paper's section 3.3 and figure 3
/// as the uniseg spec, section 8, reads them. Plan files name a variant by its [key](Self::key).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// The backbone alone, one network for each task.
    Baseline,
    /// UniSeg whose universal prompt is zero and stays so: FUSE sees the image only, and the task
    /// is known from the map that is selected.
    FixedPrompt,
    /// One learnable prompt for each task, joined to the bottleneck as it is: no FUSE, so a prompt
    /// knows neither the image nor the other tasks.
    MultiplePrompts,
    /// UniSeg whose task map comes in at the end of the decoder, beside the features of each head.
    UnisegT,
    /// A universal prompt, fused with the image's features, joined to the bottleneck.
    #[default]
    Uniseg,
}

impl Variant {
    /// All of them, in the order of the paper's table, weakest first.
    pub const ALL: [Self; 5] = [
        Self::Baseline,
        Self::FixedPrompt,
        Self::MultiplePrompts,
        Self::UnisegT,
        Self::Uniseg,
    ];

    /// The name in plan files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::FixedPrompt => "fixed_prompt",
            Self::MultiplePrompts => "multiple_prompts",
            Self::UnisegT => "uniseg_t",
            Self::Uniseg => "uniseg",
        }
    }

    /// The name for people, for tables and manifests.
    pub fn title(self) -> &'static str {
        match self {
            Self::Baseline => "nnU-Net baseline",
            Self::FixedPrompt => "UniSeg, fixed prompt",
            Self::MultiplePrompts => "UniSeg, multiple prompts",
            Self::UnisegT => "UniSeg-T",
            Self::Uniseg => "UniSeg",
        }
    }

    /// Whether there are prompt maps at all.
    pub(crate) fn has_prompt(self) -> bool {
        self != Self::Baseline
    }

    /// Whether the prompt itself is a parameter.
    pub(crate) fn learns_prompt(self) -> bool {
        !matches!(self, Self::Baseline | Self::FixedPrompt)
    }

    /// Whether the prompt is fused with the image's features.
    pub(crate) fn fuses(self) -> bool {
        !matches!(self, Self::Baseline | Self::MultiplePrompts)
    }

    /// Whether the task's map is one more channel of the bottleneck.
    pub(crate) fn prompts_bottleneck(self) -> bool {
        self.has_prompt() && !self.prompts_heads()
    }

    /// Whether the task's map is one more channel before every head.
    pub(crate) fn prompts_heads(self) -> bool {
        self == Self::UnisegT
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_what_plan_files_say() {
        for variant in Variant::ALL {
            let json = format!("\"{variant}\"");
            assert_eq!(serde_json::to_string(&variant).unwrap(), json);
            assert_eq!(serde_json::from_str::<Variant>(&json).unwrap(), variant);
        }
        let error = serde_json::from_str::<Variant>("\"uniseg-t\"")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`uniseg_t`"),
            "{error} should list the variants"
        );
    }
}
