//! Real volumes for what must be measured: ranges of activations, and what fewer bits cost.

mod disturbance;

use uniseg_export::{CalibrationError, Calibrator, Readings};
use uniseg_onnx::proto::ModelProto;
use uniseg_onnx::{IMAGE, TASK, encode};
use uniseg_runtime::{
    EngineOptions, Model, Pieces, RuntimeError, Sample, Tensor, TensorView, open_engine,
};

use uniseg_imaging::ndarray::{Array1, ArrayD};

use disturbance::disturbance;

/// Most windows on which each layer is tried in bytes.
const TRIED: usize = 4;

/// Voxels that those windows may have together; one alone may have more.
const TRIED_VOXELS: usize = 1 << 22;

/// Runs the compiler's probes in an engine, on windows of real volumes.
pub struct VolumeCalibrator<'a> {
    /// The network at full precision.
    pieces: &'a Pieces,
    /// Whether it is the encoder of a pair that is measured.
    encoder: bool,
    samples: &'a [Sample],
    engine: EngineOptions,
    tell: &'a Tell,
    /// Logits at full precision of the windows that layers are tried on, once they are known.
    full: Vec<ArrayD<f32>>,
}

/// Hears what is being measured, and how much of how much is done.
pub type Tell = dyn Fn(&str, usize, usize);

impl<'a> VolumeCalibrator<'a> {
    /// Measures the network `pieces`, which is at full precision, or the `encoder` of the pair
    /// that it is, on `samples`.
    pub fn new(
        pieces: &'a Pieces,
        encoder: bool,
        samples: &'a [Sample],
        engine: EngineOptions,
    ) -> Self {
        Self {
            pieces,
            encoder,
            samples,
            engine,
            tell: &|_, _, _| {},
            full: Vec::new(),
        }
    }

    /// The same, with somebody who hears how far it is.
    #[must_use]
    pub fn telling(self, tell: &'a Tell) -> Self {
        Self { tell, ..self }
    }

    /// What is measured of the network.
    fn measured(&self) -> &'a Model {
        match (self.encoder, self.pieces.encoder()) {
            (true, Some(encoder)) => encoder,
            _ => self.pieces.model(),
        }
    }

    /// Samples on which layers are tried, spread over all: of the first task alone where one window
    /// has as many voxels as are tried.
    fn tried(&self) -> impl Iterator<Item = &'a Sample> + use<'a> {
        let samples = self.samples;
        let voxels = samples.first().map_or(1, |sample| {
            let (_, _, d, h, w) = sample.image.dim();
            (d * h * w).max(1)
        });
        let count = (TRIED_VOXELS / voxels).clamp(1, TRIED).min(samples.len());
        (0..count).filter_map(move |n| samples.get(n * samples.len() / count))
    }

    /// The logits of the tried samples where `model` stands in for what is measured.
    fn logits(&self, model: &Model) -> Result<Vec<ArrayD<f32>>, CalibrationError> {
        let open = |model: &Model| Ok::<_, RuntimeError>(open_engine(model, &self.engine)?.engine);
        let mut encoder = match self.pieces.encoder() {
            Some(encoder) => Some(open(if self.encoder { model } else { encoder })?),
            None => None,
        };
        let with_logits = match self.encoder {
            true => self.pieces.model(),
            false => model,
        };
        let mut engine = open(with_logits)?;
        self.tried()
            .map(|sample| {
                let task = task(sample);
                let mut outputs = match &mut encoder {
                    None => engine.run(&[image(sample), (TASK, TensorView::I64(task.view()))])?,
                    Some(encoder) => {
                        let features = encoder.run(&[image(sample)])?;
                        engine.run(&behind(&features, &task))?
                    }
                };
                match outputs.pop() {
                    Some((_, Tensor::F32(logits))) if outputs.is_empty() => Ok(logits),
                    _ => Err("a network has other outputs than logits".into()),
                }
            })
            .collect()
    }
}

impl Calibrator for VolumeCalibrator<'_> {
    fn run(
        &mut self,
        probe: &ModelProto,
        take: &mut dyn FnMut(Readings),
    ) -> Result<(), CalibrationError> {
        let probe = self.measured().with_graph(encode(probe));
        let mut engine = open_engine(&probe, &self.engine)?.engine;
        // What a decoder reads comes from the encoder at full precision.
        let mut before = match self.pieces.encoder().filter(|_| !self.encoder) {
            Some(encoder) => Some(open_engine(encoder, &self.engine)?.engine),
            None => None,
        };
        for (done, sample) in self.samples.iter().enumerate() {
            (self.tell)("windows measured", done, self.samples.len());
            let task = task(sample);
            let outputs = match &mut before {
                Some(encoder) => {
                    let features = encoder.run(&[image(sample)])?;
                    engine.run(&behind(&features, &task))?
                }
                None if self.encoder => engine.run(&[image(sample)])?,
                None => engine.run(&[image(sample), (TASK, TensorView::I64(task.view()))])?,
            };
            take(
                outputs
                    .into_iter()
                    .filter_map(|(name, tensor)| match tensor {
                        Tensor::F32(values) => Some((name, values.into_iter().collect())),
                        Tensor::I64(_) => None,
                    })
                    .collect(),
            );
        }
        Ok(())
    }

    fn progress(&mut self, done: usize, all: usize) {
        (self.tell)("layers tried in bytes", done, all);
    }

    fn disturbance(&mut self, model: &ModelProto) -> Result<f64, CalibrationError> {
        if self.full.is_empty() {
            self.full = self.logits(self.measured())?;
        }
        let ours = self.logits(&self.measured().with_graph(encode(model)))?;
        let windows = self.tried().zip(self.full.iter().zip(&ours));
        Ok(windows
            .map(|(sample, (full, ours))| disturbance(full, ours, sample.task.labels.len()))
            .sum())
    }
}

fn image(sample: &Sample) -> (&str, TensorView<'_>) {
    (IMAGE, TensorView::F32(sample.image.view().into_dyn()))
}

fn task(sample: &Sample) -> ArrayD<i64> {
    Array1::from_elem(1, i64::from(sample.task.id)).into_dyn()
}

/// What a decoder reads.
fn behind<'a>(
    features: &'a [(String, Tensor)],
    task: &'a ArrayD<i64>,
) -> Vec<(&'a str, TensorView<'a>)> {
    let features = features.iter();
    features
        .map(|(name, tensor)| (name.as_str(), tensor.view()))
        .chain([(TASK, TensorView::I64(task.view()))])
        .collect()
}
