//! Both engines on the same small networks. ONNX Runtime has to be there: a test that passes
//! because it did not run proves nothing.

use ndarray::Array5;
use uniseg_onnx::{
    Artefact, IMAGE, LOGITS, TASK,
    proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
    sample,
};

use super::*;

#[test]
fn an_engine_that_is_opened_again_computes_on_the_same_or_fails() {
    let on = |device, precision| ComputedOn { device, precision };
    let open = EngineOptions {
        cuda: CudaOptions {
            graph: Some(true),
            ..CudaOptions::default()
        },
        ..EngineOptions::default()
    };
    let again = open.bound_to(on(Device::OpenVino, Precision::Bf16));
    assert_eq!(
        (again.device, again.precision),
        (Device::OpenVino, Precision::Bf16)
    );
    // What only a GPU can do was noted the first time; now it would be an error.
    assert_eq!(again.cuda, CudaOptions::default());
    let again = open.bound_to(on(Device::Cuda(1), Precision::Tf32));
    assert_eq!(
        (again.device, again.cuda),
        (Device::Cuda(1), open.cuda.clone())
    );
    let again = open.bound_to(on(Device::Cpu, Precision::F32));
    assert_eq!(
        (again.device, again.precision),
        (Device::Cpu, Precision::Auto)
    );
}
use crate::{compare, find_ort, forward};

fn options(kind: EngineKind) -> EngineOptions {
    if kind != EngineKind::Tract {
        let found = find_ort(None).expect("looking for ONNX Runtime works");
        assert!(
            found.is_some(),
            "ONNX Runtime was not found: run `uniseg runtime install`"
        );
    }
    EngineOptions {
        kind,
        threads: NonZeroUsize::new(2),
        ort_lib: None,
        ..EngineOptions::default()
    }
}

#[track_caller]
fn open(model: &Model, kind: EngineKind) -> Box<dyn Engine> {
    open_engine(model, &options(kind)).unwrap().engine
}

/// Convolution, normalisation, activation, up-sampling and the choice of a task: the operations
/// of a real network, on the sample's sizes.
fn network(weights: i64) -> ModelProto {
    let numbers = |count: i64| -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 37 + 11) % 29) as f32 / 29.0 - 0.45)
            .collect()
    };
    let tensor = |name: &str, dims: &[i64]| {
        TensorProto::from_f32(name, dims, &numbers(dims.iter().product()))
    };
    ModelProto::new(GraphProto {
        name: "small".to_owned(),
        node: vec![
            NodeProto::new("Conv", [IMAGE, "w1"], ["a"])
                .attr_ints("kernel_shape", &[1, 3, 3])
                .attr_ints("pads", &[0, 1, 1, 0, 1, 1]),
            NodeProto::new("InstanceNormalization", ["a", "scale", "shift"], ["b"])
                .attr_float("epsilon", 1e-5),
            NodeProto::new("LeakyRelu", ["b"], ["c"]).attr_float("alpha", 0.01),
            NodeProto::new("Conv", ["c", "w2"], ["d"])
                .attr_ints("kernel_shape", &[2, 1, 2])
                .attr_ints("strides", &[2, 1, 2]),
            NodeProto::new("ConvTranspose", ["d", "w3"], ["e"])
                .attr_ints("kernel_shape", &[2, 1, 2])
                .attr_ints("strides", &[2, 1, 2]),
            NodeProto::new("Gather", ["prompts", TASK], ["prompt"]).attr_int("axis", 0),
            NodeProto::new("Add", ["e", "prompt"], [LOGITS]),
        ],
        initializer: vec![
            tensor("w1", &[5, weights, 1, 3, 3]),
            tensor("scale", &[5]),
            tensor("shift", &[5]),
            tensor("w2", &[4, 5, 2, 1, 2]),
            tensor("w3", &[4, 3, 2, 1, 2]),
            tensor("prompts", &[2, 3, 1, 1, 1]),
        ],
        input: vec![
            ValueInfoProto::tensor(IMAGE, DataType::Float, [1, 2, 2, 3, 4]),
            ValueInfoProto::tensor(TASK, DataType::Int64, [1]),
        ],
        output: vec![ValueInfoProto::tensor(
            LOGITS,
            DataType::Float,
            [1, 3, 2, 3, 4],
        )],
        ..GraphProto::default()
    })
}

