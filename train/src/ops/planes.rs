//! Long sums over one channel of one sample.

use pulp::Arch;
use rayon::prelude::*;

/// Elements summed in single precision before they join the double precision total.
const BLOCK: usize = 2048;
/// Sums that are carried side by side.
const LANES: usize = 32;

/// The sum of `f` over pairs of elements of `a` and `b`.
///
/// Voxels are hundreds of thousands: one single precision sum would lose their last digits.
#[inline(always)]
pub(super) fn sum_pairs(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> [f32; 2]) -> [f64; 2] {
    let mut total = [0.0; 2];
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let mut sums = [[0.0_f32; LANES]; 2];
        let (a, b) = (a.chunks(LANES), b.chunks(LANES));
        for (a, b) in a.zip(b) {
            // The test is for the compiler, which makes vectors of full chunks.
            if a.len() == LANES && b.len() == LANES {
                for lane in 0..LANES {
                    let [first, second] = f(a[lane], b[lane]);
                    sums[0][lane] += first;
                    sums[1][lane] += second;
                }
            } else {
                for (lane, (a, b)) in a.iter().zip(b).enumerate() {
                    let [first, second] = f(*a, *b);
                    sums[0][lane] += first;
                    sums[1][lane] += second;
                }
            }
        }
        for (total, sums) in total.iter_mut().zip(sums) {
            *total += sums.into_iter().map(f64::from).sum::<f64>();
        }
    }
    total
}

/// The sum of `f` over elements; see [`sum_pairs`].
#[inline(always)]
pub(super) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for block in values.chunks(BLOCK) {
        let mut sums = [0.0_f32; LANES];
        let mut chunks = block.chunks_exact(LANES);
        for chunk in &mut chunks {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum += f(*value);
            }
        }
        for (sum, value) in sums.iter_mut().zip(chunks.remainder()) {
            *sum += f(*value);
        }
        total += sums.into_iter().map(f64::from).sum::<f64>();
    }
    total
}

/// The sum over samples and voxels of each channel of [batch, channels, voxels].
pub(super) fn channel_sums(values: &[f32], channels: usize, voxels: usize) -> Vec<f32> {
    let arch = Arch::new();
    let planes: Vec<f64> = values
        .par_chunks(voxels)
        .map(|plane| arch.dispatch(|| sum(plane, |value| value)))
        .collect();
    let total = |channel| planes.iter().skip(channel).step_by(channels).sum::<f64>();
    (0..channels).map(|channel| total(channel) as f32).collect()
}
