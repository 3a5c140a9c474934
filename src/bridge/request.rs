//! What of a network is to be compiled.

use uniseg_export::{Handover, Opset, Precision};
use uniseg_onnx::Part;
use uniseg_train::{Checkpoint, TaskPlan};

use super::BridgeError;

/// What of a network is to be compiled; the default is all of it, one window at a time.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Names, aliases or ids of tasks; all if there are none.
    pub tasks: Vec<String>,
    /// Only tasks all of whose images are of this modality, such as CT.
    pub modality: Option<String>,
    /// How many windows the network takes at once.
    pub batch: Batch,
    /// Whether memory matters more than a little time, see [`uniseg_export::Exported::lean`]; in
    /// int8 it is always so, see [`Request::divides`].
    pub lean: bool,
    /// Whether upsampling is merged with the convolution behind it, see
    /// [`uniseg_export::Exported::merge_upsampling`].
    pub merge_upsampling: bool,
    /// Whether convolutions take half their products, see [`uniseg_export::Exported::winograd`];
    /// in f32 only.
    pub winograd: bool,
    /// In which numbers it computes.
    pub precision: Precision,
    /// How a pair's encoder hands its features to the decoder.
    pub features: Handover,
    /// Which of ONNX's operators there are.
    pub opset: Opset,
}

/// The first axis of image and logits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Batch {
    /// Always one window, which engines can plan for best.
    #[default]
    One,
    /// Any number, told by the image: the axis is named `batch`.
    Open,
}

/// The tasks that a request means, and what they need.
pub(super) struct Chosen {
    pub(super) tasks: Vec<TaskPlan>,
    /// Indices of the stems that their images go through.
    pub(super) stems: Vec<usize>,
    /// Slots of those stems.
    pub(super) slots: usize,
}

impl Request {
    /// Whether convolutions over a skip connection and upsampled features are divided, at the finest
    /// level of a U-Net.
    ///
    /// In bytes each half then has a range of its own, there, where rounding disturbs most: upsampled
    /// features have both signs, so that one range for both leaves half of its bytes to skip
    /// connections, which have nearly only one.
    pub(super) fn divides(&self) -> bool {
        self.lean || matches!(self.precision, Precision::Int8(_))
    }

    pub(super) fn choose(&self, checkpoint: &Checkpoint) -> Result<Chosen, BridgeError> {
        let plan = &checkpoint.plan;
        let mut asked = Vec::with_capacity(self.tasks.len());
        if !self.tasks.is_empty() {
            // The whole network's manifest knows names, aliases and what was perhaps meant.
            let all = Chosen::of(checkpoint, plan.tasks.clone())?;
            let manifest = super::manifest::manifest(checkpoint, &all, Part::Whole)?;
            for name in &self.tasks {
                asked.push(manifest.task(name).map_err(BridgeError::UnknownTask)?.id as usize);
            }
        }
        let of_modality = |task: &TaskPlan| {
            self.modality.as_ref().is_none_or(|wanted| {
                let mut channels = task.channels.iter();
                channels.all(|channel| channel.eq_ignore_ascii_case(wanted))
            })
        };
        let tasks: Vec<TaskPlan> = plan
            .tasks
            .iter()
            .filter(|task| asked.is_empty() || asked.contains(&task.id))
            .filter(|task| of_modality(task))
            .cloned()
            .collect();
        if tasks.is_empty() {
            let mut known: Vec<String> = plan
                .tasks
                .iter()
                .map(|task| task.channels.join("+"))
                .collect();
            known.sort();
            known.dedup();
            return Err(BridgeError::UnknownModality {
                asked: self.modality.clone().unwrap_or_default(),
                known,
            });
        }
        Chosen::of(checkpoint, tasks)
    }
}

impl Chosen {
    fn of(checkpoint: &Checkpoint, tasks: Vec<TaskPlan>) -> Result<Self, BridgeError> {
        let plan = &checkpoint.plan;
        let variants = &plan.network.input_channel_variants;
        if let Some(task) = tasks
            .iter()
            .find(|task| !variants.contains(&task.channels.len()))
        {
            return Err(BridgeError::NoStem {
                task: task.name.clone(),
                channels: task.channels.len(),
            });
        }
        let all = tasks.len() == plan.tasks.len();
        let stems: Vec<usize> = (0..variants.len())
            .filter(|&stem| {
                all || tasks
                    .iter()
                    .any(|task| task.channels.len() == variants[stem])
            })
            .collect();
        Ok(Self {
            slots: stems.iter().map(|&stem| variants[stem]).sum(),
            stems,
            tasks,
        })
    }

    /// Slots that an image of `channels` channels fills.
    pub(super) fn slots_for(&self, channels: usize, variants: &[usize]) -> Option<Vec<usize>> {
        let stem = self
            .stems
            .iter()
            .position(|&stem| variants[stem] == channels)?;
        let first: usize = self.stems[..stem].iter().map(|&stem| variants[stem]).sum();
        Some((first..first + channels).collect())
    }
}
