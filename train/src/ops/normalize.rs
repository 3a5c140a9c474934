//! InstanceNorm and LeakyReLU in one, and back.

use pulp::Arch;
use rayon::prelude::*;

use super::planes::{sum, sum_pairs};

/// What one channel of one sample is normalised with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statistics {
    mean: f32,
    /// One over the standard deviation.
    scale: f32,
}

/// What the layer does to all voxels alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
    pub(super) epsilon: f64,
    /// LeakyReLU's slope below zero.
    pub(super) slope: f32,
}

impl Layer<'_> {
    /// [batch, channel, voxel] -> the same, and the statistics of each (sample, channel).
    pub(super) fn forward(&self, x: &[f32], voxels: usize) -> (Vec<f32>, Vec<Statistics>) {
        let mut out = vec![0.0; x.len()];
        let arch = Arch::new();
        let statistics = out
            .par_chunks_mut(voxels)
            .zip(x.par_chunks(voxels))
            .enumerate()
            .map(|(plane, (out, x))| {
                let channel = plane % self.gamma.len();
                arch.dispatch(|| self.plane(x, out, channel))
            })
            .collect();
        (out, statistics)
    }

    #[inline(always)]
    fn plane(&self, x: &[f32], out: &mut [f32], channel: usize) -> Statistics {
        let voxels = x.len() as f64;
        let mean = (sum(x, |value| value) / voxels) as f32;
        // About the mean, not the mean of squares: those would cancel.
        let squares = sum(x, |value| (value - mean) * (value - mean));
        let scale = (1.0 / (squares / voxels + self.epsilon).sqrt()) as f32;
        let (gain, beta) = (self.gamma[channel] * scale, self.beta[channel]);
        for (out, x) in out.iter_mut().zip(x) {
            let normal = (x - mean) * gain + beta;
            *out = if normal > 0.0 {
                normal
            } else {
                normal * self.slope
            };
        }
        Statistics { mean, scale }
    }

    /// Turns the gradient of the output into the one of `x`; returns those of gamma and beta.
    ///
    /// The normalised values are computed anew: keeping them would cost as much memory as `x`.
    pub(super) fn backward(
        &self,
        x: &[f32],
        statistics: &[Statistics],
        gradient: &mut [f32],
        voxels: usize,
    ) -> [Vec<f32>; 2] {
        let arch = Arch::new();
        let sums: Vec<[f64; 2]> = gradient
            .par_chunks_mut(voxels)
            .zip(x.par_chunks(voxels))
            .zip(statistics)
            .enumerate()
            .map(|(plane, ((gradient, x), statistics))| {
                let channel = plane % self.gamma.len();
                arch.dispatch(|| self.plane_back(x, *statistics, gradient, channel))
            })
            .collect();
        let mut totals = [vec![0.0; self.gamma.len()], vec![0.0; self.gamma.len()]];
        for sums in sums.chunks(self.gamma.len()) {
            for (channel, sums) in sums.iter().enumerate() {
                totals[0][channel] += sums[0];
                totals[1][channel] += sums[1];
            }
        }
        totals.map(|totals| totals.into_iter().map(|total| total as f32).collect())
    }

    /// Sums over the gradient times the normalised values, and over the gradient.
    #[inline(always)]
    fn plane_back(
        &self,
        x: &[f32],
        Statistics { mean, scale }: Statistics,
        gradient: &mut [f32],
        channel: usize,
    ) -> [f64; 2] {
        let (gamma, beta, slope) = (self.gamma[channel], self.beta[channel], self.slope);
        let gain = gamma * scale;
        let through = |x: f32, gradient: f32| {
            if (x - mean) * gain + beta > 0.0 {
                gradient
            } else {
                gradient * slope
            }
        };
        let sums = sum_pairs(x, gradient, |x, gradient| {
            let gradient = through(x, gradient);
            [gradient * ((x - mean) * scale), gradient]
        });
        let [along, mean_gradient] = sums.map(|sum| (sum / x.len() as f64) as f32);
        for (gradient, &x) in gradient.iter_mut().zip(x) {
            let normal = (x - mean) * scale;
            *gradient = gain * (through(x, *gradient) - mean_gradient - normal * along);
        }
        sums
    }
}
