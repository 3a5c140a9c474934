//! How the kernels are launched: over which extents, in how many blocks.

use std::{
    ffi::c_void,
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError},
};

use crate::engine::gpu::{DriverError, Gpu, Kernel, Kernels, Launch, Scratch};

/// Threads of a block, as in kernel.cu.
const THREADS: u32 = 256;
/// Bytes that a thread reads at once, as in kernel.cu.
const WIDE: u32 = 16;
/// Blocks of a launch over a large tensor with channels first, as many as keep every multiprocessor
/// of a large GPU busy, and few enough that each has some work for its start.
const BLOCKS: u64 = 4096;
/// The same with channels last, where all blocks have a share in every channel: what one warp adds
/// up then.
const BLOCKS_LAST: u64 = 1024;
/// Reads of a thread below which another block is not worth its start.
const READS: u64 = 8;
/// The most blocks along the second and third axis of a grid.
const GRID: u32 = 65_535;

/// What is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extents {
    pub(super) items: u32,
    pub(super) channels: u32,
    /// Elements of a channel.
    pub(super) size: u64,
    pub(super) channels_last: bool,
}

impl Extents {
    /// Errors: what is wrong with the shape.
    pub(super) fn of(shape: &[i64], channels_last: bool) -> Result<Extents, String> {
        let wrong = || format!("a tensor of {shape:?} cannot be normalised by channels");
        let [items, rest @ ..] = shape else {
            return Err(wrong());
        };
        let (channels, space) = match channels_last {
            true => rest.split_last(),
            false => rest.split_first(),
        }
        .ok_or_else(wrong)?;
        let fits = |extent: i64| u32::try_from(extent).ok().filter(|extent| *extent > 0);
        let size = space.iter().try_fold(1_u64, |size, extent| {
            size.checked_mul(u64::from(fits(*extent)?))
        });
        match (fits(*items), fits(*channels), size) {
            (Some(items), Some(channels), Some(size))
                if items
                    .checked_mul(channels)
                    .is_some_and(|planes| planes <= GRID) =>
            {
                Ok(Extents {
                    items,
                    channels,
                    size,
                    channels_last,
                })
            }
            _ => Err(wrong()),
        }
    }

    /// The grid for elements of `bytes`: blocks along a channel, and what lies beside.
    fn grid(self, bytes: u32) -> (u32, u32, u32) {
        let wide = WIDE / bytes;
        let (beside, per_pass) = match self.channels_last {
            false => ((self.items * self.channels, 1), u64::from(THREADS * wide)),
            true => {
                let columns = match self.is_odd(bytes) {
                    true => self.channels,
                    false => self.channels / wide,
                };
                let rows = THREADS / columns.min(THREADS);
                ((self.items, columns.div_ceil(THREADS)), u64::from(rows))
            }
        };
        let all = if self.channels_last {
            BLOCKS_LAST
        } else {
            BLOCKS
        };
        let most = (all / u64::from(beside.0 * beside.1)).max(1);
        let blocks = (self.size / (per_pass * READS)).clamp(1, most);
        (blocks as u32, beside.0, beside.1)
    }

    /// Whether channels come last and cannot be read 16 bytes at a time.
    fn is_odd(self, bytes: u32) -> bool {
        self.channels_last && !self.channels.is_multiple_of(WIDE / bytes)
    }
}

/// Addresses on the GPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tensors {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) scale: u64,
    pub(super) bias: u64,
}

/// The kernels for one type of element, and room for what they hand over. All nodes of a session
/// share it: it has one stream, in which they run one after another.
#[derive(Clone)]
pub(super) struct NormKernels {
    gpu: Gpu,
    bytes: u32,
    statistics: Kernel,
    /// For channels first, channels last, and an odd number of them last: sums and apply.
    passes: [(Kernel, Kernel); 3],
    scratch: Arc<Mutex<Option<Scratch>>>,
}

impl NormKernels {
    pub(super) fn of(
        gpu: &Gpu,
        loaded: &Arc<Kernels>,
        suffix: &str,
    ) -> Result<NormKernels, DriverError> {
        let get = |name: &str| loaded.get(&format!("{name}_{suffix}"));
        let passes = |layout: &str| -> Result<_, DriverError> {
            Ok((
                get(&format!("sums_{layout}"))?,
                get(&format!("apply_{layout}"))?,
            ))
        };
        Ok(NormKernels {
            gpu: gpu.clone(),
            bytes: if suffix == "f32" { 4 } else { 2 },
            statistics: get("statistics")?,
            passes: [passes("planes")?, passes("rows")?, passes("odd_rows")?],
            scratch: Arc::new(Mutex::new(None)),
        })
    }

