//! Seeded choices. The same seed gives the same choice on every machine and for ever: a split or
//! a cache must not change because a crate was upgraded.

use serde::{Deserialize, Serialize};

/// SplitMix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
///
/// The whole state is one number, so a stream that is stored and goes on is the same stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for every step of a training run.
    pub(crate) fn for_step(seed: u64, step: u64) -> Self {
        let base = Self(seed).next();
        // An odd constant: different steps begin at different places.
        Self(base.wrapping_add(step.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    /// A stream of its own for a name, so that a case's choices do not depend on its neighbours.
    pub(crate) fn for_name(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number below `end`, which is not 0. Its bias is below `end / 2^64`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// Between `low` and `high`: `low` may occur, `high` does not, unless they are the same.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        // The 53 upper bits: every multiple of 2^-53 below 1 is as likely.
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform(0.0, 1.0) < probability
    }

    /// From the normal distribution of mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        self.normal_pair()[0]
    }

    /// Two independent draws from the normal distribution, for the price of one.
    /// Source: Box, Muller, "A note on the generation of random normal deviates", 1958.
    pub fn normal_pair(&mut self) -> [f64; 2] {
        // In 0 < u <= 1, where the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform(0.0, 1.0)).ln()).sqrt();
        let (sin, cos) = self.uniform(0.0, std::f64::consts::TAU).sin_cos();
        [radius * cos, radius * sin]
    }

    /// Fisher-Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// Chooses `wanted` of `total` things that pass by in order, each set equally likely.
///
/// Source: Knuth, TAOCP 3.4.2, algorithm S. Nothing is stored, so a class of millions of voxels
/// costs no memory.
#[derive(Debug)]
pub(super) struct Selection {
    random: Random,
    left: u64,
    wanted: u64,
}

impl Selection {
    pub(super) fn new(random: Random, total: u64, wanted: u64) -> Self {
        Self {
            random,
            left: total,
            wanted: wanted.min(total),
        }
    }

    /// Whether the thing that passes now is chosen; to be asked `total` times.
    pub(super) fn take(&mut self) -> bool {
        if self.wanted == 0 || self.left == 0 {
            return false;
        }
        let taken = self.random.below(self.left) < self.wanted;
        self.left -= 1;
        self.wanted -= u64::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of the reference implementation for the seed 1234567.
        let mut random = Random::new(1_234_567);
        let found: [u64; 3] = std::array::from_fn(|_| random.next());
        assert_eq!(
            found,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_selection_takes_exactly_as_many_as_wanted_from_everywhere() {
        for (total, wanted) in [(0, 0), (1, 1), (10, 0), (10, 10), (1000, 37), (5, 9)] {
            let mut selection = Selection::new(Random::new(5), total, wanted);
            let taken = (0..total).filter(|_| selection.take()).count() as u64;
            assert_eq!(taken, wanted.min(total));
        }
        let mut hits = [0_u32; 10];
        for seed in 0..2000 {
            let mut selection = Selection::new(Random::new(seed), 10, 3);
            hits.iter_mut()
                .for_each(|hit| *hit += u32::from(selection.take()));
        }
        // 600 expected, standard deviation 20.
        assert!(hits.iter().all(|hit| (500..700).contains(hit)), "{hits:?}");
    }

    #[test]
    fn uniform_and_normal_draws_have_their_moments() {
        let mut random = Random::new(11);
        let n = 100_000;
        let uniform: Vec<f64> = (0..n).map(|_| random.uniform(-3.0, 5.0)).collect();
        assert!(uniform.iter().all(|v| (-3.0..5.0).contains(v)));
        let normal: Vec<f64> = (0..n / 2).flat_map(|_| random.normal_pair()).collect();
        let single: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let deviation = 8.0 / 12.0_f64.sqrt();
        for (draws, mean, deviation) in [
            (uniform, 1.0, deviation),
            (normal, 0.0, 1.0),
            (single, 0.0, 1.0),
        ] {
            let found = draws.iter().sum::<f64>() / n as f64;
            let spread = draws.iter().map(|v| (v - found).powi(2)).sum::<f64>() / n as f64;
            // 5 standard errors of the mean; of the variance, at most as many.
            assert!((found - mean).abs() < 5.0 * deviation / (n as f64).sqrt());
            assert!((spread / deviation.powi(2) - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt());
        }
        let hits = (0..n).filter(|_| random.chance(0.2)).count();
        assert!(hits.abs_diff(n / 5) < 600, "{hits}");
        assert!(!random.chance(0.0) && random.chance(1.0));
        assert_eq!(random.uniform(4.0, 4.0), 4.0);
    }

    #[test]
    fn a_shuffle_keeps_everything() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::for_name(3, "liver").shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
