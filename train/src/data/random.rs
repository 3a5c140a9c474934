//! Seeded choices. The same seed gives the same choice on every machine and for ever: a split or
//! a cache must not change because a crate was upgraded.

/// SplitMix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
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

    /// Fisher-Yates.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
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
    fn a_shuffle_keeps_everything() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::for_name(3, "liver").shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
