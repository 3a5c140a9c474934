//! Every kind of file that the program writes, without golden files: each variant, part, batch and
//! precision.

use std::path::Path;

use burn::prelude::*;
use uniseg::bridge::{self, Batch, Compiled, Pair, Request};
use uniseg::calibration::VolumeCalibrator;
use uniseg_export::{Calibrator, Int8, Precision};
use uniseg_onnx::Manifest;
use uniseg_runtime::{EngineKind, Model, Pieces, Sample, random_patch};
use uniseg_train::Checkpoint;
use uniseg_train::plan::Variant;

use crate::support::{ort, python::all_pass_the_checker};
use crate::variants::plans;

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::F16, Precision::BF16];

/// Where the files of one network go.
struct Files<'a> {
    folder: &'a Path,
    checkpoint: Checkpoint,
    network: String,
    count: usize,
}

impl Files<'_> {
    fn save(&mut self, what: &str, compiled: &Compiled) {
        let name = format!("{} {what}.onnx", self.network);
        compiled.artefact.save(self.folder.join(name)).unwrap();
        self.count += 1;
    }

    fn whole(&mut self, what: &str, request: &Request) {
        let compiled = bridge::compile_for(&self.checkpoint, request);
        self.save(
            what,
            &compiled.unwrap_or_else(|error| panic!("{}, {what}: {error:?}", self.network)),
        );
    }

    fn pair(&mut self, what: &str, request: &Request) {
        let pair = bridge::compile_pair(&self.checkpoint, request);
        let pair = pair.unwrap_or_else(|error| panic!("{}, {what}: {error:?}", self.network));
        self.save(&format!("{what}, encoder"), &pair.encoder);
        self.save(&format!("{what}, decoder"), &pair.decoder);
    }
}

/// A window of noise for each task.
fn samples(manifest: &Manifest) -> Vec<Sample> {
    let tasks = manifest.tasks.iter();
    tasks
        .map(|task| Sample {
            task: task.clone(),
            image: random_patch(manifest, task, 1),
        })
        .collect()
}

fn int8_request() -> Request {
    Request {
        // Some layers stay in float, found by measuring.
        precision: Precision::Int8(Int8 {
            float_share: 0.05,
            ..Int8::default()
        }),
        ..Request::default()
    }
}

/// A network in 8 bits, measured on noise.
pub fn int8(checkpoint: &Checkpoint) -> Compiled {
    let model = Model::from(bridge::artefact(checkpoint).unwrap());
    let samples = samples(model.manifest());
    let pieces = Pieces::of(model, None);
    let options = ort::options(EngineKind::Ort);
    let mut calibrator = VolumeCalibrator::new(&pieces, false, &samples, options);
    bridge::compile_calibrated(checkpoint, &int8_request(), Some(&mut calibrator)).unwrap()
}

/// The same in two parts.
fn int8_pair(checkpoint: &Checkpoint) -> Pair {
    let full = bridge::compile_pair(checkpoint, &Request::default()).unwrap();
    let [encoder, decoder] =
        [full.encoder, full.decoder].map(|compiled| Model::from(compiled.artefact));
    let samples = samples(decoder.manifest());
    let pieces = Pieces::of(decoder, Some(encoder));
    let [mut first, mut last] = [true, false].map(|encoder| {
        VolumeCalibrator::new(&pieces, encoder, &samples, ort::options(EngineKind::Ort))
    });
    let calibrators: [Option<&mut dyn Calibrator>; 2] = [Some(&mut first), Some(&mut last)];
    bridge::compile_calibrated_pair(checkpoint, &int8_request(), calibrators).unwrap()
}

#[test]
fn every_kind_of_artefact_passes_the_onnx_checker() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for variant in Variant::ALL {
        for (index, plan) in plans(variant).into_iter().enumerate() {
            let plan = plan.complete().unwrap();
            let splits = plan.tasks.len() > 1 && variant != Variant::Baseline;
            let first = plan.tasks[0].name.clone();
            let mut files = Files {
                folder: folder.path(),
                checkpoint: Checkpoint::random(plan, 5, &Device::flex()),
                network: format!("{variant} {index}"),
                count: 0,
            };
            for precision in PRECISIONS {
                for batch in [Batch::One, Batch::Open] {
                    let request = Request {
                        batch,
                        precision,
                        ..Request::default()
                    };
                    let what = format!("{precision} {batch:?}");
                    files.whole(&what, &request);
                    let lean = Request {
                        lean: true,
                        ..request.clone()
                    };
                    files.whole(&format!("{what}, lean"), &lean);
                    if splits {
                        files.pair(&what, &request);
                        let tasks = vec![first.clone()];
                        files.whole(&format!("{what}, one task"), &Request { tasks, ..request });
                    }
                }
            }
            let compiled = int8(&files.checkpoint);
            files.save("int8", &compiled);
            if splits {
                let pair = int8_pair(&files.checkpoint);
                files.save("int8, encoder", &pair.encoder);
                files.save("int8, decoder", &pair.decoder);
            }
            count += files.count;
        }
    }
    assert_eq!(all_pass_the_checker(folder.path()), count);
    println!("{count} files");
}
