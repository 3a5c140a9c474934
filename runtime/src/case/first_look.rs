//! A first look: where there can be foreground.

use ndarray::{Array3, Array4, Axis, s};
use uniseg_imaging::{Extent, Interpolation, Preprocessed, resample};

use super::Request;
use crate::{
    FirstLook, Predictor, Region, RuntimeError, WindowOptions, WindowPlan, WindowProgress,
    WindowReport, WindowRun, predict_slabs,
};

/// Foreground is looked for where its classes together reach this probability: below what wins,
/// since a voxel may be seen at a window's edge only. On phantoms (`benches/fast.md`) 0.3 lost
/// nothing, and 0.5 most of a spleen.
const POSSIBLE: f32 = 0.25;

/// The same at half the resolution, for which the network was not trained.
const POSSIBLE_AT_HALF: f32 = 0.1;

/// Voxels of the network's grid by which windows may miss what was seen and are run all the same.
const MARGIN: usize = 8;

/// Where any of the tasks can have foreground, and what looking took. Nothing if one of them was not
/// seen, which says too little to leave windows out, and nothing without a look where one would take
/// more than a third of the windows.
///
/// Errors: those of [`predict_slabs`] and of resampling.
pub(super) fn region(
    predictor: &mut dyn Predictor,
    request: &Request<'_>,
    prepared: &Preprocessed,
    look: FirstLook,
    progress: &mut dyn FnMut(WindowProgress),
) -> Result<(Option<Region>, WindowReport), RuntimeError> {
    let (scale, least) = match look {
        FirstLook::Apart => (1, POSSIBLE),
        FirstLook::Half => (2, POSSIBLE_AT_HALF),
    };
    let (_, z, y, x) = prepared.channels.dim();
    let full = [z, y, x];
    let small = full.map(|size| size.div_ceil(scale));
    let patch = request.manifest.network.patch_zyx;
    let views = request.options.views(request.manifest);
    let windows = views * WindowPlan::new(full, patch, request.options.step)?.len();
    if 3 * WindowPlan::new(small, patch, 1.0)?.len() > windows {
        return Ok((None, WindowReport::default()));
    }
    let at_half = match look {
        FirstLook::Apart => None,
        FirstLook::Half => Some(resampled(request, prepared, small)?),
    };
    let options = WindowOptions {
        step: 1.0,
        mirror: false,
        ..*request.options
    };
    let run = WindowRun {
        manifest: request.manifest,
        tasks: request.tasks,
        channels: at_half.as_ref().unwrap_or(&prepared.channels).view(),
        region: None,
        options: &options,
        cancel: request.cancel,
    };
    let mut seen = Array3::from_elem(small, false);
    let mut found = vec![false; request.tasks.len()];
    let report = predict_slabs(predictor, run, progress, &mut |slab| {
        let planes = slab.probabilities;
        let foreground = planes.slice(s![1.., .., .., ..]).sum_axis(Axis(0));
        let end = slab.first + foreground.dim().0;
        let mut at = seen.slice_mut(s![slab.first..end, .., ..]);
        let found = &mut found[slab.task];
        at.zip_mut_with(&foreground, |seen, share| {
            let possible = *share >= least;
            *seen |= possible;
            *found |= possible;
        });
        Ok(())
    })?;
    let region = (!found.contains(&false)).then_some(Region {
        seen,
        scale,
        margin: MARGIN,
    });
    Ok((region, report))
}

/// The case on fewer voxels, (channel, z, y, x).
fn resampled(
    request: &Request<'_>,
    prepared: &Preprocessed,
    [z, y, x]: [usize; 3],
) -> Result<Array4<f32>, RuntimeError> {
    let channels = prepared.channels.outer_iter();
    let mut resampled = Array4::zeros((channels.len(), z, y, x));
    for (mut to, from) in resampled.outer_iter_mut().zip(channels) {
        let extent = Extent::from_zyx([z, y, x]);
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
    Ok(resampled)
}
