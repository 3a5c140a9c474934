//! A first look at half the resolution: where there can be foreground.

use ndarray::{Array3, Array4, Axis, s};
use uniseg_imaging::{Extent, Interpolation, Preprocessed, resample};

use super::Request;
use crate::{Predictor, RuntimeError, WindowOptions, WindowRun, predict_slabs};

/// How many voxels of the network's grid a voxel of the first look spans along each axis.
const COARSE: usize = 2;

/// Foreground is looked for where its classes together reach this probability: far below what
/// wins, because the network sees a scale that it was not trained for.
const POSSIBLE: f32 = 0.1;

/// Voxels of the first look by which what was found is widened on every side.
const MARGIN: usize = 4;

/// Where any of the tasks can have foreground, (z, y, x) on the network's grid; nothing if one of
/// them was not seen, which at this resolution says too little to leave windows out.
///
/// The windows of this pass do not overlap, so it costs about an eighth of the windows of a pass
/// without overlap.
///
/// Errors: those of [`predict_slabs`] and of resampling.
pub(super) fn region(
    predictor: &mut dyn Predictor,
    request: &Request<'_>,
    prepared: &Preprocessed,
) -> Result<Option<Array3<bool>>, RuntimeError> {
    let (channels, z, y, x) = prepared.channels.dim();
    let small = [z, y, x].map(|size| size.div_ceil(COARSE));
    let mut coarse = Array4::zeros((channels, small[0], small[1], small[2]));
    for (mut to, from) in coarse.outer_iter_mut().zip(prepared.channels.outer_iter()) {
        let extent = Extent::from_zyx(small);
        let image = resample(from, extent, Interpolation::Linear, None).map_err(|source| {
            RuntimeError::Preprocess {
                images: Box::new(["the case at half its resolution".to_owned()]),
                task: request
                    .tasks
                    .first()
                    .map_or(String::new(), |task| task.name.clone()),
                source,
            }
        })?;
        to.assign(&image);
    }
    let options = WindowOptions {
        step: 1.0,
        mirror: false,
        ..*request.options
    };
    let run = WindowRun {
        manifest: request.manifest,
        tasks: request.tasks,
        channels: coarse.view(),
        region: None,
        options: &options,
        cancel: request.cancel,
    };
    let mut seen = Array3::from_elem(small, false);
    let mut found = vec![false; request.tasks.len()];
    predict_slabs(predictor, run, &mut |_| (), &mut |slab| {
        let planes = slab.probabilities;
        let foreground = planes.slice(s![1.., .., .., ..]).sum_axis(Axis(0));
        let end = slab.first + foreground.dim().0;
        let mut at = seen.slice_mut(s![slab.first..end, .., ..]);
        let found = &mut found[slab.task];
        at.zip_mut_with(&foreground, |seen, share| {
            let possible = *share >= POSSIBLE;
            *seen |= possible;
            *found |= possible;
        });
        Ok(())
    })?;
    if found.contains(&false) {
        return Ok(None);
    }
    for axis in 0..3 {
        seen = widened(&seen, Axis(axis));
    }
    Ok(Some(Array3::from_shape_fn((z, y, x), |(z, y, x)| {
        seen[[z / COARSE, y / COARSE, x / COARSE]]
    })))
}

/// What was seen, and [`MARGIN`] voxels to both sides of it along an axis.
fn widened(seen: &Array3<bool>, axis: Axis) -> Array3<bool> {
    let mut wide = seen.clone();
    for (mut to, from) in wide.lanes_mut(axis).into_iter().zip(seen.lanes(axis)) {
        let last = from.len().saturating_sub(1);
        for (place, _) in from.iter().enumerate().filter(|(_, seen)| **seen) {
            let (start, end) = (place.saturating_sub(MARGIN), (place + MARGIN).min(last));
            to.slice_mut(s![start..=end]).fill(true);
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_grows_by_the_margin_and_stays_inside() {
        let mut seen = Array3::from_elem((1, 2, 12), false);
        seen[[0, 1, 2]] = true;
        let wide = widened(&seen, Axis(2));
        let row: Vec<bool> = wide.slice(s![0, 1, ..]).to_vec();
        assert_eq!(row, (0..12).map(|x| x <= 6).collect::<Vec<_>>());
        assert!(wide.slice(s![0, 0, ..]).iter().all(|seen| !seen));
    }
}
