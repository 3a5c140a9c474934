use serde::{Deserialize, Serialize};

use super::Variant;
use crate::TrainError;

/// The shape of a UniSeg network or of one of its variants.
///
/// Field names are those of nnU-Net v1's plan files where it has the field. Arrays are (z, y, x).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// How the network is told its task. Plan files that do not say mean [`Variant::Uniseg`].
    #[serde(default)]
    pub variant: Variant,
    /// Patch the network sees, in voxels. The universal prompt ties the network to it.
    pub patch_size: [usize; 3],
    /// Stride with which each stage after the first begins; one entry fewer than stages.
    pub strides_between_stages: Vec<[usize; 3]>,
    /// Kernel of each stage's convolutions; one entry a stage.
    pub kernel_sizes: Vec<[usize; 3]>,
    /// Features of the first stage; every stage doubles them.
    pub base_num_features: usize,
    /// Most features a stage may have.
    #[serde(default = "default_max_num_features")]
    pub max_num_features: usize,
    /// Features of each stage, where they are not the doubling rule's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_channels: Option<Vec<usize>>,
    /// Tasks, and so prompts; 1 for the baseline, which has none.
    pub num_tasks: usize,
    /// Channels of the logits: the most classes any task has, background included.
    pub num_classes: usize,
    /// Image channel counts that have a first convolution of their own.
    pub input_channel_variants: Vec<usize>,
    /// Epsilon of every InstanceNorm.
    #[serde(default = "default_norm_eps")]
    pub norm_eps: f64,
    /// Slope of every LeakyReLU below zero.
    #[serde(default = "default_leaky_relu_slope")]
    pub leaky_relu_slope: f64,
}

fn default_max_num_features() -> usize {
    320
}

fn default_norm_eps() -> f64 {
    1e-5
}

fn default_leaky_relu_slope() -> f64 {
    0.01
}

/// No sane network passes these; a plan that does is a mistake or an attack on memory.
const MAX_STAGES: usize = 12;
const MAX_CHANNELS: usize = 8192;
const MAX_PATCH: usize = 4096;

impl NetworkConfig {
    /// Number of encoder stages, the bottleneck included.
    pub fn stages(&self) -> usize {
        self.kernel_sizes.len()
    }

    /// Features of one encoder stage.
    pub fn features(&self, stage: usize) -> usize {
        match &self.stage_channels {
            Some(channels) => channels[stage],
            None => (self.base_num_features << stage).min(self.max_num_features),
        }
    }

    /// Size of the bottleneck, and so of the prompt, in voxels.
    pub fn bottleneck_size(&self) -> [usize; 3] {
        let total = self.total_stride();
        std::array::from_fn(|axis| self.patch_size[axis] / total[axis])
    }

    /// Slots of the deployed stem: one for each channel of each stem.
    pub fn stem_slots(&self) -> usize {
        self.input_channel_variants.iter().sum()
    }

    /// Slots that an image with `channels` channels fills, in channel order, or `None` if no stem
    /// takes that many.
    pub fn slots_for(&self, channels: usize) -> Option<Vec<usize>> {
        let stem = self
            .input_channel_variants
            .iter()
            .position(|&n| n == channels)?;
        let first: usize = self.input_channel_variants[..stem].iter().sum();
        Some((first..first + channels).collect())
    }

    fn total_stride(&self) -> [usize; 3] {
        self.strides_between_stages
            .iter()
            .fold([1; 3], |total, stride| {
                std::array::from_fn(|axis| total[axis] * stride[axis])
            })
    }

