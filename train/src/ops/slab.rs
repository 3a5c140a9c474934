//! A piece of a volume, copied with its margin of zeros to where the processor's cache holds it.

use super::axes::Axis;

/// Volumes of one size that follow each other on the channel axis, as if they were concatenated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Volumes<'a> {
    /// Each [batch, channels, z, y, x], contiguous, with its channel count.
    pub(super) parts: &'a [(&'a [f32], usize)],
    /// Voxels of one channel, z, y, x.
    pub(super) extent: [usize; 3],
}

impl<'a> Volumes<'a> {
    pub(super) fn channels(&self) -> usize {
        self.parts.iter().map(|(_, channels)| channels).sum()
    }

    /// One channel of one sample.
    pub(super) fn channel(&self, sample: usize, mut channel: usize) -> &'a [f32] {
        let voxels = self.extent.iter().product::<usize>();
        for (values, channels) in self.parts {
            if channel < *channels {
                return &values[(sample * channels + channel) * voxels..][..voxels];
            }
            channel -= channels;
        }
        unreachable!("callers count channels with `channels`")
    }
}

/// The part of an input that some output rows read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// First input position on each axis; outside the input there are zeros.
    first: [isize; 3],
    /// Input positions on each axis.
    pub(super) size: [usize; 3],
}

impl Window {
    /// What the output samples from `first` to `last` (exclusive) read, z and y; all of x.
    pub(super) fn new(axes: &[Axis; 3], first: [usize; 2], last: [usize; 2]) -> Self {
        let z = axes[0].span(first[0], last[0]);
        let y = axes[1].span(first[1], last[1]);
        let x = axes[2].span(0, axes[2].output);
        Self {
            first: [z.0, y.0, x.0],
            size: [z.1, y.1, x.1],
        }
    }

    /// Elements of one channel.
    pub(super) fn voxels(&self) -> usize {
        self.size.iter().product()
    }

    /// Index of an input position in a channel of the slab.
    pub(super) fn index(&self, position: [isize; 3]) -> usize {
        let [z, y, x] = [0, 1, 2].map(|axis| (position[axis] - self.first[axis]) as usize);
        (z * self.size[1] + y) * self.size[2] + x
    }

    /// Copies the window of some channels of one sample into `slab`, channel after channel.
    pub(super) fn cut(
        &self,
        volumes: Volumes,
        sample: usize,
        channels: std::ops::Range<usize>,
        slab: &mut Vec<f32>,
    ) {
        slab.clear();
        slab.reserve(channels.len() * self.voxels());
        let [depth, height, width] = volumes.extent.map(|size| size as isize);
        let [z0, y0, x0] = self.first;
        let [slices, rows, columns] = self.size;
        let before = (-x0).clamp(0, columns as isize) as usize;
        let from = x0.clamp(0, width) as usize;
        let copied = (columns - before).min(width as usize - from);
        let after = columns - before - copied;
        for channel in channels {
            let values = volumes.channel(sample, channel);
            for z in z0..z0 + slices as isize {
                if !(0..depth).contains(&z) {
                    slab.resize(slab.len() + rows * columns, 0.0);
                    continue;
                }
                for y in y0..y0 + rows as isize {
                    if !(0..height).contains(&y) {
                        slab.resize(slab.len() + columns, 0.0);
                        continue;
                    }
                    let row = ((z * height + y) * width) as usize + from;
                    slab.resize(slab.len() + before, 0.0);
                    slab.extend_from_slice(&values[row..row + copied]);
                    slab.resize(slab.len() + after, 0.0);
                }
            }
        }
    }
}