#[test]
fn every_engine_computes_the_sample() {
    let model = Model::from(sample::tiny_artefact());
    let network = &model.manifest().network;
    let image = Array5::from_shape_fn((1, 2, 2, 3, 4), |(_, c, z, y, x)| {
        c as f32 - 0.1 * z as f32 + 0.2 * y as f32 + 0.05 * (x * x) as f32
    });
    for kind in [EngineKind::Ort, EngineKind::Tract] {
        let mut engine = open(&model, kind);
        for task in [1, 0] {
            let logits = forward(engine.as_mut(), network, image.view(), task).unwrap();
            for ((_, class, z, y, x), &found) in logits.indexed_iter() {
                // The sample's weights are 0.5 i - 1, its biases 0.25 i.
                let weight = |slot: usize| 0.5 * (2 * class + slot) as f32 - 1.0;
                let expected = weight(0) * image[[0, 0, z, y, x]]
                    + weight(1) * image[[0, 1, z, y, x]]
                    + 0.25 * (3 * task as usize + class) as f32;
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{kind}: {found} for {expected}"
                );
            }
        }
    }
}

#[test]
fn engines_agree_on_the_operations_of_a_real_network() {
    let artefact = Artefact::new(network(2), sample::tiny_manifest()).unwrap();
    let model = Model::from(artefact);
    let mut ort = open(&model, EngineKind::Ort);
    let mut tract = open(&model, EngineKind::Tract);
    let result = compare(
        model.manifest(),
        ort.as_mut(),
        tract.as_mut(),
        3,
        &mut |_| (),
    )
    .unwrap();
    assert_eq!(result.tasks.len(), 2);
    assert!(result.max_abs() < 1e-5, "{result:?}");
    assert!(result.tasks.iter().all(|task| task.flipped == 0));
    assert!(
        result.engines[0].starts_with("onnxruntime "),
        "{:?}",
        result.engines
    );
    assert!(
        result.engines[1].starts_with("tract "),
        "{:?}",
        result.engines
    );
}

#[test]
fn auto_takes_onnx_runtime_without_a_note() {
    let model = Model::from(sample::tiny_artefact());
    let opened = open_engine(&model, &options(EngineKind::Auto)).unwrap();
    assert!(
        opened.engine.name().starts_with("onnxruntime "),
        "{}",
        opened.engine.name()
    );
    assert_eq!(opened.note, None);
}

#[test]
fn a_run_ends_when_somebody_asks() {
    // Far more convolutions than anybody waits for, on one thread.
    let convolutions = 2000;
    let mut nodes = Vec::new();
    let mut last = IMAGE.to_owned();
    for index in 0..convolutions {
        let next = match index + 1 == convolutions {
            true => LOGITS.to_owned(),
            false => format!("step{index}"),
        };
        let conv = NodeProto::new("Conv", [last.as_str(), "w"], [next.as_str()]);
        nodes.push(conv.attr_ints("pads", &[1, 1, 1, 1, 1, 1]));
        last = next;
    }
    let shape = [1, 8, 32, 64, 64];
    let model = Model::unchecked(
        uniseg_onnx::encode(&ModelProto::new(GraphProto {
            name: "long".to_owned(),
            node: nodes,
            initializer: vec![TensorProto::from_f32(
                "w",
                &[8, 8, 3, 3, 3],
                &[1.0 / 216.0; 8 * 8 * 27],
            )],
            input: vec![ValueInfoProto::tensor(IMAGE, DataType::Float, shape)],
            output: vec![ValueInfoProto::tensor(LOGITS, DataType::Float, shape)],
            ..GraphProto::default()
        })),
        sample::tiny_manifest(),
    );
    for on_buffers in [false, true] {
        let options = EngineOptions {
            threads: NonZeroUsize::new(1),
            ..options(EngineKind::Ort)
        };
        let mut engine = match on_buffers {
            true => open_bound(&model, &options),
            false => open_engine(&model, &options).unwrap().engine,
        };
        let image = Array5::<f32>::ones((1, 8, 32, 64, 64));
        let asked = options.cancel.clone();
        let asking = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            asked.cancel();
        });
        // Had it gone on to its end, there would be an output.
        let error = engine
            .run(&[(IMAGE, TensorView::F32(image.view().into_dyn()))])
            .unwrap_err();
        assert!(matches!(error, RuntimeError::Cancelled), "{error}");
        asking.join().unwrap();
    }
}

