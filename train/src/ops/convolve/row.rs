//! The innermost loops: one row of output voxels, one group of channels.

use pulp::{Simd, bytemuck};

use super::group;

/// One output row (or every `stride`-th voxel of it) of one group of channels.
pub(super) struct Row<'a> {
    /// From the input of the first voxel on.
    pub(super) slab: &'a [f32],
    /// From one input channel to the next.
    pub(super) plane: usize,
    pub(super) channels: usize,
    pub(super) offsets: &'a [usize],
    pub(super) kernels: &'a [f32],
    /// What the sums start from; none if it is what the output already holds.
    pub(super) start: Option<&'a [f32]>,
    /// Whether these are all input channels.
    pub(super) alone: bool,
    /// Index of the first voxel in each channel's output.
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) width: usize,
}

impl Row<'_> {
    /// Cuts the row into runs of voxels whose accumulators fit the registers.
    #[inline(always)]
    pub(super) fn run<S: Simd, const VECTORS: usize, const STEP: usize>(
        &self,
        simd: S,
        outputs: &mut [&mut [f32]],
    ) {
        let mut done = 0;
        while done < self.width {
            let left = self.width - done;
            // A run may reach back over voxels that are done: the same sums, once more. Not if they
            // were added to what the output held.
            let back = self.alone;
            let fits = |run: usize| left >= run || (back && self.width >= run && 2 * left > run);
            let run = [12, 8, 6, 3]
                .into_iter()
                .find(|&run| fits(run))
                .unwrap_or(1);
            let from = done.min(self.width - run);
            match run {
                12 => self.voxels::<S, 12, VECTORS, STEP>(simd, from, outputs),
                8 => self.voxels::<S, 8, VECTORS, STEP>(simd, from, outputs),
                6 => self.voxels::<S, 6, VECTORS, STEP>(simd, from, outputs),
                3 => self.voxels::<S, 3, VECTORS, STEP>(simd, from, outputs),
                _ => self.voxels::<S, 1, VECTORS, STEP>(simd, from, outputs),
            }
            done = from + run;
        }
    }

    #[inline(always)]
    fn voxels<S: Simd, const RUN: usize, const VECTORS: usize, const STEP: usize>(
        &self,
        simd: S,
        from: usize,
        outputs: &mut [&mut [f32]],
    ) {
        let mut made = [[simd.splat_f32s(0.0); VECTORS]; RUN];
        let each = VECTORS * S::F32_LANES;
        let first = self.first + from * self.stride;
        let last = first + (RUN - 1) * self.stride + 1;
        let sums: &mut [f32] = bytemuck::cast_slice_mut(made.as_flattened_mut());
        if let Some(start) = self.start {
            for sums in sums.chunks_exact_mut(each) {
                sums.copy_from_slice(&start[..each]);
            }
        } else {
            for (lane, output) in outputs.iter().enumerate() {
                let output = &output[first..last];
                for voxel in 0..RUN {
                    sums[voxel * each + lane] = output[voxel * self.stride];
                }
            }
        }
        self.sums::<S, RUN, VECTORS, STEP>(simd, from, &mut made);
        let sums: &[f32] = bytemuck::cast_slice(made.as_flattened());
        for (lane, output) in outputs.iter_mut().enumerate() {
            let output = &mut output[first..last];
            for voxel in 0..RUN {
                output[voxel * self.stride] = sums[voxel * each + lane];
            }
        }
    }

    /// Adds the products of all channels and kernel samples to what is in `made`.
    #[inline(always)]
    fn sums<S: Simd, const RUN: usize, const VECTORS: usize, const STEP: usize>(
        &self,
        simd: S,
        from: usize,
        made: &mut [[S::f32s; VECTORS]; RUN],
    ) {
        let mut sums: [[S::f32s; VECTORS]; RUN] =
            std::array::from_fn(|voxel| std::array::from_fn(|vector| made[voxel][vector]));
        let kernels: &[S::f32s] = bytemuck::cast_slice(self.kernels);
        let mut kernels = kernels.chunks_exact(group::<S>() / S::F32_LANES);
        for plane in self.slab.chunks(self.plane).take(self.channels) {
            let plane = &plane[from * STEP..];
            for (&offset, kernel) in self.offsets.iter().zip(&mut kernels) {
                let inputs = &plane[offset..offset + (RUN - 1) * STEP + 1];
                let kernel: [S::f32s; VECTORS] = std::array::from_fn(|vector| kernel[vector]);
                for voxel in 0..RUN {
                    let input = simd.splat_f32s(inputs[voxel * STEP]);
                    for vector in 0..VECTORS {
                        sums[voxel][vector] =
                            simd.mul_add_e_f32s(input, kernel[vector], sums[voxel][vector]);
                    }
                }
            }
        }
        // One by one: a copy of the whole array would make the compiler keep it in memory, and
        // store every accumulator after every addition.
        for voxel in 0..RUN {
            for vector in 0..VECTORS {
                made[voxel][vector] = sums[voxel][vector];
            }
        }
    }
}
