//! Slabs, batches, empty windows and cancelling.

use std::sync::{Arc, Condvar, Mutex};

use ndarray::{Array5, ArrayView5};

use super::*;
use crate::{EachTask, Predictor};

/// Logit of class `k` is `k` times the sum of the slots, plus the task on class 1; more than
/// `room` windows at a time are too many.
struct Roomy {
    room: usize,
    /// Windows of each call that was made.
    calls: Vec<usize>,
    /// Whether it says that it computes elsewhere.
    elsewhere: bool,
    /// Done as a call begins.
    on_call: Box<dyn FnMut()>,
}

impl Roomy {
    fn of(room: usize) -> Roomy {
        Roomy {
            room,
            calls: Vec::new(),
            elsewhere: false,
            on_call: Box::new(|| ()),
        }
    }

    fn elsewhere(self) -> Roomy {
        Roomy {
            elsewhere: true,
            ..self
        }
    }
}

impl Predictor for Roomy {
    fn name(&self) -> &str {
        "roomy"
    }

    fn batches(&self) -> bool {
        true
    }

    fn leaves_the_processor(&self) -> bool {
        self.elsewhere
    }

    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError> {
        let (windows, _, d, h, w) = image.dim();
        self.calls.push(windows);
        (self.on_call)();
        for (index, task) in tasks.iter().enumerate() {
            // The second decoder is the one that does not fit, after the first was served.
            if windows > self.room && index + 1 == tasks.len() {
                return Err(RuntimeError::Run {
                    engine: "roomy".to_owned(),
                    source: "CUDA failure 2: out of memory".into(),
                });
            }
            let sum = image.sum_axis(Axis(1));
            let mut logits = Array5::zeros((windows, 4, d, h, w));
            for class in 0..4 {
                let shift = if class == 1 { *task as f32 } else { 0.0 };
                let value = sum.mapv(|v| v * class as f32 + shift);
                logits.index_axis_mut(Axis(1), class).assign(&value);
            }
            each(index, logits.view_mut().into())?;
        }
        Ok(())
    }
}

/// All slabs of tasks 0 and, on the same image, 2, joined; and what sliding took.
fn slide(
    predictor: &mut dyn Predictor,
    channels: &Array4<f32>,
    change: impl FnOnce(&mut WindowOptions),
    cancel: &CancelToken,
    seen: &mut dyn FnMut(WindowProgress),
) -> Result<(Vec<Array4<f32>>, WindowReport), RuntimeError> {
    let manifest = testing::manifest();
    let mut options = WindowOptions::of(&manifest);
    change(&mut options);
    let tasks = [&manifest.tasks[0], &manifest.tasks[2]];
    let (_, z, y, x) = channels.dim();
    let mut whole: Vec<_> = tasks
        .iter()
        .map(|task| Array4::zeros((task.labels.len(), z, y, x)))
        .collect();
    let mut next = [0, 0];
    let run = WindowRun {
        manifest: &manifest,
        tasks: &tasks,
        channels: channels.view(),
        region: None,
        options: &options,
        cancel,
    };
    let report = predict_slabs(predictor, run, seen, &mut |slab| {
        assert_eq!(slab.first, next[slab.task], "slabs come in order");
        // A slab is as thick as the window's step, or what is left at the end.
        assert!(slab.probabilities.dim().1 <= manifest.network.patch_zyx[0]);
        next[slab.task] += slab.probabilities.dim().1;
        let mut planes = whole[slab.task].slice_mut(s![.., slab.first..next[slab.task], .., ..]);
        planes.assign(&slab.probabilities);
        Ok(())
    })?;
    assert_eq!(next, [z, z]);
    Ok((whole, report))
}

fn quiet(predictor: &mut dyn Predictor, channels: &Array4<f32>, batch: usize) -> Vec<Array4<f32>> {
    let change = |options: &mut WindowOptions| {
        options.batch = NonZeroUsize::new(batch).unwrap();
        options.mirror = true;
    };
    slide(
        predictor,
        channels,
        change,
        &CancelToken::new(),
        &mut |_| (),
    )
    .unwrap()
    .0
}

#[test]
fn batches_and_tasks_together_change_no_bit() {
    let channels = ramp(1, [13, 11, 17]);
    let mut alone = Roomy::of(usize::MAX);
    let one = quiet(&mut alone, &channels, 1);
    assert!(alone.calls.iter().all(|windows| *windows == 1));
    let mut wide = Roomy::of(usize::MAX);
    assert_eq!(quiet(&mut wide, &channels, 5), one);
    for batch in [1, 5] {
        let mut elsewhere = Roomy::of(usize::MAX).elsewhere();
        assert_eq!(quiet(&mut elsewhere, &channels, batch), one);
    }
    assert!(wide.calls.contains(&5) && wide.calls.len() < alone.calls.len() / 4);
    for (index, task) in [(0, 0), (1, 2)] {
        assert_eq!(run(&mut Toy::sum(), &channels, task, true), one[index]);
    }
}