    /// Checks that a network of this shape can be built.
    pub fn check(&self) -> Result<(), TrainError> {
        let fail = |field: &str, found: String, expected: String| {
            Err(TrainError::InvalidPlan {
                field: field.into(),
                found,
                expected,
            })
        };
        let stages = self.kernel_sizes.len();
        if !(2..=MAX_STAGES).contains(&stages) {
            return fail(
                "kernel_sizes",
                format!("{stages} entries"),
                "2 to 12 are possible".into(),
            );
        }
        if self.strides_between_stages.len() + 1 != stages {
            return fail(
                "strides_between_stages",
                format!("{} entries", self.strides_between_stages.len()),
                format!("{stages} stages need {}", stages - 1),
            );
        }
        if let Some(kernel) = self
            .kernel_sizes
            .iter()
            .find(|kernel| kernel.iter().any(|k| k % 2 == 0 || *k > 15))
        {
            return fail(
                "kernel_sizes",
                format!("{kernel:?}"),
                "kernels are odd, 1 to 15".into(),
            );
        }
        if let Some(stride) = self
            .strides_between_stages
            .iter()
            .find(|stride| stride.iter().any(|s| !(1..=8).contains(s)))
        {
            return fail(
                "strides_between_stages",
                format!("{stride:?}"),
                "strides are 1 to 8".into(),
            );
        }
        let total = self.total_stride();
        for (size, stride) in self.patch_size.into_iter().zip(total) {
            if size == 0 || size > MAX_PATCH || size % stride != 0 {
                return fail(
                    "patch_size",
                    format!("{:?}", self.patch_size),
                    format!("it must be a multiple of the total stride {total:?}, up to 4096"),
                );
            }
        }
        for (field, value, most) in [
            ("base_num_features", self.base_num_features, MAX_CHANNELS),
            ("max_num_features", self.max_num_features, MAX_CHANNELS),
            ("num_tasks", self.num_tasks, MAX_CHANNELS),
        ] {
            if !(1..=most).contains(&value) {
                return fail(
                    field,
                    value.to_string(),
                    format!("1 to {most} are possible"),
                );
            }
        }
        if !self.variant.has_prompt() && self.num_tasks != 1 {
            return fail(
                "num_tasks",
                self.num_tasks.to_string(),
                format!(
                    "the variant '{}' has no prompt, so it has 1 task: make one plan for each",
                    self.variant
                ),
            );
        }
        if !(2..=MAX_CHANNELS).contains(&self.num_classes) {
            return fail(
                "num_classes",
                self.num_classes.to_string(),
                "background and at least one label are needed".into(),
            );
        }
        if let Some(channels) = &self.stage_channels {
            let sane = channels.iter().all(|c| (1..=MAX_CHANNELS).contains(c));
            if channels.len() != stages || !sane {
                return fail(
                    "stage_channels",
                    format!("{channels:?}"),
                    format!("{stages} stages need {stages} entries of 1 to {MAX_CHANNELS}"),
                );
            }
        }
        let variants = &self.input_channel_variants;
        let ordered = variants.windows(2).all(|pair| pair[0] < pair[1]);
        if variants.is_empty() || !ordered || variants[0] == 0 || variants.iter().any(|v| *v > 64) {
            return fail(
                "input_channel_variants",
                format!("{variants:?}"),
                "it lists different channel counts from 1 to 64 in rising order".into(),
            );
        }
        for (field, value) in [
            ("norm_eps", self.norm_eps),
            ("leaky_relu_slope", self.leaky_relu_slope),
        ] {
            if !value.is_finite() || !(0.0..1.0).contains(&value) {
                return fail(field, value.to_string(), "it must be in [0, 1)".into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::paper;

    #[test]
    fn the_paper_has_seven_slots() {
        let network = paper().network;
        assert_eq!(network.stem_slots(), 7);
        assert_eq!(network.slots_for(1), Some(vec![0]));
        assert_eq!(network.slots_for(2), Some(vec![1, 2]));
        assert_eq!(network.slots_for(4), Some(vec![3, 4, 5, 6]));
        assert_eq!(network.slots_for(3), None);
        assert_eq!(network.bottleneck_size(), [4, 6, 6]);
        let features: Vec<usize> = (0..network.stages()).map(|s| network.features(s)).collect();
        assert_eq!(features, [32, 64, 128, 256, 320, 320]);
    }
}
