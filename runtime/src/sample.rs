//! A few windows of a volume as a network sees them, to measure a model on.

use ndarray::{Array5, ArrayView4, s};
use uniseg_onnx::{Manifest, Task};

use crate::{RuntimeError, WindowPlan};

/// One window of a real image, ready for a forward pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The task it is for.
    pub task: Task,
    /// The network's input, [1, slots, D, H, W].
    pub image: Array5<f32>,
}

/// Up to `count` windows of `channels` (channel, z, y, x, preprocessed for `task`), spread evenly
/// over a plan without overlap.
///
/// Errors: [`RuntimeError::ChannelCount`], [`RuntimeError::TaskOutsideNetwork`], and those of
/// [`WindowPlan::new`].
pub fn sample_windows(
    manifest: &Manifest,
    task: &Task,
    channels: ArrayView4<'_, f32>,
    count: usize,
) -> Result<Vec<Sample>, RuntimeError> {
    let (found, z, y, x) = channels.dim();
    RuntimeError::check_channels(task, found)?;
    let network = &manifest.network;
    if task
        .channels
        .iter()
        .any(|channel| channel.slot >= network.slots)
    {
        return Err(RuntimeError::TaskOutsideNetwork {
            task: task.name.clone(),
            slots: network.slots,
            classes: network.classes,
        });
    }
    let plan = WindowPlan::new([z, y, x], network.patch_zyx, 1.0)?;
    let taken = count.min(plan.len());
    let [d, h, w] = network.patch_zyx;
    let mut samples = Vec::with_capacity(taken);
    // The middle ones of equal parts.
    let windows: Vec<_> = plan.windows().collect();
    let middles = (0..taken).map(|part| (2 * part + 1) * windows.len() / (2 * taken));
    for window in middles.filter_map(|index| windows.get(index)) {
        let mut image = Array5::zeros((1, network.slots, d, h, w));
        let [pz, py, px] = window.patch.clone();
        let [vz, vy, vx] = window.volume.clone();
        for (channel, voxels) in task.channels.iter().zip(channels.outer_iter()) {
            image
                .slice_mut(s![0, channel.slot, pz.clone(), py.clone(), px.clone()])
                .assign(&voxels.slice(s![vz.clone(), vy.clone(), vx.clone()]));
        }
        let task = task.clone();
        samples.push(Sample { task, image });
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::testing;

    #[test]
    fn windows_are_spread_and_fill_the_tasks_slots() {
        let manifest = testing::manifest();
        let task = &manifest.tasks[1];
        let channels = Array4::from_shape_fn((2, 4, 6, 80), |(c, _, _, x)| (x + 100 * c) as f32);
        let samples = sample_windows(&manifest, task, channels.view(), 2).unwrap();
        let firsts: Vec<f32> = samples
            .iter()
            .map(|sample| sample.image[[0, 1, 0, 0, 0]])
            .collect();
        assert_eq!(firsts, [16.0, 56.0]);
        assert_eq!(samples[0].image[[0, 2, 0, 0, 0]], 116.0);
        assert_eq!(samples[0].image[[0, 0, 0, 0, 0]], 0.0);
        let all = sample_windows(&manifest, task, channels.view(), 99).unwrap();
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn the_wrong_number_of_channels_is_an_error() {
        let manifest = testing::manifest();
        let channels = Array4::zeros((1, 4, 6, 8));
        let error = sample_windows(&manifest, &manifest.tasks[1], channels.view(), 2).unwrap_err();
        assert!(matches!(error, RuntimeError::ChannelCount { .. }));
    }
}
