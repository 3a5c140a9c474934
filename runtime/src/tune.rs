//! Which device, precision and number of threads is fastest on this machine, and still right.
//!
//! Every combination that opens is warmed up, compared with the processor in the artefact's own
//! precision on windows of real images or on a random patch, and timed. What is too far off is never
//! chosen, however fast. [`Tunings`] remembers what passed.

mod bounds;
mod record;
mod windows;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use self::windows::Windows;
pub use self::{
    bounds::{Bounds, LeastLabel},
    record::{Tuned, Tunings},
};
use crate::{
    ConvSearch, CudaOptions, Device, EngineKind, EngineOptions, Pieces, Precision, RuntimeError,
    Sample,
};

/// What to try.
#[derive(Debug, Clone)]
pub struct TuneOptions {
    /// The library; a process can try one only.
    pub library: PathBuf,
    /// On what, and in which numbers each.
    pub on: Vec<(Device, Vec<Precision>)>,
    /// With how many threads.
    pub threads: Vec<NonZeroUsize>,
    /// Passes of one window that are timed, after all were compared.
    pub repeats: NonZeroUsize,
    /// Windows of real images to compare on; without any it is a random patch.
    pub samples: Vec<Sample>,
    /// Seed of the random patch.
    pub seed: u64,
}

/// One combination and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// On what.
    pub device: Device,
    /// In which numbers.
    pub precision: Precision,
    /// With how many threads.
    pub threads: usize,
    /// Which of cuDNN's convolutions, on CUDA.
    pub conv_search: Option<ConvSearch>,
    /// Whether launches are recorded in a CUDA graph and replayed.
    pub graph: bool,
    /// Whether normalisation is our own.
    pub own_norm: bool,
    /// The library.
    pub library: PathBuf,
    /// The engine's name and version.
    pub engine: Option<String>,
    /// Seconds to open the model.
    pub open_s: Option<f64>,
    /// Median of a window's time in milliseconds.
    pub median_ms: Option<f64>,
    /// Largest difference of two logits from the reference, divided by the largest logit.
    pub max_rel: Option<f64>,
    /// Share of voxels whose label differs from the reference.
    pub flipped: Option<f64>,
    /// The label that is least like the reference's; of a random patch none.
    pub least: Option<LeastLabel>,
    /// Why it cannot be chosen; none if it can.
    pub failure: Option<String>,
}

/// Tries all combinations with one library, in the order of `options`.
///
/// The reference is the same library's own provider on the processor, in the artefact's precision.
/// On a random patch one task, the first, stands for all: they share all but the prompt. A pair is
/// opened and timed as a pair, its encoder and its decoder once a window. `progress` is called with
/// each row as it is done.
///
/// Errors: the reference cannot be computed, or finds no label in the images
/// ([`RuntimeError::NothingToCompare`]). A combination that fails is a row that says why.
pub fn tune(
    pieces: &Pieces,
    options: &TuneOptions,
    progress: &mut dyn FnMut(&Tried),
) -> Result<Vec<Tried>, RuntimeError> {
    let windows = Windows::of(pieces, options)?;
    let mut rows = Vec::new();
    for (device, precisions) in &options.on {
        let device = *device;
        let searches: Vec<Option<ConvSearch>> = match device {
            Device::Cuda(_) => ConvSearch::ALL.into_iter().map(Some).collect(),
            _ => vec![None],
        };
        // A GPU does not use the processor's threads.
        let threads = match device {
            Device::Cuda(_) | Device::TensorRt(_) => options.threads.get(..1).unwrap_or_default(),
            _ => &options.threads,
        };
        for &precision in precisions {
            for &threads in threads {
                let tried = rows.len();
                for &search in &searches {
                    let row = Tried::new(options, device, precision, threads, search);
                    rows.push(attempt(&windows, pieces, options, row, progress));
                }
                let Some(fastest) = fastest_on_cuda(&rows[tried..]) else {
                    continue;
                };
                let search = fastest.conv_search;
                // Whichever the convolutions. A graph takes one shape only.
                for (graph, own_norm) in [(true, false), (false, true), (true, true)] {
                    if graph && pieces.model().batches() {
                        continue;
                    }
                    let row = Tried {
                        graph,
                        own_norm,
                        ..Tried::new(options, device, precision, threads, search)
                    };
                    rows.push(attempt(&windows, pieces, options, row, progress));
                }
            }
        }
    }
    Ok(rows)
}

