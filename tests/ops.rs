//! Every lowering against burn itself: the same function run by burn, ONNX Runtime and tract.

use std::collections::BTreeSet;

use burn::module::Module;
use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
    ConvTranspose3dConfig,
};
use burn::nn::{BatchNormConfig, LayerNormConfig, LinearConfig, PaddingConfig1d, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::{gelu, leaky_relu, log_softmax, relu, sigmoid, softmax};
use burn::tensor::{Distribution, FloatDType, TensorData};
use uniseg_export::{Exporter, supported_operations};
use uniseg_imaging::ndarray::{ArrayD, IxDyn};
use uniseg_onnx::{Artefact, IMAGE, LOGITS, TASK};
use uniseg_runtime::{EngineKind, Model, Tensor as RuntimeTensor, TensorView};

use crate::support::{compare, ort};

/// The contract's image and logits; two slots and two classes of 4 x 4 x 4 voxels.
const SHAPE: [usize; 5] = [1, 2, 4, 4, 4];
/// Elementary functions differ in their last bits between implementations.
const ROUNDING: f32 = 2e-5;

type Case = (&'static str, fn(Tensor<5>) -> Tensor<5>);

/// One number a channel.
fn channels(x: &Tensor<5>) -> Tensor<5> {
    Tensor::<1>::from_floats([0.75, -1.5], &x.device()).reshape([1, 2, 1, 1, 1])
}

/// A module on the device of `x`. burn makes weights where they are first needed, which must not be
/// the recording device: a clone that lives on keeps them where they were asked for.
fn beside<M: Module>(module: M, x: &Tensor<5>) -> M {
    module.clone().to_device(&x.device())
}

/// A float reduction of shape [1], laid over the input.
fn over(x: Tensor<5>, reduced: Tensor<1>) -> Tensor<5> {
    x + reduced.reshape([1, 1, 1, 1, 1])
}

const CASES: &[Case] = &[
    ("add", |x| {
        let c = channels(&x);
        x + c
    }),
    ("sub", |x| {
        let c = channels(&x);
        x - c
    }),
    ("mul", |x| {
        let c = channels(&x);
        x * c
    }),
    ("div", |x| {
        let c = channels(&x);
        x / c
    }),
    ("scalars", |x| (((x + 1.25) * -0.5) - 0.125) / 3.0),
    ("neg", |x| -x),
    ("abs", |x| x.abs()),
    ("clamp", |x| x.clamp(-0.5, 0.75)),
    ("clamp_min", |x| x.clamp_min(-0.25)),
    ("clamp_max", |x| x.clamp_max(0.25)),
    ("square", |x| x.powi_scalar(2)),
    ("cube", |x| x.powi_scalar(3)),
    ("power", |x| x.abs().powf_scalar(1.7)),
    ("exp", |x| x.exp()),
    ("log", |x| (x.abs() + 0.25).log()),
    ("sqrt", |x| x.abs().sqrt()),
    ("erf", |x| x.erf()),
    ("cos", |x| x.cos()),
    ("sin", |x| x.sin()),
    ("tanh", |x| x.tanh()),
    ("floor", |x| x.floor()),
    ("ceil", |x| x.ceil()),
    ("recip", |x| (x.abs() + 0.5).recip()),
    ("relu", relu),
    ("leaky_relu", |x| leaky_relu(x, 0.01)),
    ("gelu", gelu),
    ("sigmoid", sigmoid),
    ("softmax", |x| softmax(x, 1)),
    ("log_softmax", |x| log_softmax(x, 4)),
    ("int", |x| (x * 3.0).int().float()),
    ("cast", |x| {
        x.cast(FloatDType::F64).exp().cast(FloatDType::F32)
    }),
    ("conv1d", |x| {
        let conv = Conv1dConfig::new(2, 2, 3).with_padding(PaddingConfig1d::Explicit(1, 1));
        beside(conv.init(&Device::flex()), &x)
            .forward(x.reshape([1, 2, 64]))
            .reshape(SHAPE)
    }),
    ("conv2d", |x| {
        let conv =
            Conv2dConfig::new([2, 2], [3, 1]).with_padding(PaddingConfig2d::Explicit(1, 0, 1, 0));
        beside(conv.init(&Device::flex()), &x)
            .forward(x.reshape([1, 2, 8, 8]))
            .reshape(SHAPE)
    }),
    ("conv3d", |x| {
        let conv = Conv3dConfig::new([2, 16], [2; 3]).with_stride([2; 3]);
        beside(conv.init(&Device::flex()), &x)
            .forward(x)
            .reshape(SHAPE)
    }),
    ("conv_transpose1d", |x| {
        let conv = ConvTranspose1dConfig::new([4, 2], 2).with_stride(2);
        beside(conv.init(&Device::flex()), &x)
            .forward(x.reshape([1, 4, 32]))
            .reshape(SHAPE)
    }),
    ("conv_transpose2d", |x| {
        let conv = ConvTranspose2dConfig::new([8, 2], [2; 2]).with_stride([2; 2]);
        beside(conv.init(&Device::flex()), &x)
            .forward(x.reshape([1, 8, 4, 4]))
            .reshape(SHAPE)
    }),
    ("conv_transpose3d", |x| {
        let conv = ConvTranspose3dConfig::new([16, 2], [2; 3]).with_stride([2; 3]);
        beside(conv.init(&Device::flex()), &x)
            .forward(x.reshape([1, 16, 2, 2, 2]))
            .reshape(SHAPE)
    }),
    ("select", |x| {
        let order = Tensor::<1, Int>::from_data(TensorData::from([3i64, 0, 0, 2]), &x.device());
        x.select(3, order)
    }),
    ("slice", |x| {
        let part = x.clone().slice(s![.., .., 1..4;2, .., ..]);
        Tensor::cat(vec![part.clone(), part], 2)
    }),
    ("matmul", |x| {
        let y = x.clone().swap_dims(3, 4);
        x.matmul(y)
    }),
    ("linear", |x| {
        beside(LinearConfig::new(4, 4).init(&Device::flex()), &x).forward(x)
    }),
    ("linear_without_bias", |x| {
        beside(
            LinearConfig::new(4, 4)
                .with_bias(false)
                .init(&Device::flex()),
            &x,
        )
        .forward(x)
    }),
    ("batch_norm", |x| {
        beside(BatchNormConfig::new(2).init(&Device::flex()), &x).forward(x)
    }),
    ("layer_norm", |x| {
        beside(LayerNormConfig::new(4).init(&Device::flex()), &x).forward(x)
    }),
    ("sum_dim", |x| x.clone() + x.sum_dim(2)),
    ("mean_dim", |x| x.clone() + x.mean_dim(3)),
    ("max_dim", |x| x.clone() + x.max_dim(1)),
    ("min_dim", |x| x.clone() + x.min_dim(4)),
    ("sum", |x| {
        let r = x.clone().sum();
        over(x, r)
    }),
    ("mean", |x| {
        let r = x.clone().mean();
        over(x, r)
    }),
    ("max", |x| {
        let r = x.clone().max();
        over(x, r)
    }),
    ("min", |x| {
        let r = x.clone().min();
        over(x, r)
    }),
    ("expand", |x| {
        x.clone() + x.slice(s![.., 0..1, .., .., ..]).expand(SHAPE)
    }),
    ("permute", |x| x.permute([0, 1, 4, 2, 3])),
    ("filled", |x| {
        let device = x.device();
        let large = Tensor::<1>::full([1 << 15], 0.25, &device);
        x.clone()
            + Tensor::zeros(SHAPE, &device) * Tensor::ones([1; 5], &device)
            + large.slice(s![0..128]).reshape(SHAPE)
    }),
];

fn input() -> Tensor<5> {
    let device = Device::flex();
    device.seed(11);
    Tensor::random(SHAPE, Distribution::Uniform(-2.0, 2.0), &device)
}

fn array(tensor: Tensor<5>) -> ArrayD<f32> {
    let values = tensor.into_data().try_into_vec::<f32>().expect("f32");
    ArrayD::from_shape_vec(IxDyn(&SHAPE), values).expect("the contract's shape")
}

/// Exports `function` as an artefact; the contract's task input adds a zero.
fn export(function: impl Fn(Tensor<5>) -> Tensor<5>) -> (Model, BTreeSet<&'static str>) {
    let exported = Exporter::new()
        .float_input(IMAGE, &SHAPE)
        .int_input(TASK, &[1])
        .export(|tracer| {
            let x = tracer.float::<5>(IMAGE)?;
            let task = tracer.int::<1>(TASK)?;
            let zeros = Tensor::<1>::zeros([3], &x.device()).select(0, task);
            let y = function(x) + zeros.reshape([1, 1, 1, 1, 1]);
            tracer.output(LOGITS, y)
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let origins = exported
        .graph()
        .nodes()
        .iter()
        .map(|node| node.origin)
        .collect();
    let mut manifest = uniseg_onnx::sample::tiny_manifest();
    manifest.network.patch_zyx = [4; 3];
    manifest.network.slots = 2;
    manifest.network.classes = 2;
    manifest.tasks.truncate(1);
    manifest.tasks[0].labels.truncate(2);
    let artefact = Artefact::new(exported.into_model("case"), manifest);
    (
        artefact.unwrap_or_else(|error| panic!("{error}")).into(),
        origins,
    )
}

fn run(model: &Model, kind: EngineKind, image: &ArrayD<f32>) -> ArrayD<f32> {
    let task = ArrayD::from_elem(IxDyn(&[1]), 0i64);
    let inputs = [
        (IMAGE, TensorView::F32(image.view())),
        (TASK, TensorView::I64(task.view())),
    ];
    let mut outputs = ort::engine(model, kind)
        .run(&inputs)
        .unwrap_or_else(|error| panic!("{error}"));
    match outputs.remove(0).1 {
        RuntimeTensor::F32(logits) => logits,
        RuntimeTensor::I64(_) => panic!("the logits are integers"),
    }
}

#[test]
fn engines_compute_what_burn_computes() {
    let x = input();
    let image = array(x.clone());
    let mut reached = BTreeSet::new();
    for (name, function) in CASES {
        // Modules inside a case draw their weights from the device: the same ones each time.
        let seeded = |x: Tensor<5>| {
            Device::flex().seed(5);
            function(x)
        };
        let (model, origins) = export(seeded);
        reached.extend(origins);
        let expected = array(seeded(x.clone()));
        for kind in ort::ENGINES {
            let found = run(&model, kind, &image);
            let worst = compare::max_abs(found.view(), expected.view());
            let scale = expected
                .iter()
                .fold(1.0f32, |most, value| most.max(value.abs()));
            assert!(
                worst <= ROUNDING * scale,
                "{name} in {kind}: {worst:.2e} of {scale}"
            );
        }
    }
    // Known values leave no node, and a lone reshape or expansion is an identity to the passes.
    let no_node = ["Base::Zeros", "Base::Ones"];
    let missing: Vec<_> = supported_operations()
        .map(|(burn, _)| burn)
        .filter(|burn| !reached.contains(burn) && !no_node.contains(burn))
        .collect();
    assert!(missing.is_empty(), "no case reaches {missing:?}");
}

#[test]
fn an_operation_without_a_lowering_is_named() {
    let error = Exporter::new()
        .float_input("x", &[2, 3])
        .export(|tracer| {
            let x = tracer.float::<2>("x")?;
            tracer.output("y", x.clone().cumsum(1).sort(0) + x.cumsum(0))
        })
        .unwrap_err();
    insta::assert_snapshot!(
        error,
        @"2 burn operations have no ONNX lowering: Numeric::CumSum x2 making f32[2, 3]; Numeric::Sort x1 making f32[2, 3]"
    );
}

#[test]
fn a_computation_that_panics_is_an_error() {
    let error = Exporter::new()
        .float_input("x", &[2, 3])
        .export(|tracer| {
            let x = tracer.float::<2>("x")?;
            tracer.output("y", x.reshape([4, 5]))
        })
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the computation panicked while it was recorded"),
        "{error}"
    );
}

#[test]
fn inputs_and_outputs_must_fit_their_declaration() {
    let export =
        |body: fn(&mut uniseg_export::Tracer) -> Result<(), uniseg_export::ExportError>| {
            let exporter = Exporter::new().float_input("x", &[2]);
            exporter.export(body).unwrap_err().to_string()
        };
    let errors = [
        export(|_| Ok(())),
        export(|tracer| tracer.float::<1>("z").map(drop)),
        export(|tracer| tracer.float::<2>("x").map(drop)),
        export(|tracer| tracer.int::<1>("x").map(drop)),
        export(|tracer| {
            let x = Tensor::<1>::zeros([2], tracer.device());
            tracer.output("y", x)
        }),
        export(|tracer| tracer.output("y", Tensor::<1>::zeros([2], &Device::flex()))),
    ];
    insta::assert_snapshot!(errors.join("\n"), @"
    the exported computation declares no output
    the exported computation reads input 'z', which was not declared
    input 'x' was declared as f32 of rank 1, but the computation reads it as f32 of rank 2
    input 'x' was declared as f32 of rank 1, but the computation reads it as i64 of rank 1
    input 'x' is declared but the computation does not read it
    output 'y' was not computed on the capture device: move modules and constants there with Tracer::load
    ");
}
