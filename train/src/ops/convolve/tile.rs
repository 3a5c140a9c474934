//! Tiles: what one thread computes at a time.

use pulp::{Simd, WithSimd};

use super::row::Row;
use super::{Phase, group};
use crate::ops::axes::Axis;
use crate::ops::slab::Window;

/// Elements of the kernels that are walked through for all rows of a tile before the next ones
/// are: they should fit the same cache.
const BLOCK: usize = 112 * 1024;

/// Output rows of one sample and some groups of channels.
pub(super) struct Tile<'a> {
    pub(super) sample: usize,
    /// First row, counting rows through all slices.
    pub(super) row: usize,
    /// Which part of the channels.
    pub(super) part: usize,
    /// For each channel, the rows.
    pub(super) outputs: Vec<&'a mut [f32]>,
}

/// Cuts the outputs into tiles.
pub(super) fn deal<'a>(
    outputs: &'a mut [(&mut [f32], usize)],
    batch: usize,
    all_rows: usize,
    rows: usize,
    width: usize,
    channels_per_tile: usize,
) -> Vec<Tile<'a>> {
    let channels: usize = outputs.iter().map(|(_, channels)| channels).sum();
    let tiles = all_rows.div_ceil(rows);
    let parts = channels.div_ceil(channels_per_tile);
    let mut dealt: Vec<Tile> = (0..batch * tiles * parts)
        .map(|index| Tile {
            sample: index / (tiles * parts),
            row: index / parts % tiles * rows,
            part: index % parts,
            outputs: Vec::with_capacity(channels_per_tile.min(channels)),
        })
        .collect();
    let mut first = 0;
    for (values, channels) in outputs {
        for (index, plane) in values.chunks_mut(all_rows * width).enumerate() {
            let (sample, channel) = (index / *channels, first + index % *channels);
            for (tile, values) in plane.chunks_mut(rows * width).enumerate() {
                dealt[(sample * tiles + tile) * parts + channel / channels_per_tile]
                    .outputs
                    .push(values);
            }
        }
        first += *channels;
    }
    dealt
}

/// What all tiles of an output share, and the slab of one.
pub(super) struct Rows<'a> {
    pub(super) axes: &'a [Axis; 3],
    pub(super) phases: &'a [Phase],
    pub(super) packed: &'a [Vec<f32>],
    pub(super) start: &'a [f32],
    pub(super) window: Window,
    pub(super) slab: &'a [f32],
    pub(super) in_channels: usize,
    pub(super) first_group: usize,
    pub(super) last: usize,
}

/// The work of one tile.
pub(super) struct RowsOf<'a, 't> {
    pub(super) work: Rows<'a>,
    pub(super) tile: &'a mut Tile<'t>,
}

impl WithSimd for RowsOf<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, tile } = self;
        let group = group::<S>();
        let [z_axis, y_axis, x_axis] = work.axes;
        let [z_phases, y_phases, x_phases] = work.axes.each_ref().map(|axis| axis.phases.len());
        let low = work.axes.each_ref().map(|axis| axis.reach().0);
        let offsets: Vec<Vec<usize>> = work
            .phases
            .iter()
            .map(|phase| {
                let index = |[z, y, x]: [isize; 3]| {
                    let [_, rows, columns] = work.window.size.map(|size| size as isize);
                    (((z - low[0]) * rows + y - low[1]) * columns + x - low[2]) as usize
                };
                phase.offsets.iter().map(|&offset| index(offset)).collect()
            })
            .collect();
        for (index, outputs) in tile.outputs.chunks_mut(group).enumerate() {
            let start = &work.start[(work.first_group + index) * group..][..group];
            let most = offsets.iter().map(Vec::len).max().unwrap_or(0).max(1);
            let blocks = (work.in_channels * most * group).div_ceil(BLOCK).max(1);
            let block = work.in_channels.div_ceil(blocks).max(1);
            for first in (0..work.in_channels).step_by(block) {
                let channels = block.min(work.in_channels - first);
                for row in tile.row..work.last {
                    let (z, y) = (row / y_axis.output, row % y_axis.output);
                    let corner = work.window.index([
                        (z / z_phases * z_axis.step) as isize + low[0],
                        (y / y_phases * y_axis.step) as isize + low[1],
                        low[2],
                    ]);
                    for x in 0..x_phases.min(x_axis.output) {
                        let phase = (z % z_phases * y_phases + y % y_phases) * x_phases + x;
                        let offsets = &offsets[phase];
                        let each = work.in_channels * offsets.len() * group;
                        let kernels =
                            &work.packed[phase][(work.first_group + index) * each..][..each];
                        let plane = work.window.voxels();
                        let job = Row {
                            slab: &work.slab[first * plane + corner..],
                            plane,
                            channels,
                            offsets,
                            kernels: &kernels[first * offsets.len() * group..],
                            start: (first == 0).then_some(start),
                            alone: blocks == 1,
                            first: (row - tile.row) * x_axis.output + x,
                            stride: x_phases,
                            width: (x_axis.output - x).div_ceil(x_phases),
                        };
                        let wide = group > S::F32_LANES && outputs.len() > S::F32_LANES;
                        match (wide, x_axis.step) {
                            (true, 1) => job.run::<S, 2, 1>(simd, outputs),
                            (true, _) => job.run::<S, 2, 2>(simd, outputs),
                            (false, 1) => job.run::<S, 1, 1>(simd, outputs),
                            (false, _) => job.run::<S, 1, 2>(simd, outputs),
                        }
                    }
                }
            }
        }
    }
}