    /// Puts the three kernels into `stream`.
    ///
    /// # Safety
    ///
    /// `tensors` must lie on this GPU, input and output of `extents` and of the type of these
    /// kernels, scale and bias of one f32 for each channel, all until the stream is done with them;
    /// and `stream` must be one of this GPU's, and the same one in every call.
    #[expect(
        unsafe_code,
        reason = "addresses alone say nothing about what lies there"
    )]
    pub(super) unsafe fn launch(
        &self,
        extents: Extents,
        tensors: Tensors,
        epsilon: f32,
        alpha: f32,
        stream: Option<NonNull<c_void>>,
    ) -> Result<(), DriverError> {
        let (blocks, beside, chunks) = extents.grid(self.bytes);
        let planes = extents.items * extents.channels;
        // Two f32 for each block's share of a channel, then two for each channel.
        let shares = u64::from(planes) * u64::from(blocks) * 8;
        let needed = (shares + u64::from(planes) * 8) as usize;
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let there = match scratch.take().filter(|there| there.bytes() >= needed) {
            Some(there) => there,
            // The old one is freed by now, which waited for what still ran in it.
            None => self.gpu.scratch(needed)?,
        };
        let start = scratch.insert(there).address();
        let (mut partial, mut found) = (start, start + shares);
        let Tensors {
            mut input,
            mut output,
            mut scale,
            mut bias,
        } = tensors;
        let Extents {
            mut items,
            mut channels,
            mut size,
            channels_last,
        } = extents;
        let (mut count, mut last) = (blocks, u32::from(channels_last));
        let (mut epsilon, mut alpha) = (epsilon, alpha);
        let over = |blocks| Launch {
            blocks,
            threads: THREADS,
            stream,
        };
        let layout = match (channels_last, extents.is_odd(self.bytes)) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        let (sums, apply) = &self.passes[layout];
        let grid = (blocks, beside, chunks);
        let warps = (planes.div_ceil(THREADS / 32), 1, 1);
        #[expect(
            unsafe_code,
            reason = "a kernel's parameters are handed over by their addresses"
        )]
        // SAFETY: types and order are those of kernel.cu. The tensors are as the caller promises; the
        // room has space for so many blocks and channels, and the next node writes it after this one.
        unsafe {
            let to = |value: *mut u64| value.cast::<c_void>();
            let (size, channels) = (to(&raw mut size), (&raw mut channels).cast());
            let (input, partial, found) =
                (to(&raw mut input), to(&raw mut partial), to(&raw mut found));
            sums.launch(over(grid), &mut [input, partial, size, channels])?;
            self.statistics.launch(
                over(warps),
                &mut [
                    input,
                    partial,
                    to(&raw mut scale),
                    found,
                    size,
                    (&raw mut items).cast(),
                    channels,
                    (&raw mut count).cast(),
                    (&raw mut last).cast(),
                    (&raw mut epsilon).cast(),
                ],
            )?;
            apply.launch(
                over(grid),
                &mut [
                    input,
                    to(&raw mut output),
                    found,
                    to(&raw mut bias),
                    size,
                    channels,
                    (&raw mut alpha).cast(),
                ],
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_follow_the_layout() {
        let first = Extents::of(&[2, 32, 4, 5, 6], false).unwrap();
        let last = Extents::of(&[2, 4, 5, 6, 32], true).unwrap();
        assert_eq!(
            (first.items, first.channels, first.size, first.channels_last),
            (2, 32, 120, false)
        );
        assert_eq!(
            Extents {
                channels_last: false,
                ..last
            },
            first
        );
        for shape in [&[][..], &[1], &[1, 0, 4], &[1, -1, 4], &[256, 256, 4]] {
            Extents::of(shape, false).unwrap_err();
        }
    }

    #[test]
    fn every_element_has_a_thread_and_no_grid_is_too_large() {
        for channels in [1, 2, 11, 32, 82, 320, 2000, 4096] {
            for size in [1, 7, 144, 36_864, 2_359_296] {
                for (channels_last, bytes) in [(false, 4), (false, 2), (true, 4), (true, 2)] {
                    let extents = Extents {
                        items: 2,
                        channels,
                        size,
                        channels_last,
                    };
                    let (blocks, beside, chunks) = extents.grid(bytes);
                    let most = if channels_last { BLOCKS_LAST } else { BLOCKS };
                    assert!((1..=most as u32).contains(&blocks));
                    assert!(beside <= GRID && chunks <= GRID);
                    let covered = match (channels_last, extents.is_odd(bytes)) {
                        (false, _) => beside / 2,
                        (true, false) => chunks * THREADS * (WIDE / bytes),
                        (true, true) => chunks * THREADS,
                    };
                    assert!(covered >= channels, "{extents:?}");
                }
            }
        }
    }
}

#[cfg(test)]
mod gpu_tests;
