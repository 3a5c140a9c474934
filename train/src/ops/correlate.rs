//! Gradients of kernels, computed directly.
//!
//! As in [`convolve`](super::convolve) a vector holds neighbouring channels, here of the factor
//! that does not slide, which is laid out channels last for it. The accumulators of a few kernel
//! samples stay in registers while the voxels of a tile are walked through, and are then added to
//! the gradient: blocks of voxels are summed on their own, which keeps the digits of long sums.

use std::ops::Range;

use pulp::{Simd, WithSimd, bytemuck};
use rayon::prelude::*;

use super::axes::Axis;
use super::convolve::{group, rows_per_tile, slices_and_rows};
use super::lanes::with_lanes_for;
use super::slab::{Volumes, Window};

/// Gradients of up to this many elements are gathered per part of the volume, then added up.
const SMALL: usize = 256 * 1024;
/// Parts of the volume. A constant, so that sums do not depend on the number of threads.
const PARTS: usize = 8;
/// Sliding channels of one piece of a large gradient.
const CHANNELS: usize = 16;

/// The sum over samples and voxels of `fixed` times `sliding`, for every kernel sample.
///
/// `axes` are those of the convolution from the size of `sliding` to the size of `fixed`. Returns
/// [channels of `fixed`, channels of `sliding`, z, y, x of the kernel].
pub(super) fn correlate(
    fixed: Volumes,
    sliding: Volumes,
    axes: &[Axis; 3],
    batch: usize,
) -> Vec<f32> {
    with_lanes_for(
        fixed.channels(),
        Correlate {
            fixed,
            sliding,
            axes,
            batch,
        },
    )
}

struct Correlate<'a> {
    fixed: Volumes<'a>,
    sliding: Volumes<'a>,
    axes: &'a [Axis; 3],
    batch: usize,
}

/// Some sliding channels over some tiles of the volume.
struct Piece<'a> {
    work: &'a Correlate<'a>,
    channels: Range<usize>,
    tiles: Range<usize>,
    rows_per_tile: usize,
}

impl WithSimd for Correlate<'_> {
    type Output = Vec<f32>;

    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let kernel: usize = self.axes.iter().map(|axis| axis.phases[0].len()).product();
        let (fixed, sliding) = (self.fixed.channels(), self.sliding.channels());
        let small = fixed * sliding * kernel <= SMALL;
        let channels = if small { sliding } else { CHANNELS };
        let rows_per_tile = rows_per_tile(self.axes, channels);
        let rows = self.axes[0].output * self.axes[1].output;
        let tiles = self.batch * rows.div_ceil(rows_per_tile);
        let tiles_per_part = if small { tiles.div_ceil(PARTS) } else { tiles };
        let pieces: Vec<Piece> = (0..sliding)
            .step_by(channels)
            .flat_map(|first| {
                let work = &self;
                (0..tiles).step_by(tiles_per_part).map(move |tile| Piece {
                    work,
                    channels: first..(first + channels).min(sliding),
                    tiles: tile..(tile + tiles_per_part).min(tiles),
                    rows_per_tile,
                })
            })
            .collect();
        let sums: Vec<Vec<f32>> = pieces
            .into_par_iter()
            .map(|piece| simd.vectorize(piece))
            .collect();
        let parts = tiles.div_ceil(tiles_per_part);
        merge::<S>(&sums, parts, [fixed, sliding, channels, kernel])
    }
}

/// Adds up the parts and brings [sliding channel, kernel, fixed channel] to the kernel's order.
fn merge<S: Simd>(
    sums: &[Vec<f32>],
    parts: usize,
    [fixed, sliding, channels, kernel]: [usize; 4],
) -> Vec<f32> {
    let group = group::<S>();
    let padded = fixed.div_ceil(group) * group;
    let mut gradient = vec![0.0; fixed * sliding * kernel];
    gradient
        .par_chunks_mut(group * sliding * kernel)
        .enumerate()
        .for_each(|(index, gradient)| {
            for (piece, parts) in sums.chunks(parts).enumerate() {
                let first = piece * channels;
                for channel in first..(first + channels).min(sliding) {
                    for (lane, gradient) in gradient.chunks_mut(sliding * kernel).enumerate() {
                        let gradient = &mut gradient[channel * kernel..][..kernel];
                        let from = (channel - first) * kernel * padded + index * group + lane;
                        for (sample, gradient) in gradient.iter_mut().enumerate() {
                            let at = from + sample * padded;
                            *gradient = parts.iter().map(|sums| sums[at]).sum();
                        }
                    }
                }
            }
        });
    gradient
}