/// Opens and measures the combination of `row`.
fn attempt(
    windows: &Windows,
    pieces: &Pieces,
    options: &TuneOptions,
    mut row: Tried,
    progress: &mut dyn FnMut(&Tried),
) -> Tried {
    let wanted = EngineOptions {
        kind: EngineKind::Ort,
        threads: NonZeroUsize::new(row.threads),
        ort_lib: Some(options.library.clone()),
        device: row.device,
        precision: row.precision,
        cuda: CudaOptions {
            // Anything but none: what is remembered must not decide what is measured.
            conv_search: matches!(row.device, Device::Cuda(_) | Device::TensorRt(_))
                .then(|| row.conv_search.unwrap_or_default()),
            graph: Some(row.graph),
            own_norm: Some(row.own_norm),
            ..CudaOptions::default()
        },
        ..EngineOptions::default()
    };
    let start = Instant::now();
    let opened = pieces.clone().open_engines(&wanted, 1);
    let measured = opened.and_then(|mut engines| {
        row.open_s = Some(start.elapsed().as_secs_f64());
        row.engine = Some(engines.name().to_owned());
        windows.measure(engines.predictor(), options.repeats, &mut row)
    });
    row.failure = match measured {
        Err(error) => Some(error.with_causes()),
        Ok(()) => row.too_far(),
    };
    progress(&row);
    row
}

/// The fastest of the rows, if they are CUDA's.
fn fastest_on_cuda(rows: &[Tried]) -> Option<&Tried> {
    rows.iter()
        .filter(|row| matches!(row.device, Device::Cuda(_)) && row.failure.is_none())
        .filter_map(|row| Some((row, row.median_ms?)))
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(row, _)| row)
}

impl Tried {
    /// A combination that nothing is known of yet.
    fn new(
        options: &TuneOptions,
        device: Device,
        precision: Precision,
        threads: NonZeroUsize,
        conv_search: Option<ConvSearch>,
    ) -> Tried {
        Tried {
            device,
            precision,
            threads: threads.get(),
            conv_search,
            graph: false,
            own_norm: false,
            library: options.library.clone(),
            engine: None,
            open_s: None,
            median_ms: None,
            max_rel: None,
            flipped: None,
            least: None,
            failure: None,
        }
    }

    /// Why the result is not close enough to the reference, if it is not.
    fn too_far(&self) -> Option<String> {
        let (rel, share) = (self.max_rel?, self.flipped?);
        if let Some(least) = &self.least {
            // Logits are bounded in f32 only: in other numbers it is labels that must agree.
            let exact = matches!(self.precision, Precision::F32 | Precision::Auto);
            let loose = !exact && rel.is_finite();
            if loose || rel <= Bounds::of(self.precision).max_rel {
                return least.too_far(self.precision);
            }
        }
        let Bounds { max_rel, flipped } = Bounds::of(self.precision);
        // Written so that a difference that is not a number fails.
        if rel <= max_rel && share <= flipped {
            return None;
        }
        Some(format!(
            "too far from the cpu's result: logits differ by {rel:.1e} (bound {max_rel:.0e}), \
             labels in {:.2} % of the voxels (bound {:.2} %)",
            100.0 * share,
            100.0 * flipped
        ))
    }

    /// How it ran on CUDA; see [`Tuned::on_cuda`].
    pub fn on_cuda(&self) -> Option<String> {
        record::on_cuda(self.conv_search, self.graph, self.own_norm)
    }

    /// Whether `known` is what was tried here, perhaps with other options for CUDA.
    pub fn is_of(&self, known: &Tuned) -> bool {
        (self.device, self.precision, self.threads)
            == (known.device, known.precision, known.threads)
            && absolute(&self.library) == known.library
    }

