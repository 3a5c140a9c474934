//! Windows in which there is nobody: they are background without asking the network.

use ndarray::{ArrayView3, ArrayView4, Axis, s};
use rayon::prelude::*;
use uniseg_onnx::{Normalization, Task, ZScoreScope};

use super::plan::Window;

/// The value that air, or what lies outside the scan, has in each channel after preprocessing.
///
/// The rule is meant to be wrong on one side only. A channel that is clipped (CT) has its lower
/// bound, 0, wherever there is nothing denser than that bound, which is far above air. A z-score
/// over voxels that are not zero leaves the others at 0. For any other channel it is the lowest
/// value of the volume, which fills a window only where the scanner wrote a constant: noise in the
/// air of an MR keeps its windows.
pub(super) struct Background(Vec<f32>);

impl Background {
    /// That of `channels` (channel, z, y, x), preprocessed for `task`.
    pub(super) fn of(task: &Task, channels: ArrayView4<'_, f32>) -> Background {
        let pairs = task.channels.iter().zip(channels.outer_iter());
        let values = pairs.map(|(channel, voxels)| match channel.normalization {
            Normalization::ClipRescale { .. } => 0.0,
            Normalization::ZScore {
                scope: ZScoreScope::Nonzero,
            } => 0.0,
            Normalization::ZScore { .. } | Normalization::None => lowest(voxels),
        });
        Background(values.collect())
    }

    /// Whether every voxel of the window is background in every channel.
    pub(super) fn fills(&self, channels: ArrayView4<'_, f32>, window: &Window) -> bool {
        let [z, y, x] = window.volume.clone();
        let seen = channels.slice_move(s![.., z, y, x]);
        let mut pairs = self.0.iter().zip(seen.outer_iter());
        pairs.all(|(background, voxels)| voxels.iter().all(|voxel| voxel == background))
    }
}

fn lowest(voxels: ArrayView3<'_, f32>) -> f32 {
    let planes: Vec<_> = voxels.axis_iter(Axis(0)).collect();
    planes
        .into_par_iter()
        .map(|plane| plane.iter().copied().fold(f32::INFINITY, f32::min))
        .reduce(|| f32::INFINITY, f32::min)
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::testing;

    fn window(x: std::ops::Range<usize>) -> Window {
        Window {
            volume: [0..1, 0..1, x.clone()],
            patch: [0..1, 0..1, 0..x.len()],
        }
    }

    #[test]
    fn only_what_is_background_in_every_channel_is_empty() {
        let manifest = testing::manifest();
        // CT is clipped to 0..=1, PET is a z-score over the whole image.
        let task = &manifest.tasks[1];
        let ct = [0.0, 0.0, 0.0, 0.4, 0.0, 0.0];
        let pet = [-0.3, -0.3, -0.3, -0.3, 2.0, -0.3];
        let voxels = ct.into_iter().chain(pet).collect();
        let channels = Array4::from_shape_vec((2, 1, 1, 6), voxels).unwrap();
        let background = Background::of(task, channels.view());
        for (window, empty) in [
            (window(0..3), true),
            (window(2..4), false),
            (window(4..6), false),
            (window(5..6), true),
        ] {
            assert_eq!(
                background.fills(channels.view(), &window),
                empty,
                "{window:?}"
            );
        }
    }

    #[test]
    fn a_clipped_channel_without_air_has_no_empty_window() {
        let manifest = testing::manifest();
        let channels = Array4::from_elem((1, 1, 1, 4), 0.5);
        let background = Background::of(&manifest.tasks[0], channels.view());
        assert!(!background.fills(channels.view(), &window(0..4)));
    }
}