impl WithSimd for Piece<'_> {
    /// [sliding channel, kernel sample, fixed channel rounded up to whole groups].
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self {
            work:
                Correlate {
                    fixed,
                    sliding,
                    axes,
                    ..
                },
            channels,
            tiles,
            rows_per_tile,
        } = self;
        let group = group::<S>();
        let [depth, height, width] = fixed.extent;
        let rows = depth * height;
        let tiles_per_sample = rows.div_ceil(rows_per_tile);
        let kernel: Vec<Vec<isize>> = axes
            .iter()
            .map(|axis| axis.phases[0].iter().map(|tap| tap.offset).collect())
            .collect();
        let columns = kernel[2].len();
        let padded = fixed.channels().div_ceil(group) * group;
        let lines = channels.len() * kernel[0].len() * kernel[1].len();
        let mut sums = vec![0.0; lines * columns * padded];
        let (mut slab, mut last) = (Vec::new(), Vec::new());
        for tile in tiles {
            let sample = tile / tiles_per_sample;
            let first_row = tile % tiles_per_sample * rows_per_tile;
            let last_row = (first_row + rows_per_tile).min(rows);
            let (z, y) = slices_and_rows(first_row, last_row, height);
            let window = Window::new(axes, [z.start, y.start], [z.end, y.end]);
            window.cut(*sliding, sample, channels.clone(), &mut slab);
            channels_last(
                *fixed,
                sample,
                first_row * width..last_row * width,
                group,
                &mut last,
            );
            // Where a channel, slice and row of the kernel begins for the first row of the volume.
            let mut starts = Vec::with_capacity(lines);
            for channel in 0..channels.len() {
                for &z in &kernel[0] {
                    for &y in &kernel[1] {
                        let plane = window.size[1] * window.size[2];
                        let z = (z - axes[0].reach().0) as usize * plane;
                        let y = (y - axes[1].reach().0) as usize * window.size[2];
                        starts.push(channel * window.voxels() + z + y);
                    }
                }
            }
            let shifts: Vec<usize> = (first_row..last_row)
                .map(|row| {
                    let (row_z, row_y) = (row / height - z.start, row % height - y.start);
                    (row_z * axes[0].step * window.size[1] + row_y * axes[1].step) * window.size[2]
                })
                .collect();
            let each = (last_row - first_row) * width * group;
            for (index, last) in last.chunks_exact(each).enumerate() {
                let job = Job {
                    fixed: bytemuck::cast_slice(last),
                    slab: &slab,
                    starts: &starts,
                    shifts: &shifts,
                    width,
                    padded,
                    first: index * group,
                };
                let left = fixed.channels() - index * group;
                let wide = group > S::F32_LANES && left > S::F32_LANES;
                match (wide, axes[2].step) {
                    (true, 1) => job.run::<S, 2, 1>(simd, columns, &mut sums),
                    (true, _) => job.run::<S, 2, 2>(simd, columns, &mut sums),
                    (false, 1) => job.run::<S, 1, 1>(simd, columns, &mut sums),
                    (false, _) => job.run::<S, 1, 2>(simd, columns, &mut sums),
                }
            }
        }
        sums
    }
}

/// Voxels of one sample as [group, voxel, channel of the group]; missing channels are zero.
#[inline(always)]
fn channels_last(
    volumes: Volumes,
    sample: usize,
    voxels: Range<usize>,
    group: usize,
    out: &mut Vec<f32>,
) {
    let channels = volumes.channels();
    let each = voxels.len() * group;
    out.resize(channels.div_ceil(group) * each, 0.0);
    for (index, out) in out.chunks_exact_mut(each).enumerate() {
        for lane in 0..group {
            let channel = index * group + lane;
            if channel < channels {
                let values = &volumes.channel(sample, channel)[voxels.clone()];
                for (out, &value) in out.chunks_exact_mut(group).zip(values) {
                    out[lane] = value;
                }
            } else {
                for out in out.chunks_exact_mut(group) {
                    out[lane] = 0.0;
                }
            }
        }
    }
}

