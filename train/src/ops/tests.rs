//! Every operation against burn's own, values and gradients.

use burn::module::Param;
use burn::nn::conv::{Conv3d, Conv3dConfig, ConvTranspose3d, ConvTranspose3dConfig};
use burn::nn::{InstanceNorm, InstanceNormConfig, PaddingConfig3d};
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Gradients, Tolerance};

use super::*;
use crate::data::random::Random;
use crate::testing::uniform;

/// Elements of both may be sums in another order.
#[track_caller]
fn same<const D: usize>(what: &str, found: Tensor<D>, expected: Tensor<D>) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let largest = expected.clone().abs().max().into_scalar::<f32>();
    assert!(largest > 0.0, "{what}: nothing to compare");
    found.into_data().assert_approx_eq::<f32>(
        &expected.into_data(),
        Tolerance::absolute(2e-5 * largest.max(1.0)),
    );
}

/// The gradients of a sum whose terms all have another weight.
fn backward(out: Tensor<5>) -> Gradients {
    let weights = uniform(out.dims(), &mut Random::new(5), &out.device());
    (out * weights).sum().backward()
}

#[track_caller]
fn same_gradient<const D: usize>(
    what: &str,
    of: &Tensor<D>,
    found: &Gradients,
    expected: &Gradients,
) {
    same(
        what,
        of.grad(found)
            .unwrap_or_else(|| panic!("{what}: no gradient")),
        of.grad(expected).expect("burn has one"),
    );
}

struct Case {
    channels: [usize; 2],
    size: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
}

/// Sizes that no tile, run or vector divides, and the network's own kernels and strides.
const CASES: [Case; 8] = [
    Case {
        channels: [3, 5],
        size: [5, 7, 9],
        kernel: [3; 3],
        stride: [1; 3],
    },
    Case {
        channels: [1, 8],
        size: [4, 6, 13],
        kernel: [1, 3, 3],
        stride: [1; 3],
    },
    Case {
        channels: [4, 33],
        size: [7, 6, 10],
        kernel: [3; 3],
        stride: [2; 3],
    },
    Case {
        channels: [9, 17],
        size: [6, 9, 8],
        kernel: [3; 3],
        stride: [1, 2, 2],
    },
    Case {
        channels: [70, 48],
        size: [2, 3, 3],
        kernel: [3; 3],
        stride: [1; 3],
    },
    Case {
        channels: [6, 3],
        size: [3, 4, 25],
        kernel: [1; 3],
        stride: [1; 3],
    },
    Case {
        channels: [5, 16],
        size: [8, 8, 8],
        kernel: [2; 3],
        stride: [2; 3],
    },
    Case {
        channels: [2, 2],
        size: [1, 1, 1],
        kernel: [3; 3],
        stride: [1; 3],
    },
];

fn conv(case: &Case, bias: bool, stream: &mut Random, device: &Device) -> Conv3d {
    let [z, y, x] = case.kernel.map(|kernel| (kernel - 1) / 2);
    let mut conv = Conv3dConfig::new(case.channels, case.kernel)
        .with_stride(case.stride)
        .with_padding(PaddingConfig3d::Explicit(z, y, x))
        .with_bias(bias)
        .init(device);
    let weight = conv.weight.lazy_shape().dims();
    conv.weight = Param::from_tensor(uniform::<5>(weight, stream, device));
    conv.bias = bias.then(|| Param::from_tensor(uniform([case.channels[1]], stream, device)));
    conv
}

#[test]
fn convolutions_are_burns() {
    let device = Device::flex().autodiff();
    let mut stream = Random::new(1);
    for (index, case) in CASES.iter().enumerate() {
        let layer = conv(case, index % 2 == 0, &mut stream, &device);
        let [z, y, x] = case.size;
        let x = uniform([2, case.channels[0], z, y, x], &mut stream, &device).require_grad();
        let (found, expected) = (conv3d(&layer, x.clone()), layer.forward(x.clone()));
        same(
            &format!("case {index}, values"),
            found.clone(),
            expected.clone(),
        );
        let (found, expected) = (backward(found), backward(expected));
        same_gradient(&format!("case {index}, input"), &x, &found, &expected);
        let weight = layer.weight.val();
        same_gradient(&format!("case {index}, weight"), &weight, &found, &expected);
        if let Some(bias) = &layer.bias {
            same_gradient(
                &format!("case {index}, bias"),
                &bias.val(),
                &found,
                &expected,
            );
        }
    }
}

#[test]
fn convolutions_of_two_are_those_of_the_concatenation() {
    let device = Device::flex().autodiff();
    let mut stream = Random::new(2);
    let case = Case {
        channels: [7, 20],
        size: [5, 6, 11],
        kernel: [3; 3],
        stride: [1; 3],
    };
    let layer = conv(&case, true, &mut stream, &device);
    let first = uniform([2, 4, 5, 6, 11], &mut stream, &device).require_grad();
    let second = uniform([2, 3, 5, 6, 11], &mut stream, &device).require_grad();
    let found = conv3d_of_two(&layer, first.clone(), second.clone());
    let expected = layer.forward(Tensor::cat(vec![first.clone(), second.clone()], 1));
    same("values", found.clone(), expected.clone());
    let (found, expected) = (backward(found), backward(expected));
    same_gradient("first", &first, &found, &expected);
    same_gradient("second", &second, &found, &expected);
    same_gradient("weight", &layer.weight.val(), &found, &expected);
}

