//! One slice between two planes of the network's grid, class by class.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Zip};

use crate::resample::LinearTap;

/// Buffers of one slice.
#[derive(Default)]
pub(super) struct Scratch {
    /// One class between two planes of the target grid.
    plane: Array2<f64>,
    /// One class between two rows of `plane`.
    row: Vec<f64>,
    /// Highest probability so far, on the original grid.
    best: Array2<f64>,
}

impl Scratch {
    pub(super) fn blend_planes(
        &mut self,
        low: ArrayView2<'_, f32>,
        high: ArrayView2<'_, f32>,
        share: f64,
    ) {
        if self.plane.dim() != low.dim() {
            self.plane = Array2::zeros(low.dim());
        }
        Zip::from(&mut self.plane)
            .and(low)
            .and(high)
            .for_each(|out, low, high| {
                *out = blend(f64::from(*low), f64::from(*high), share);
            });
    }

    /// Gives every voxel to this class where it is more probable than all classes before it; the
    /// first class, 0, takes them all.
    pub(super) fn vote(
        &mut self,
        label: u16,
        taps_y: &[LinearTap],
        taps_x: &[LinearTap],
        labels: &mut ArrayViewMut2<'_, u16>,
    ) {
        let first = label == 0;
        if self.best.dim() != labels.dim() {
            self.best = Array2::zeros(labels.dim());
        }
        let Self { plane, row, best } = self;
        let rows = best.outer_iter_mut().zip(labels.outer_iter_mut());
        for ((mut best, mut labels), tap) in rows.zip(taps_y) {
            blend_rows(plane, *tap, row);
            for ((best, voxel), tap) in best.iter_mut().zip(&mut labels).zip(taps_x) {
                let value = blend(row[tap.low], row[tap.high], tap.share);
                if first || value > *best {
                    *best = value;
                    *voxel = label;
                }
            }
        }
    }

    /// Writes this class's probabilities.
    pub(super) fn probabilities(
        &mut self,
        taps_y: &[LinearTap],
        taps_x: &[LinearTap],
        out: &mut ArrayViewMut2<'_, f32>,
    ) {
        let Self { plane, row, .. } = self;
        for (mut out, tap) in out.outer_iter_mut().zip(taps_y) {
            blend_rows(plane, *tap, row);
            for (out, tap) in out.iter_mut().zip(taps_x) {
                *out = blend(row[tap.low], row[tap.high], tap.share) as f32;
            }
        }
    }
}

fn blend_rows(plane: &Array2<f64>, tap: LinearTap, row: &mut Vec<f64>) {
    let (low, high) = (plane.row(tap.low), plane.row(tap.high));
    let pairs = low.iter().zip(high);
    row.clear();
    row.extend(pairs.map(|(low, high)| blend(*low, *high, tap.share)));
}

pub(super) fn blend(low: f64, high: f64, share: f64) -> f64 {
    (1.0 - share) * low + share * high
}