/// One group of fixed channels against all kernel samples, over one tile.
struct Job<'a, V> {
    /// [row, x, vector].
    fixed: &'a [V],
    slab: &'a [f32],
    /// Where each line (channel, slice and row of the kernel) begins in the slab.
    starts: &'a [usize],
    /// Where each row of the tile begins, relative to that.
    shifts: &'a [usize],
    width: usize,
    /// Elements of a kernel sample in the sums, and the group's place in them.
    padded: usize,
    first: usize,
}

impl<V: bytemuck::Pod> Job<'_, V> {
    #[inline(always)]
    fn run<S: Simd<f32s = V>, const VECTORS: usize, const STEP: usize>(
        &self,
        simd: S,
        columns: usize,
        sums: &mut [f32],
    ) {
        let mut done = 0;
        while done < self.starts.len() {
            match columns {
                1 => self.lines::<S, 8, 1, VECTORS, STEP>(simd, done, sums),
                2 => self.lines::<S, 4, 2, VECTORS, STEP>(simd, done, sums),
                _ => self.lines::<S, 4, 3, VECTORS, STEP>(simd, done, sums),
            }
            done += if columns == 1 { 8 } else { 4 };
        }
    }

    /// Some lines of the kernel. Those beyond the last repeat it and are dropped.
    #[inline(always)]
    fn lines<
        S: Simd<f32s = V>,
        const LINES: usize,
        const COLUMNS: usize,
        const VECTORS: usize,
        const STEP: usize,
    >(
        &self,
        simd: S,
        first: usize,
        sums: &mut [f32],
    ) {
        let real = LINES.min(self.starts.len() - first);
        let starts: [usize; LINES] =
            std::array::from_fn(|line| self.starts[first + line.min(real - 1)]);
        let mut made = [[[simd.splat_f32s(0.0); VECTORS]; COLUMNS]; LINES];
        self.products::<S, LINES, COLUMNS, VECTORS, STEP>(simd, starts, &mut made);
        for (line, made) in made.iter().take(real).enumerate() {
            for (column, made) in made.iter().enumerate() {
                let at = ((first + line) * COLUMNS + column) * self.padded + self.first;
                let made: &[f32] = bytemuck::cast_slice(made);
                for (sum, made) in sums[at..at + made.len()].iter_mut().zip(made) {
                    *sum += made;
                }
            }
        }
    }

    #[inline(always)]
    fn products<
        S: Simd<f32s = V>,
        const LINES: usize,
        const COLUMNS: usize,
        const VECTORS: usize,
        const STEP: usize,
    >(
        &self,
        simd: S,
        starts: [usize; LINES],
        made: &mut [[[V; VECTORS]; COLUMNS]; LINES],
    ) {
        let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; COLUMNS]; LINES];
        let vectors = group::<S>() / S::F32_LANES;
        let length = (self.width - 1) * STEP + COLUMNS;
        for (&shift, fixed) in self
            .shifts
            .iter()
            .zip(self.fixed.chunks_exact(self.width * vectors))
        {
            let lines: [&[f32]; LINES] =
                std::array::from_fn(|line| &self.slab[starts[line] + shift..][..length]);
            for (x, fixed) in fixed.chunks_exact(vectors).enumerate() {
                let fixed: [V; VECTORS] = std::array::from_fn(|vector| fixed[vector]);
                for line in 0..LINES {
                    let inputs = &lines[line][x * STEP..x * STEP + COLUMNS];
                    for column in 0..COLUMNS {
                        let input = simd.splat_f32s(inputs[column]);
                        for vector in 0..VECTORS {
                            let sum = &mut sums[line][column][vector];
                            *sum = simd.mul_add_e_f32s(input, fixed[vector], *sum);
                        }
                    }
                }
            }
        }
        // One by one, as in `convolve`.
        for line in 0..LINES {
            for column in 0..COLUMNS {
                for vector in 0..VECTORS {
                    made[line][column][vector] = sums[line][column][vector];
                }
            }
        }
    }
}
