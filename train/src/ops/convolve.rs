//! Convolutions and their adjoints, computed directly.
//!
//! A vector holds neighbouring output *channels*; the accumulators of a row of output voxels stay
//! in registers while all input channels and kernel samples are walked through. What a tile of
//! rows reads is copied beforehand into a [slab](super::slab) that fits the cache. Nothing of the
//! size of the input, as an im2col matrix would be, is ever made, and the order of the sums does
//! not depend on the vectors' width or the number of threads.

mod row;
mod tile;

use std::cell::RefCell;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::axes::Axis;
use super::lanes::with_lanes_for;
use super::slab::{Volumes, Window};
use tile::{Rows, RowsOf, deal};

/// Elements of a slab: with the kernels of one group of channels it should fit a core's L2 cache.
const SLAB: usize = 96 * 1024;
/// Kernels of a convolution or its adjoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels<'a> {
    /// [output channels, input channels, z, y, x], or with the channels swapped.
    pub(super) values: &'a [f32],
    /// Whether the input's channels come first.
    pub(super) input_first: bool,
    pub(super) size: [usize; 3],
}

/// Fills `outputs` with the sliding product of `inputs` and `kernels` along `axes`.
///
/// `outputs` are, as [`Volumes`] are, (values, channels) that follow each other on the channel
/// axis, each [batch, channels, z, y, x] with the axes' output sizes.
pub(super) fn convolve(
    inputs: Volumes,
    kernels: Kernels,
    bias: Option<&[f32]>,
    axes: &[Axis; 3],
    batch: usize,
    outputs: &mut [(&mut [f32], usize)],
) {
    let channels = outputs.iter().map(|(_, channels)| channels).sum();
    with_lanes_for(
        channels,
        Convolve {
            inputs,
            kernels,
            bias,
            axes,
            batch,
            outputs,
            channels,
        },
    );
}

struct Convolve<'a, 'b, 'o> {
    inputs: Volumes<'a>,
    kernels: Kernels<'a>,
    bias: Option<&'a [f32]>,
    axes: &'a [Axis; 3],
    batch: usize,
    outputs: &'b mut [(&'o mut [f32], usize)],
    channels: usize,
}

/// One combination of the axes' phases: a set of kernel samples.
struct Phase {
    kernel: Vec<usize>,
    offsets: Vec<[isize; 3]>,
}

thread_local! {
    /// The slab of this thread: a fresh one for each tile would cost page faults.
    static SLABS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl WithSimd for Convolve<'_, '_, '_> {
    type Output = ();

    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            inputs,
            kernels,
            bias,
            axes,
            batch,
            outputs,
            channels,
        } = self;
        let group = group::<S>();
        let groups = channels.div_ceil(group);
        let in_channels = inputs.channels();
        let phases = phases(axes, kernels.size);
        let packed: Vec<Vec<f32>> = phases
            .iter()
            .map(|phase| pack(kernels, channels, in_channels, &phase.kernel, group))
            .collect();
        let start: Vec<f32> = (0..groups * group)
            .map(|channel| bias.and_then(|bias| bias.get(channel)).map_or(0.0, |&b| b))
            .collect();

        let rows = rows_per_tile(axes, in_channels);
        let [depth, height, width] = [0, 1, 2].map(|axis| axes[axis].output);
        let tiles = batch * (depth * height).div_ceil(rows);
        // Few tiles: let several threads share one, each taking some of the channels.
        let wanted = 4 * rayon::current_num_threads();
        let together = groups.div_ceil(wanted.div_ceil(tiles)).max(1);

        let tiles = deal(
            outputs,
            batch,
            depth * height,
            rows,
            width,
            together * group,
        );
        tiles.into_par_iter().for_each(|mut tile| {
            SLABS.with_borrow_mut(|slab| {
                let last = tile.row + tile.outputs[0].len() / width;
                let (z, y) = slices_and_rows(tile.row, last, height);
                let window = Window::new(axes, [z.start, y.start], [z.end, y.end]);
                window.cut(inputs, tile.sample, 0..in_channels, slab);
                let work = Rows {
                    axes,
                    phases: &phases,
                    packed: &packed,
                    start: &start,
                    window,
                    slab,
                    in_channels,
                    first_group: tile.part * together,
                    last,
                };
                simd.vectorize(RowsOf {
                    work,
                    tile: &mut tile,
                });
            });
        });
    }
}

/// Channels computed together: two vectors where registers are many.
pub(super) fn group<S: Simd>() -> usize {
    if S::F32_LANES == 16 { 32 } else { S::F32_LANES }
}

fn phases(axes: &[Axis; 3], kernel: [usize; 3]) -> Vec<Phase> {
    let mut all = Vec::new();
    for z in &axes[0].phases {
        for y in &axes[1].phases {
            for x in &axes[2].phases {
                let mut phase = Phase {
                    kernel: Vec::new(),
                    offsets: Vec::new(),
                };
                for z in z {
                    for y in y {
                        for x in x {
                            phase
                                .kernel
                                .push((z.kernel * kernel[1] + y.kernel) * kernel[2] + x.kernel);
                            phase.offsets.push([z.offset, y.offset, x.offset]);
                        }
                    }
                }
                all.push(phase);
            }
        }
    }
    all
}

/// Kernel samples in the order they are used: [group, input channel, sample, channel of the group].
fn pack(
    kernels: Kernels,
    channels: usize,
    in_channels: usize,
    samples: &[usize],
    group: usize,
) -> Vec<f32> {
    let volume = kernels.size.iter().product::<usize>();
    let each = in_channels * samples.len() * group;
    let mut packed = vec![0.0; channels.div_ceil(group) * each];
    if each == 0 {
        return packed;
    }
    packed
        .par_chunks_mut(each)
        .enumerate()
        .for_each(|(index, packed)| {
            let first = index * group;
            let lanes = group.min(channels - first);
            for (input, packed) in packed.chunks_exact_mut(samples.len() * group).enumerate() {
                for lane in 0..lanes {
                    let output = first + lane;
                    let kernel = if kernels.input_first {
                        input * channels + output
                    } else {
                        output * in_channels + input
                    };
                    let kernel = &kernels.values[kernel * volume..][..volume];
                    for (packed, &sample) in packed.chunks_exact_mut(group).zip(samples) {
                        packed[lane] = kernel[sample];
                    }
                }
            }
        });
    packed
}

/// Rows of a tile: a whole number of slices, or a divisor of a slice's rows.
pub(super) fn rows_per_tile(axes: &[Axis; 3], in_channels: usize) -> usize {
    let [depth, height] = [axes[0].output, axes[1].output];
    let cost = |slices: usize, rows: usize| {
        in_channels * Window::new(axes, [0, 0], [slices, rows]).voxels()
    };
    if cost(1, height) <= SLAB {
        let slices = (1..=depth)
            .rev()
            .find(|&slices| cost(slices, height) <= SLAB);
        return slices.unwrap_or(1) * height;
    }
    (1..=height)
        .rev()
        .find(|&rows| height.is_multiple_of(rows) && cost(1, rows) <= SLAB)
        .unwrap_or(1)
}

/// The slices and rows that the rows from `first` to `last` (exclusive) lie in.
pub(super) fn slices_and_rows(
    first: usize,
    last: usize,
    height: usize,
) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let slices = first / height..(last - 1) / height + 1;
    if slices.len() > 1 {
        return (slices, 0..height);
    }
    (slices, first % height..(last - 1) % height + 1)
}
