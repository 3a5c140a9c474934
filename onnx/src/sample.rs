//! The smallest artefact that keeps the contract: for documentation, tests and quick trials.

use crate::{
    Artefact, Axis, Channel, IMAGE, Inference, LOGITS, Manifest, Network, Normalization,
    Provenance, SCHEMA_VERSION, TASK, Task, ZScoreScope,
    proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
};

const PATCH: [i64; 3] = [2, 3, 4];

/// A network of one 1×1×1 convolution and a bias chosen by the task: 2 slots, 3 classes, 2 tasks,
/// windows of 2×3×4 voxels.
pub fn tiny_model() -> ModelProto {
    let [d, h, w] = PATCH;
    let weight: Vec<f32> = (0..6).map(|i| 0.5 * i as f32 - 1.0).collect();
    let biases: Vec<f32> = (0..6).map(|i| 0.25 * i as f32).collect();
    ModelProto::new(GraphProto {
        name: "tiny".to_owned(),
        node: vec![
            NodeProto::new("Conv", [IMAGE, "weight"], ["scored"])
                .attr_ints("kernel_shape", &[1, 1, 1]),
            NodeProto::new("Gather", ["biases", TASK], ["bias"]).attr_int("axis", 0),
            NodeProto::new("Add", ["scored", "bias"], [LOGITS]),
        ],
        initializer: vec![
            TensorProto::from_f32("weight", &[3, 2, 1, 1, 1], &weight),
            TensorProto::from_f32("biases", &[2, 3, 1, 1, 1], &biases),
        ],
        input: vec![
            ValueInfoProto::tensor(IMAGE, DataType::Float, [1, 2, d, h, w]),
            ValueInfoProto::tensor(TASK, DataType::Int64, [1]),
        ],
        output: vec![ValueInfoProto::tensor(
            LOGITS,
            DataType::Float,
            [1, 3, d, h, w],
        )],
        ..GraphProto::default()
    })
}

/// The manifest of [`tiny_model`].
pub fn tiny_manifest() -> Manifest {
    let channel = |modality: &str, slot, normalization| Channel {
        modality: modality.to_owned(),
        slot,
        normalization,
    };
    let ct = Normalization::ClipRescale {
        lower: -100.0,
        upper: 300.0,
    };
    let mr = Normalization::ZScore {
        scope: ZScoreScope::Nonzero,
    };
    let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect();
    Manifest {
        schema_version: SCHEMA_VERSION,
        network: Network {
            name: "tiny".to_owned(),
            patch_zyx: PATCH.map(|size| size as usize),
            slots: 2,
            classes: 3,
            parameters: 12,
            part: Default::default(),
            precision: "f32".to_owned(),
        },
        tasks: vec![
            Task {
                id: 0,
                name: "blob".to_owned(),
                aliases: vec!["klecks".to_owned()],
                labels: labels(&["background", "blob"]),
                channels: vec![channel("CT", 0, ct)],
                spacing_zyx_mm: [3.0, 1.5, 1.5],
            },
            Task {
                id: 1,
                name: "two-channel blob".to_owned(),
                aliases: Vec::new(),
                labels: labels(&["background", "core", "rim"]),
                channels: vec![channel("MR", 0, mr), channel("MR", 1, mr)],
                spacing_zyx_mm: [1.0, 1.0, 1.0],
            },
        ],
        inference: Inference {
            mirror_axes: vec![Axis::Z, Axis::X],
            ..Inference::default()
        },
        provenance: Provenance {
            producer: "uniseg sample".to_owned(),
            ..Provenance::default()
        },
        // That of the weights above; `Artefact::new` computes it anyway.
        weights_sha256: DIGEST.to_owned(),
    }
}

const DIGEST: &str = "2813d5dce1475777cc288bac843f06dd81781d1df76d7ed926838dbba75ef4c4";

/// The two as an artefact.
pub fn tiny_artefact() -> Artefact {
    Artefact::new(tiny_model(), tiny_manifest()).expect("the sample keeps the contract")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_weights() {
        assert_eq!(crate::weights_sha256(&tiny_model()).unwrap(), DIGEST);
    }
}
