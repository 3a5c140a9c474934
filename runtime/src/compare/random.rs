//! Seeded inputs that look like preprocessed images to the network.

use ndarray::{Array5, s};
use uniseg_onnx::{Manifest, Normalization, Task};

/// SplitMix64: tiny, seedable, the same numbers on every machine.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller's cosine half).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A random patch for `task`, [1, slots, D, H, W]: its channels' slots filled, the others zero.
///
/// Values are spread as the channel's normalisation leaves them: uniform in [0, 1) after clipping
/// and rescaling, else standard normal. The same seed and task give the same patch.
pub fn random_patch(manifest: &Manifest, task: &Task, seed: u64) -> Array5<f32> {
    let network = &manifest.network;
    let [d, h, w] = network.patch_zyx;
    let mut image = Array5::zeros((1, network.slots, d, h, w));
    let mut random = SplitMix64(seed ^ u64::from(task.id).wrapping_mul(0xD6E8_FEB8_6659_FD93));
    for channel in task
        .channels
        .iter()
        .filter(|channel| channel.slot < network.slots)
    {
        let mut slot = image.slice_mut(s![0, channel.slot, .., .., ..]);
        match channel.normalization {
            Normalization::ClipRescale { .. } => slot.map_inplace(|v| *v = random.uniform() as f32),
            _ => slot.map_inplace(|v| *v = random.normal() as f32),
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn splitmix_gives_its_published_numbers() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn only_the_tasks_slots_are_filled_and_the_seed_decides() {
        let manifest = testing::manifest();
        let task = &manifest.tasks[1];
        let patch = random_patch(&manifest, task, 7);
        assert_eq!(patch, random_patch(&manifest, task, 7));
        assert_ne!(patch, random_patch(&manifest, task, 8));
        for slot in 0..manifest.network.slots {
            let used = task.channels.iter().any(|channel| channel.slot == slot);
            let filled = patch
                .slice(s![0, slot, .., .., ..])
                .iter()
                .any(|&v| v != 0.0);
            assert_eq!(used, filled, "slot {slot}");
        }
    }
}
