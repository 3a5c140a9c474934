//! What a training step is made of: which cases, which patches of them, prepared in the background.
//!
//! ```text
//! CacheIndex -> Source (one a task) -+
//! TaskSampler ----------------------+-> Loader: workers cut, augment -> Step -> trainer
//! ```
//!
//! Step number n depends on the seed and on n alone, whatever the number of workers: a run that is
//! resumed sees the very patches that it would have seen.

mod loader;
mod patch;
mod source;

pub use loader::{Loader, LoaderOptions};
pub use source::{Part, Source, Sources};

use ndarray::{Array4, Array5, s};

use crate::sampler::TaskSampler;

/// The batches of one training step.
#[derive(Debug)]
pub struct Step {
    /// Number of the step, from 0.
    pub index: u64,
    /// One batch of one task; several, if tasks are paired.
    pub batches: Vec<Batch>,
    /// The task sampler after this step's draw: what a checkpoint of this step continues from.
    pub sampler: TaskSampler,
}

/// Patches of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Index of the task in the plan.
    pub task: usize,
    /// `[batch, channel, z, y, x]`, normalised intensities.
    pub image: Array5<f32>,
    /// `[batch, z, y, x]`, labels of the task.
    pub label: Array4<u8>,
    /// The case of each patch.
    pub cases: Vec<String>,
}

impl Batch {
    /// The batch as batches of one patch each.
    pub fn patches(self) -> Vec<Self> {
        let each = self.cases.into_iter().enumerate();
        each.map(|(index, case)| Self {
            task: self.task,
            image: self
                .image
                .slice(s![index..=index, .., .., .., ..])
                .to_owned(),
            label: self.label.slice(s![index..=index, .., .., ..]).to_owned(),
            cases: vec![case],
        })
        .collect()
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