    /// What is remembered of a row, if it passed.
    pub fn tuned(&self) -> Option<Tuned> {
        if self.failure.is_some() {
            return None;
        }
        Some(Tuned {
            device: self.device,
            precision: self.precision,
            threads: self.threads,
            conv_search: self.conv_search,
            graph: self.graph,
            own_norm: self.own_norm,
            library: absolute(&self.library),
            version: record::library_version(&self.library),
            median_ms: self.median_ms?,
        })
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(precision: Precision, max_rel: f64, flipped: f64) -> Tried {
        Tried {
            device: Device::OpenVino,
            precision,
            threads: 2,
            conv_search: None,
            graph: false,
            own_norm: false,
            library: "lib".into(),
            engine: None,
            open_s: None,
            median_ms: Some(1.0),
            max_rel: Some(max_rel),
            flipped: Some(flipped),
            least: None,
            failure: None,
        }
    }

    #[test]
    fn the_bounds_are_the_precisions() {
        assert_eq!(row(Precision::F32, 1e-4, 1e-4).too_far(), None);
        assert!(row(Precision::F32, 2e-3, 0.0).too_far().is_some());
        assert_eq!(row(Precision::Bf16, 2e-2, 4e-3).too_far(), None);
        assert!(row(Precision::Bf16, f64::NAN, 0.0).too_far().is_some());
        assert_eq!(
            row(Precision::Bf16, 2e-2, 6e-3).too_far().as_deref(),
            Some(
                "too far from the cpu's result: logits differ by 2.0e-2 (bound 1e-1), labels in \
                 0.60 % of the voxels (bound 0.50 %)"
            )
        );
    }

    #[test]
    fn on_images_labels_are_bounded_and_logits_in_f32_only() {
        let on_image = |precision, max_rel| Tried {
            least: Some(LeastLabel {
                task: "liver".to_owned(),
                label: "liver".to_owned(),
                voxels: 5_000,
                differing: 4,
                dice: 0.9996,
            }),
            ..row(precision, max_rel, 0.1)
        };
        let fails = |precision, max_rel| on_image(precision, max_rel).too_far().is_some();
        assert!(!fails(Precision::F32, 1e-4));
        assert!(fails(Precision::F32, 2e-3));
        assert!(!fails(Precision::Bf16, 0.4));
        // Logits that are no numbers.
        assert!(fails(Precision::Bf16, f64::INFINITY));
        assert!(fails(Precision::Bf16, f64::NAN));
    }

    #[test]
    fn a_graph_is_tried_with_the_fastest_search_of_cuda() {
        let on = |device, conv_search, median_ms| Tried {
            device,
            conv_search: Some(conv_search),
            median_ms,
            ..row(Precision::F32, 0.0, 0.0)
        };
        let mut failed = on(Device::Cuda(0), ConvSearch::Default, Some(0.5));
        failed.failure = Some("no".to_owned());
        let rows = [
            on(Device::Cuda(0), ConvSearch::Exhaustive, Some(2.0)),
            on(Device::Cuda(0), ConvSearch::Heuristic, Some(1.0)),
            failed,
        ];
        assert_eq!(fastest_on_cuda(&rows), Some(&rows[1]));
        assert_eq!(fastest_on_cuda(&rows[2..]), None);
        assert_eq!(fastest_on_cuda(&[row(Precision::F32, 0.0, 0.0)]), None);
    }

    #[test]
    fn only_what_passed_is_remembered() {
        assert!(row(Precision::F32, 0.0, 0.0).tuned().is_some());
        let mut failed = row(Precision::F32, 0.0, 0.0);
        failed.failure = Some("no".to_owned());
        assert_eq!(failed.tuned(), None);
    }

    #[test]
    fn a_pair_is_tried_as_a_pair() {
        use crate::testing::graphs::{decoder, encoder};

        let library = crate::find_ort(None).unwrap().expect("ONNX Runtime");
        let options = TuneOptions {
            library: library.path().to_owned(),
            on: vec![(Device::Cpu, vec![Precision::F32])],
            threads: vec![NonZeroUsize::MIN],
            repeats: NonZeroUsize::MIN,
            samples: Vec::new(),
            seed: 0,
        };
        let pair = Pieces::of(decoder(), Some(encoder()));
        let mut seen = 0;
        let rows = tune(&pair, &options, &mut |_| seen += 1).unwrap();
        assert_eq!((rows.len(), seen), (1, 1));
        assert_eq!(
            (rows[0].failure.as_deref(), rows[0].max_rel),
            (None, Some(0.0))
        );
        assert!(rows[0].tuned().is_some());
        // On windows of images labels are compared, if there are any.
        let on = |image| TuneOptions {
            samples: vec![Sample {
                task: pair.model().manifest().tasks[0].clone(),
                image,
            }],
            ..options.clone()
        };
        let image = crate::testing::graphs::windows(1, 0);
        let rows = tune(&pair, &on(image.clone()), &mut |_| ()).unwrap();
        let least = rows[0].least.as_ref().unwrap();
        assert!(least.voxels > 0 && least.dice == 1.0, "{least:?}");
        let error = tune(&pair, &on(0.0 * image), &mut |_| ()).unwrap_err();
        assert!(matches!(
            error,
            RuntimeError::NothingToCompare { windows: 1 }
        ));
        // One half alone has no logits.
        tune(&encoder().into(), &options, &mut |_| ()).unwrap_err();
    }
}
