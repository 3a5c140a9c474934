//! Random numbers that depend on nothing but their key: the order of drawing, threads and other
//! draws do not matter.

/// Steele, Lea and Flood's generator SplitMix64: tiny, and good enough for pictures.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for each key.
    pub(super) fn keyed(key: u64) -> Self {
        Self(key)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [-1, 1).
    pub(super) fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    /// Uniform in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform among low..=high; `low` if the range is empty.
    pub(super) fn integer(&mut self, low: usize, high: usize) -> usize {
        let choices = high.saturating_sub(low) + 1;
        low + ((self.unit() * choices as f64) as usize).min(choices - 1)
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Three numbers, each uniform in [-1, 1).
    pub(super) fn signed3(&mut self) -> [f64; 3] {
        std::array::from_fn(|_| self.signed())
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One key of two.
pub(super) fn key(a: u64, b: u64) -> u64 {
    mix(mix(a.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ b.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

/// One key of a key and a name.
pub(super) fn key_of(a: u64, name: &str) -> u64 {
    name.bytes()
        .fold(a, |key_so_far, byte| key(key_so_far, u64::from(byte)))
}

/// A standard normal number, near enough, of 64 random bits: the sum of four uniform ones.
pub(super) fn normal(bits: u64) -> f64 {
    let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
    (sum as f64 / 65_536.0 - 2.0) * 3.0_f64.sqrt()
}

/// Smooth noise in [-1, 1] at a point, its grain one unit long: random values on the integer
/// lattice, blended with a cubic.
pub(super) fn smooth_noise(seed: u64, point: [f64; 3]) -> f64 {
    let floor = point.map(f64::floor);
    let part: [f64; 3] = std::array::from_fn(|axis| {
        let t = point[axis] - floor[axis];
        t * t * (3.0 - 2.0 * t)
    });
    let cell = floor.map(|v| v as i64 as u64);
    let corner = |dx: u64, dy: u64, dz: u64| {
        let bits = mix(seed
            ^ cell[0].wrapping_add(dx).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ cell[1]
                .wrapping_add(dy)
                .wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
                .rotate_left(21)
            ^ cell[2]
                .wrapping_add(dz)
                .wrapping_mul(0x1656_67b1_9e37_79f9)
                .rotate_left(42));
        (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let blend = |a: f64, b: f64, t: f64| a + (b - a) * t;
    let row = |dy, dz| blend(corner(0, dy, dz), corner(1, dy, dz), part[0]);
    let sheet = |dz| blend(row(0, dz), row(1, dz), part[1]);
    blend(sheet(0), sheet(1), part[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut random = Random::keyed(3);
        let drawn: Vec<f64> = (0..20_000).map(|_| normal(random.next())).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let square = drawn.iter().map(|v| v * v).sum::<f64>() / drawn.len() as f64;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((square - 1.0).abs() < 0.03, "{square}");
    }

    #[test]
    fn smooth_noise_is_bounded_and_smooth() {
        for step in 0..2000 {
            let at = f64::from(step) * 0.037 - 20.0;
            let here = smooth_noise(9, [at, 0.3 * at, 1.0]);
            let there = smooth_noise(9, [at + 1e-3, 0.3 * at, 1.0]);
            assert!(
                here.abs() <= 1.0 && (here - there).abs() < 0.01,
                "{at}: {here} {there}"
            );
        }
    }

    #[test]
    fn keys_differ_by_order_and_name() {
        assert_ne!(key(1, 2), key(2, 1));
        assert_ne!(key_of(1, "liver"), key_of(1, "river"));
        let integers: Vec<usize> = (0..100).map(|k| Random::keyed(k).integer(3, 5)).collect();
        assert!((3..=5).all(|n| integers.contains(&n)));
        assert!(integers.iter().all(|n| (3..=5).contains(n)));
    }
}