#[test]
fn transposed_convolutions_are_burns() {
    let device = Device::flex().autodiff();
    let mut stream = Random::new(3);
    for (channels, size, stride) in [
        ([5, 3], [2, 3, 4], [2, 2, 2]),
        ([33, 17], [3, 2, 7], [1, 2, 2]),
        ([4, 40], [1, 1, 1], [2, 2, 2]),
        ([3, 2], [2, 3, 2], [1, 1, 1]),
    ] {
        let mut up: ConvTranspose3d = ConvTranspose3dConfig::new(channels, stride)
            .with_stride(stride)
            .with_bias(false)
            .init(&device);
        let weight = up.weight.lazy_shape().dims();
        up.weight = Param::from_tensor(uniform::<5>(weight, &mut stream, &device));
        let [z, y, x] = size;
        let x = uniform([2, channels[0], z, y, x], &mut stream, &device).require_grad();
        let (found, expected) = (conv_transpose3d(&up, x.clone()), up.forward(x.clone()));
        same("values", found.clone(), expected.clone());
        let (found, expected) = (backward(found), backward(expected));
        same_gradient("input", &x, &found, &expected);
        same_gradient("weight", &up.weight.val(), &found, &expected);
    }
}

fn norm(channels: usize, stream: &mut Random, device: &Device) -> InstanceNorm {
    let mut norm = InstanceNormConfig::new(channels).init(device);
    let around_one = uniform([channels], stream, device) + 1.5;
    norm.gamma = Some(Param::from_tensor(around_one.detach()));
    norm.beta = Some(Param::from_tensor(uniform([channels], stream, device)));
    norm
}

#[test]
fn norms_are_burns() {
    let device = Device::flex().autodiff();
    let mut stream = Random::new(4);
    for (channels, size) in [(3, [5, 7, 9]), (2, [1, 1, 2]), (1, [4, 20, 40])] {
        let layer = norm(channels, &mut stream, &device);
        let [z, y, x] = size;
        let x = (uniform([2, channels, z, y, x], &mut stream, &device) * 3.0 + 1.0)
            .detach()
            .require_grad();
        let found = norm_leaky_relu(&layer, 0.01, x.clone());
        let expected = leaky_relu(layer.forward(x.clone()), 0.01);
        same("values", found.clone(), expected.clone());
        let (found, expected) = (backward(found), backward(expected));
        same_gradient("input", &x, &found, &expected);
        let [gamma, beta] = [&layer.gamma, &layer.beta].map(|p| p.as_ref().unwrap().val());
        same_gradient("gamma", &gamma, &found, &expected);
        same_gradient("beta", &beta, &found, &expected);
    }
}

/// A mean a thousand times the deviation, over more voxels than single precision adds up well.
#[test]
fn norms_keep_their_digits() {
    let device = Device::flex();
    let voxels = 32 * 96 * 96;
    let values: Vec<f32> = (0..voxels)
        .map(|voxel| 1000.0 + (voxel as f32 * 0.7).sin())
        .collect();
    let exact: Vec<f64> = {
        let values = || values.iter().map(|&value| f64::from(value));
        let mean = values().sum::<f64>() / voxels as f64;
        let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / voxels as f64;
        values()
            .map(|value| (value - mean) / (variance + 1e-5).sqrt())
            .map(|value| value.max(0.01 * value))
            .collect()
    };
    let layer = InstanceNormConfig::new(1).init(&device);
    let x = Tensor::<1>::from_floats(&values[..], &device).reshape([1, 1, 32, 96, 96]);
    let found = norm_leaky_relu(&layer, 0.01, x).into_data();
    for (found, exact) in found.iter::<f32>().zip(exact) {
        // The input's own rounding is 6e-5 of a deviation.
        assert!((f64::from(found) - exact).abs() < 1e-4, "{found} {exact}");
    }
}

/// Whether or not anything is recorded, the values are the same to the last bit.
#[test]
fn without_autodiff_the_values_are_the_same() {
    let device = Device::flex();
    let mut stream = Random::new(6);
    let case = &CASES[0];
    let layer = conv(case, true, &mut stream, &device);
    let activation = norm(5, &mut stream, &device);
    let x = uniform([1, 3, 5, 7, 9], &mut stream, &device);
    let run =
        |layer: &Conv3d, norm: &InstanceNorm, x| norm_leaky_relu(norm, 0.01, conv3d(layer, x));
    let plain = run(&layer, &activation, x.clone());
    let tracked = device.clone().autodiff();
    let recorded = run(
        &layer.to_device(&tracked),
        &activation.to_device(&tracked),
        x.to_device(&tracked),
    );
    assert_eq!(plain.into_data(), recorded.into_data());
}
