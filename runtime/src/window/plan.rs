//! Where the windows lie: nnU-Net v1's positions, and which part of each is real image.

use std::ops::Range;

use crate::RuntimeError;

/// The positions of a sliding window over one volume.
///
/// Source: nnU-Net v1, `_compute_steps_for_sliding_window`. Along each axis the number of steps
/// is `ceil((size - patch) / (patch * step)) + 1`, the first window starts at 0, the last one
/// ends at the border, and the starts between are spread evenly and rounded half to even, as
/// `numpy.round` does. An axis shorter than the patch is padded to it first, half of the missing
/// voxels (rounded down) in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowPlan {
    axes: [AxisPlan; 3],
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AxisPlan {
    size: usize,
    patch: usize,
    /// Voxels of padding in front; zero unless the axis is shorter than the patch.
    below: usize,
    /// Starts on the padded axis.
    starts: Vec<usize>,
}

/// One window: the voxels of the volume that it sees, and where they lie in the patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Voxels of the volume, (z, y, x).
    pub volume: [Range<usize>; 3],
    /// The same voxels inside the patch, (z, y, x); the rest of the patch is padding.
    pub patch: [Range<usize>; 3],
}

impl WindowPlan {
    /// Plans windows of `patch` voxels over a volume of `extent` voxels, both (z, y, x).
    ///
    /// `step` is the distance of two windows as a fraction of the patch, in (0, 1].
    ///
    /// Errors: [`RuntimeError::WindowStep`] if `step` is no such fraction or shorter than a voxel,
    /// [`RuntimeError::EmptyVolume`] if the volume or the patch has no voxels.
    pub fn new(
        extent: [usize; 3],
        patch: [usize; 3],
        step: f64,
    ) -> Result<WindowPlan, RuntimeError> {
        if extent.contains(&0) || patch.contains(&0) {
            return Err(RuntimeError::EmptyVolume { extent, patch });
        }
        let shortest = patch.into_iter().min().unwrap_or(1);
        if !(step > 0.0 && step <= 1.0 && step * shortest as f64 >= 1.0) {
            return Err(RuntimeError::WindowStep {
                step,
                shortest: 1.0 / shortest as f64,
            });
        }
        Ok(WindowPlan {
            axes: std::array::from_fn(|axis| AxisPlan::new(extent[axis], patch[axis], step)),
        })
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.starts.len()).product()
    }

    /// Always false: a plan has at least one window.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Starts of the windows along z, y and x, on the padded volume.
    pub fn starts(&self) -> [&[usize]; 3] {
        std::array::from_fn(|axis| self.axes[axis].starts.as_slice())
    }

    /// All windows, x fastest.
    pub fn windows(&self) -> impl Iterator<Item = Window> + '_ {
        self.rows().flatten()
    }

    /// The windows that start on one plane, for each such plane from the first to the last.
    pub(super) fn rows(&self) -> impl Iterator<Item = Vec<Window>> + '_ {
        let [z, y, x] = &self.axes;
        z.starts.iter().map(move |&z0| {
            let starts = y
                .starts
                .iter()
                .flat_map(|&y0| x.starts.iter().map(move |&x0| [y0, x0]));
            starts.map(|[y0, x0]| self.window([z0, y0, x0])).collect()
        })
    }

    fn window(&self, starts: [usize; 3]) -> Window {
        let spans: [(Range<usize>, Range<usize>); 3] =
            std::array::from_fn(|axis| self.axes[axis].span(starts[axis]));
        Window {
            volume: std::array::from_fn(|axis| spans[axis].0.clone()),
            patch: std::array::from_fn(|axis| spans[axis].1.clone()),
        }
    }
}

impl AxisPlan {
    fn new(size: usize, patch: usize, step: f64) -> AxisPlan {
        let padded = size.max(patch);
        let travel = (padded - patch) as f64;
        let steps = (travel / (patch as f64 * step)).ceil() as usize + 1;
        // One step only happens without travel, where any distance gives the start 0.
        let distance = travel / steps.saturating_sub(1).max(1) as f64;
        let starts = (0..steps)
            .map(|i| (distance * i as f64).round_ties_even() as usize)
            .collect();
        AxisPlan {
            size,
            patch,
            below: (padded - size) / 2,
            starts,
        }
    }

    /// Voxels of the volume seen by the window that starts at `start`, and their place in it.
    fn span(&self, start: usize) -> (Range<usize>, Range<usize>) {
        if self.size < self.patch {
            (0..self.size, self.below..self.below + self.size)
        } else {
            (start..start + self.patch, 0..self.patch)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_axis_is_padded_with_the_smaller_half_in_front() {
        let plan = WindowPlan::new([5, 8, 9], [8, 8, 8], 0.5).unwrap();
        assert_eq!(plan.starts(), [&[0][..], &[0][..], &[0, 1][..]]);
        let first = plan.windows().next().unwrap();
        assert_eq!(first.volume[0], 0..5);
        assert_eq!(first.patch[0], 1..6);
        assert_eq!(plan.windows().count(), plan.len());
    }

    #[test]
    fn bad_steps_and_empty_volumes_are_errors() {
        for step in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY, 0.01] {
            let error = WindowPlan::new([9, 9, 9], [4, 8, 8], step).unwrap_err();
            assert!(
                matches!(error, RuntimeError::WindowStep { .. }),
                "{step}: {error}"
            );
        }
        assert!(WindowPlan::new([0, 9, 9], [4, 4, 4], 0.5).is_err());
        assert!(WindowPlan::new([9, 9, 9], [4, 0, 4], 0.5).is_err());
    }

    proptest! {
        #[test]
        fn windows_cover_every_voxel_and_stay_inside(
            extent in [1usize..40, 1usize..40, 1usize..40],
            patch in [2usize..16, 2usize..16, 2usize..16],
            step in 0.5f64..=1.0,
        ) {
            let plan = WindowPlan::new(extent, patch, step).unwrap();
            let mut seen = ndarray::Array3::<bool>::from_elem(extent, false);
            for window in plan.windows() {
                for axis in 0..3 {
                    prop_assert!(window.volume[axis].end <= extent[axis]);
                    prop_assert!(window.patch[axis].end <= patch[axis]);
                    prop_assert_eq!(window.volume[axis].len(), window.patch[axis].len());
                }
                let [z, y, x] = window.volume;
                seen.slice_mut(ndarray::s![z, y, x]).fill(true);
            }
            prop_assert!(seen.iter().all(|&covered| covered));
        }
    }
}