#[test]
fn a_call_that_runs_out_of_memory_is_made_again_with_half_the_batch() {
    let channels = ramp(1, [6, 9, 17]);
    let expected = quiet(&mut Roomy::of(8), &channels, 8);
    for mut tight in [Roomy::of(2), Roomy::of(2).elsewhere()] {
        let mut batches = Vec::new();
        let change = |options: &mut WindowOptions| {
            options.batch = NonZeroUsize::new(8).unwrap();
            options.mirror = true;
        };
        let (found, _) = slide(
            &mut tight,
            &channels,
            change,
            &CancelToken::new(),
            &mut |progress| batches.push(progress.batch),
        )
        .unwrap();
        assert_eq!(found, expected);
        assert_eq!(tight.calls[..3], [8, 4, 2]);
        assert!(tight.calls[3..].iter().all(|windows| *windows <= 2));
        assert_eq!((batches[0], *batches.last().unwrap()), (8, 2));
    }

    let error = slide(
        &mut Roomy::of(0),
        &channels,
        |_| (),
        &CancelToken::new(),
        &mut |_| (),
    );
    assert!(error.unwrap_err().is_out_of_memory(), "one does not fit");
}

#[test]
fn a_network_that_computes_elsewhere_does_not_wait_for_the_last_window() {
    let manifest = testing::manifest();
    let channels = ramp(1, [20, 6, 8]);
    let options = WindowOptions::of(&manifest);
    let run = WindowRun {
        manifest: &manifest,
        tasks: &[&manifest.tasks[0]],
        channels: channels.view(),
        region: None,
        options: &options,
        cancel: &CancelToken::new(),
    };
    let calls = Arc::new((Mutex::new(0), Condvar::new()));
    let counted = Arc::clone(&calls);
    let mut predictor = Roomy::of(1).elsewhere();
    predictor.on_call = Box::new(move || {
        *counted.0.lock().unwrap() += 1;
        counted.1.notify_all();
    });
    let mut first = true;
    let report = predict_slabs(&mut predictor, run, &mut |_| (), &mut |_| {
        // The first planes are not taken before the network has begun with two more windows.
        if std::mem::take(&mut first) {
            let (count, changed) = &*calls;
            let count = count.lock().unwrap();
            let begun = *count;
            let long = Duration::from_secs(30);
            let waited = changed
                .wait_timeout_while(count, long, |count| *count < 3)
                .unwrap()
                .1;
            assert!(!waited.timed_out(), "it stopped at {begun}");
        }
        Ok(())
    });
    assert!(report.unwrap().windows > 3);

    // What goes wrong behind the network ends it, and is what is told.
    let error = predict_slabs(&mut predictor, run, &mut |_| (), &mut |_| {
        Err(RuntimeError::NoImages)
    });
    assert!(matches!(error, Err(RuntimeError::NoImages)), "{error:?}");
    let bad = channels.mapv(|_| f32::NAN);
    let run = WindowRun {
        channels: bad.view(),
        ..run
    };
    let error = predict_slabs(&mut predictor, run, &mut |_| (), &mut |_| Ok(()));
    assert!(
        matches!(error, Err(RuntimeError::NotFinite { .. })),
        "{error:?}"
    );
}

#[test]
fn windows_of_air_are_background_and_the_network_never_sees_them() {
    // Air but for a block in the middle of one end.
    let mut channels = Array4::zeros((1, 16, 6, 8));
    channels.slice_mut(s![.., 2..5, 2..4, 3..6]).fill(0.8);
    let count = |skip: bool| {
        let mut roomy = Roomy::of(8);
        let change = |options: &mut WindowOptions| options.skip = skip;
        let slid = slide(
            &mut roomy,
            &channels,
            change,
            &CancelToken::new(),
            &mut |_| (),
        );
        let (found, report) = slid.unwrap();
        assert_eq!(roomy.calls.len(), report.windows - report.skipped);
        (found, report)
    };
    let (with, skipped) = count(true);
    let (without, all) = count(false);
    assert_eq!((all.skipped, skipped.windows), (0, all.windows));
    assert!(skipped.skipped > all.windows / 2, "{skipped:?}");
    let body = s![.., 2..4, .., ..];
    assert_eq!(with[0].slice(body), without[0].slice(body));
    let air = with[0].slice(s![.., 12.., .., ..]);
    assert!(air.index_axis(Axis(0), 0).iter().all(|p| *p == 1.0));
    assert!(air.index_axis(Axis(0), 1).iter().all(|p| *p == 0.0));
}

#[test]
fn cancelling_stops_before_the_next_window() {
    let cancel = CancelToken::new();
    let mut roomy = Roomy::of(1);
    let change = |_: &mut WindowOptions| ();
    let stop = &mut |progress: WindowProgress| {
        if progress.done == 2 {
            cancel.cancel();
        }
    };
    let error = slide(&mut roomy, &ramp(1, [20, 6, 8]), change, &cancel, stop).unwrap_err();
    assert!(matches!(error, RuntimeError::Cancelled));
    assert_eq!(roomy.calls.len(), 2);
}

#[test]
fn sums_do_not_grow_with_the_volume() {
    // What a slab holds is what the sums hold: a window's depth, however long the volume is.
    for z in [8, 80] {
        let mut thickest = 0;
        let manifest = testing::manifest();
        let options = WindowOptions::of(&manifest);
        let channels = ramp(1, [z, 6, 8]);
        let run = WindowRun {
            manifest: &manifest,
            tasks: &[&manifest.tasks[0]],
            channels: channels.view(),
            region: None,
            options: &options,
            cancel: &CancelToken::new(),
        };
        predict_slabs(&mut Roomy::of(1), run, &mut |_| (), &mut |slab| {
            thickest = thickest.max(slab.probabilities.dim().1);
            Ok(())
        })
        .unwrap();
        assert_eq!(thickest, manifest.network.patch_zyx[0]);
    }
}