#[test]
fn a_thrifty_engine_computes_the_same() {
    let model = Model::from(Artefact::new(network(2), sample::tiny_manifest()).unwrap());
    let image = Array5::from_shape_fn((1, 2, 2, 3, 4), |(_, c, z, y, x)| {
        (c * 100 + z * 30 + y * 7 + x) as f32 / 50.0
    });
    let logits = |lean| {
        let options = EngineOptions {
            lean,
            ..options(EngineKind::Ort)
        };
        let mut engine = open_engine(&model, &options).unwrap().engine;
        forward(engine.as_mut(), &model.manifest().network, image.view(), 1).unwrap()
    };
    assert_eq!(logits(true), logits(false));
}

#[test]
fn inputs_in_any_memory_order_and_missing_ones() {
    let model = Model::from(sample::tiny_artefact());
    let image = Array5::from_shape_fn((1, 2, 2, 3, 4), |(_, c, z, y, x)| {
        (c * 100 + z * 30 + y * 7 + x) as f32 / 50.0
    });
    let mut mirrored = image.clone();
    mirrored.invert_axis(ndarray::Axis(4));
    let straight = mirrored.as_standard_layout().into_owned();
    for kind in [EngineKind::Ort, EngineKind::Tract] {
        let mut engine = open(&model, kind);
        let network = &model.manifest().network;
        let a = forward(engine.as_mut(), network, mirrored.view(), 0).unwrap();
        let b = forward(engine.as_mut(), network, straight.view(), 0).unwrap();
        assert_eq!(a, b, "{kind}");
        let image = TensorView::F32(image.view().into_dyn());
        let error = engine.run(&[(IMAGE, image)]).unwrap_err();
        let named = matches!(
            &error,
            RuntimeError::MissingInput { input, .. } if input == TASK
        ) || matches!(&error, RuntimeError::Run { source, .. } if source.to_string().contains(TASK));
        assert!(named, "{kind}: {error:?}");
    }
}

#[test]
fn a_task_outside_the_model_is_an_error_and_the_engine_lives_on() {
    let model = Model::from(sample::tiny_artefact());
    let image = Array5::zeros((1, 2, 2, 3, 4));
    for kind in [EngineKind::Ort, EngineKind::Tract] {
        let mut engine = open(&model, kind);
        let network = &model.manifest().network;
        let error = forward(engine.as_mut(), network, image.view(), 9).unwrap_err();
        assert!(
            matches!(
                error,
                RuntimeError::Run { .. } | RuntimeError::EnginePanicked { .. }
            ),
            "{kind}: {error}"
        );
        forward(engine.as_mut(), network, image.view(), 1).unwrap();
    }
}

#[test]
fn a_graph_that_cannot_be_computed_is_an_error_not_a_panic() {
    // The first convolution wants three channels where the image has two; an engine may see it
    // when it opens the model or when it runs it.
    let model = Model::from(Artefact::new(network(3), sample::tiny_manifest()).unwrap());
    let image = Array5::zeros((1, 2, 2, 3, 4));
    for kind in [EngineKind::Ort, EngineKind::Tract] {
        let error = open_engine(&model, &options(kind))
            .and_then(|mut opened| {
                forward(
                    opened.engine.as_mut(),
                    &model.manifest().network,
                    image.view(),
                    0,
                )
            })
            .unwrap_err();
        let refused = matches!(
            error,
            RuntimeError::OpenSession { .. } | RuntimeError::Run { .. }
        );
        assert!(refused, "{kind}: {error}");
    }
}
