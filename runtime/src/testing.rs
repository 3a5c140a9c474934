//! A small manifest, and an engine that is a closure, for this crate's tests.

pub(crate) mod graphs;

use ndarray::{Array5, ArrayView5, Axis, Ix5};
use uniseg_onnx::{
    Axis as MirrorAxis, Channel, Inference, Manifest, Network, Normalization, Provenance,
    SCHEMA_VERSION, Task, ZScoreScope,
};

use crate::{Engine, RuntimeError, Tensor, TensorView};

/// Three tasks on a network with three slots and four classes.
pub(crate) fn manifest() -> Manifest {
    let ct = Normalization::ClipRescale {
        lower: -325.0,
        upper: 325.0,
    };
    let zscore = Normalization::ZScore {
        scope: ZScoreScope::Image,
    };
    Manifest {
        schema_version: SCHEMA_VERSION,
        network: Network {
            name: "toy".to_owned(),
            patch_zyx: [4, 6, 8],
            slots: 3,
            classes: 4,
            parameters: 0,
            part: Default::default(),
            precision: "f32".to_owned(),
        },
        tasks: vec![
            task(
                0,
                "liver",
                &["background", "liver", "tumour"],
                &[("CT", 0, ct)],
            ),
            task(
                1,
                "whole_body",
                &["background", "tumour"],
                &[("CT", 1, ct), ("PET", 2, zscore)],
            ),
            task(
                2,
                "mr_liver",
                &["background", "liver"],
                &[("MR", 0, zscore)],
            ),
        ],
        inference: Inference {
            step: 0.5,
            gaussian_sigma: 0.125,
            mirror_axes: vec![MirrorAxis::Z, MirrorAxis::Y, MirrorAxis::X],
            mirror: false,
        },
        provenance: Provenance {
            producer: "tests".to_owned(),
            source: None,
            source_sha256: None,
            notes: None,
            licence: None,
        },
        weights_sha256: String::new(),
    }
}

fn task(id: u32, name: &str, labels: &[&str], channels: &[(&str, usize, Normalization)]) -> Task {
    Task {
        id,
        name: name.to_owned(),
        aliases: if id == 0 {
            vec!["hepar".to_owned()]
        } else {
            Vec::new()
        },
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        channels: channels
            .iter()
            .map(|&(modality, slot, normalization)| Channel {
                modality: modality.to_owned(),
                slot,
                normalization,
            })
            .collect(),
        spacing_zyx_mm: [2.0, 1.0, 1.0],
    }
}

type Closure = dyn FnMut(ArrayView5<'_, f32>, i64) -> Array5<f32> + Send;

/// An engine whose network is a closure from image and task to logits.
pub(crate) struct Toy {
    network: Box<Closure>,
    /// Forward passes so far.
    pub(crate) runs: usize,
}

impl Toy {
    pub(crate) fn new(
        network: impl FnMut(ArrayView5<'_, f32>, i64) -> Array5<f32> + Send + 'static,
    ) -> Toy {
        Toy {
            network: Box::new(network),
            runs: 0,
        }
    }

    /// Logit of class `k`: `k` times the sum of all slots, plus the task on class 1.
    pub(crate) fn sum() -> Toy {
        Toy::new(|image, task| {
            let sum = image.sum_axis(Axis(1)).insert_axis(Axis(1));
            let mut logits = Array5::zeros((1, 4, sum.dim().2, sum.dim().3, sum.dim().4));
            for (class, mut logits) in logits.axis_iter_mut(Axis(1)).enumerate() {
                logits.assign(&sum.index_axis(Axis(1), 0).mapv(|v| v * class as f32));
                if class == 1 {
                    logits += task as f32;
                }
            }
            logits
        })
    }
}

impl Engine for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn run(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RuntimeError> {
        let [(_, TensorView::F32(image)), (_, TensorView::I64(task))] = inputs else {
            panic!("the pipeline gives an image and a task");
        };
        self.runs += 1;
        let image = image.view().into_dimensionality::<Ix5>().unwrap();
        let logits = (self.network)(image, *task.first().unwrap());
        Ok(vec![(
            uniseg_onnx::LOGITS.to_owned(),
            Tensor::F32(logits.into_dyn()),
        )])
    }
}
