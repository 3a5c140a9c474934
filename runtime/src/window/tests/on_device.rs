//! Windows that are summed where the network computes: which, how often, and how many planes wait.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use ndarray::ArrayView5;

use super::*;
use crate::{EachTask, Lent, Placed, Predictor, Sums};

/// A task, a place in the sums, and a mirror view.
type Item = (usize, [Range<usize>; 3], [bool; 3]);

/// What a device was asked to do.
#[derive(Default)]
struct Ledger {
    /// How often each was added.
    added: HashMap<Item, usize>,
    /// Adds until one is out of memory, if one is to be.
    until_full: Option<usize>,
    /// Slabs that were taken.
    taken: usize,
}

/// A network on a device that sums nothing but notes what it should.
struct Elsewhere {
    ledger: Arc<Mutex<Ledger>>,
    /// Most windows of a call.
    room: usize,
    calls: Vec<usize>,
}

struct Noted {
    ledger: Arc<Mutex<Ledger>>,
    classes: Vec<usize>,
    plane: [usize; 2],
}

impl Elsewhere {
    fn new(room: usize) -> Elsewhere {
        Elsewhere {
            ledger: Arc::default(),
            room,
            calls: Vec::new(),
        }
    }
}

fn out_of_memory() -> RuntimeError {
    RuntimeError::OutOfMemory {
        engine: "elsewhere".to_owned(),
        source: "CUDA failure 2: out of memory".into(),
    }
}

impl Predictor for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn batches(&self) -> bool {
        true
    }

    fn leaves_the_processor(&self) -> bool {
        true
    }

    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError> {
        let (windows, _, d, h, w) = image.dim();
        self.calls.push(windows);
        for index in 0..tasks.len() {
            // The second decoder is the one that does not fit, after the first was served.
            if windows > self.room && index + 1 == tasks.len() {
                return Err(out_of_memory());
            }
            let mut logits = Array5::zeros((windows, 4, d, h, w));
            each(index, logits.view_mut().into())?;
        }
        Ok(())
    }

    fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        Ok(Some(Box::new(Noted {
            ledger: self.ledger.clone(),
            classes: of.classes.to_vec(),
            plane: of.plane,
        })))
    }
}

impl Sums for Noted {
    fn add(&mut self, _: &Lent<'_>, placed: &Placed) -> Result<(), RuntimeError> {
        let mut ledger = self.ledger.lock().unwrap();
        if let Some(left) = &mut ledger.until_full {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => {
                    ledger.until_full = None;
                    return Err(out_of_memory());
                }
            }
        }
        let key = (placed.task, placed.sums.clone(), placed.flips);
        *ledger.added.entry(key).or_default() += 1;
        Ok(())
    }

    fn take(&mut self, task: usize, planes: usize) -> Result<Array4<f32>, RuntimeError> {
        self.ledger.lock().unwrap().taken += 1;
        let [y, x] = self.plane;
        Ok(Array4::ones((self.classes[task], planes, y, x)))
    }
}

/// Slides two tasks over a volume with mirroring, eight windows at a time.
fn slide(
    predictor: &mut dyn Predictor,
    extent: [usize; 3],
    each: &mut (dyn FnMut(Slab) + Send),
) -> WindowReport {
    let manifest = testing::manifest();
    let mut options = WindowOptions::of(&manifest);
    options.batch = NonZeroUsize::new(8).unwrap();
    options.mirror = true;
    let channels = ramp(1, extent);
    let run = WindowRun {
        manifest: &manifest,
        tasks: &[&manifest.tasks[0], &manifest.tasks[2]],
        channels: channels.view(),
        region: None,
        options: &options,
        cancel: &CancelToken::new(),
    };
    predict_slabs(predictor, run, &mut |_| (), &mut |slab| {
        each(slab);
        Ok(())
    })
    .unwrap()
}

#[test]
fn every_view_of_every_window_is_summed_once_also_where_memory_runs_out() {
    // One row of windows along z, so that places tell windows apart.
    let extent = [4, 9, 17];
    let views = WindowOptions {
        mirror: true,
        ..WindowOptions::of(&testing::manifest())
    }
    .views(&testing::manifest());
    for (room, until_full) in [
        (8, None),
        (2, None),
        (8, Some(3)),
        (8, Some(13)),
        (3, Some(1)),
    ] {
        let mut predictor = Elsewhere::new(room);
        predictor.ledger.lock().unwrap().until_full = until_full;
        let report = slide(&mut predictor, extent, &mut |_| ());
        let ledger = predictor.ledger.lock().unwrap();
        assert_eq!(ledger.added.len(), 2 * views * report.windows, "{room}");
        assert!(ledger.added.values().all(|times| *times == 1), "{room}");
        assert_eq!(ledger.until_full, None, "it did run out");
        if room < 8 || until_full.is_some() {
            assert!(predictor.calls.iter().any(|windows| *windows < 8));
        }
    }
}

#[test]
fn planes_do_not_pile_up_behind_who_takes_them() {
    let mut predictor = Elsewhere::new(usize::MAX);
    let ledger = predictor.ledger.clone();
    let (mut seen, mut most) = (0, 0);
    slide(&mut predictor, [60, 6, 8], &mut |_| {
        std::thread::sleep(Duration::from_millis(3));
        most = most.max(ledger.lock().unwrap().taken - seen);
        seen += 1;
    });
    assert!(seen > 20, "{seen} slabs");
    // Those of two tasks that are handed on, two that wait and one that is on its way.
    assert!(most <= 5, "{most}");
}
