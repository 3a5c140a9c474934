//! Windows: convolutions and pools.

use burn::tensor::module;
use burn::tensor::ops::{
    AvgPoolOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions, MaxPoolOptions,
};
use proptest::prelude::*;

use super::case::{Case, EXACT, ROUNDING, SUMS, case};
use super::random::samples;

pub fn cases() -> Vec<Case> {
    let mut cases = convolutions();
    cases.extend(deformed());
    cases.extend(pools());
    cases
}

/// Offsets in both directions for each place of the kernel, in each of their groups.
fn deformed() -> Vec<Case> {
    let options = (
        1usize..3,
        1usize..3,
        0usize..2,
        any::<bool>(),
        any::<bool>(),
    );
    let mut cases = Vec::new();
    for (groups, offset_groups, padding, masked, biased) in samples(6, options) {
        let name = format!(
            "groups {groups}, of offsets {offset_groups}, padding {padding}, mask {masked}, bias {biased}"
        );
        let [rows, columns] = [6 + 2 * padding - 2, 7 - 1];
        let places = 3 * 2 * offset_groups;
        cases.push(
            case("Module::DeformableConv2d", name)
                .since(19)
                .tract_cannot("no DeformConv")
                .float(&[2, 4, 6, 7], -1.0, 1.0)
                .float(&[2, 2 * places, rows, columns], -1.5, 1.5)
                .float(&[2, places, rows, columns], 0.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (x, offset, mask) = (g.float::<4>(), g.float::<4>(), g.float::<4>());
                    let weight = g.weights([6, 4 / groups, 3, 2]);
                    let bias = biased.then(|| g.weights([6]));
                    let options =
                        DeformConvOptions::new([1; 2], [padding, 0], [1; 2], groups, offset_groups);
                    let used = masked.then(|| mask.clone());
                    g.output(module::deform_conv2d(
                        x, offset, weight, used, bias, options,
                    ));
                    g.output(mask);
                }),
        );
    }
    cases
}

fn convolutions() -> Vec<Case> {
    let mut cases = Vec::new();
    let options = (
        1usize..3,
        1usize..3,
        0usize..3,
        1usize..3,
        1usize..4,
        any::<bool>(),
    );
    for (groups, stride, padding, dilation, kernel, bias) in samples(4, options) {
        let name = format!(
            "groups {groups} stride {stride} padding {padding} dilation {dilation} kernel {kernel} bias {bias}"
        );
        cases.push(
            case("Module::Conv1d", name.clone())
                .float(&[2, 4, 9], -1.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (x, w) = (g.float::<3>(), g.weights([6, 4 / groups, kernel]));
                    let b = bias.then(|| g.weights([6]));
                    let options = ConvOptions::new([stride], [padding], [dilation], groups);
                    g.output(module::conv1d(x, w, b, options));
                }),
        );
        cases.push(
            case("Module::Conv2d", name.clone())
                .float(&[1, 4, 7, 8], -1.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (x, w) = (g.float::<4>(), g.weights([6, 4 / groups, kernel, 2]));
                    let b = bias.then(|| g.weights([6]));
                    let options =
                        ConvOptions::new([stride, 1], [padding, 1], [1, dilation], groups);
                    g.output(module::conv2d(x, w, b, options));
                }),
        );
        cases.push(
            case("Module::Conv3d", name.clone())
                .float(&[1, 2, 6, 5, 7], -1.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (x, w) = (g.float::<5>(), g.weights([4, 2 / groups, kernel, 2, 3]));
                    let b = bias.then(|| g.weights([4]));
                    let options =
                        ConvOptions::new([stride, 1, 2], [padding, 1, 0], [1, dilation, 1], groups);
                    g.output(module::conv3d(x, w, b, options));
                }),
        );
        let out = usize::from(stride > 1);
        let shrink = padding.min(dilation * (kernel - 1));
        cases.push(
            case("Module::ConvTranspose1d", name.clone())
                .float(&[2, 4, 5], -1.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (x, w) = (g.float::<3>(), g.weights([4, 3, kernel]));
                    let b = bias.then(|| g.weights([3 * groups]));
                    let options =
                        ConvTransposeOptions::new([stride], [shrink], [out], [dilation], groups);
                    g.output(module::conv_transpose1d(x, w, b, options));
                }),
        );
        cases.push(
            case("Module::ConvTranspose2d", name.clone())
                .float(&[1, 4, 5, 4], -1.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (x, w) = (g.float::<4>(), g.weights([4, 3, kernel, 2]));
                    let b = bias.then(|| g.weights([3 * groups]));
                    let options = ConvTransposeOptions::new(
                        [stride, 2],
                        [shrink, 0],
                        [out, 0],
                        [dilation, 1],
                        groups,
                    );
                    g.output(module::conv_transpose2d(x, w, b, options));
                }),
        );
        cases.push(
            case("Module::ConvTranspose3d", name)
                .float(&[1, 2, 3, 4, 3], -1.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (x, w) = (g.float::<5>(), g.weights([2, 3, kernel, 2, 2]));
                    let b = bias.then(|| g.weights([3 * groups]));
                    let options = ConvTransposeOptions::new(
                        [stride, 2, 1],
                        [shrink, 0, 0],
                        [out, 0, 0],
                        [dilation, 1, 1],
                        groups,
                    );
                    g.output(module::conv_transpose3d(x, w, b, options));
                }),
        );
    }
    cases.push(
        case("Module::Conv2d", "asymmetric padding")
            .float(&[1, 2, 5, 6], -1.0, 1.0)
            .within(SUMS)
            .body(|g| {
                let (x, w) = (g.float::<4>(), g.weights([3, 2, 3, 2]));
                let mut options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
                options.padding = [(1, 2), (0, 1)];
                g.output(module::conv2d(x, w, None, options));
            }),
    );
    cases
}

fn pools() -> Vec<Case> {
    let mut cases = Vec::new();
    let options = (
        2usize..4,
        1usize..4,
        0usize..2,
        1usize..3,
        any::<bool>(),
        any::<bool>(),
    );
    for (index, (kernel, stride, padding, dilation, ceil, count)) in
        samples(8, options).into_iter().enumerate()
    {
        let name = format!(
            "{index}: kernel {kernel} stride {stride} padding {padding} dilation {dilation} ceil {ceil} count {count}"
        );
        cases.push(
            case("Module::MaxPool1d", name.clone())
                .float(&[2, 3, 10], -1.0, 1.0)
                .within(EXACT)
                .body(move |g| {
                    let options = max_options(ceil, [kernel], [stride], [padding], [dilation]);
                    let x = g.float::<3>();
                    g.output(module::max_pool1d(x, options));
                }),
        );
        cases.push(
            case("Module::MaxPool2d", name.clone())
                .float(&[1, 2, 9, 8], -1.0, 1.0)
                .body(move |g| {
                    let options =
                        max_options(ceil, [kernel, 2], [stride, 2], [padding, 1], [1, dilation]);
                    let x = g.float::<4>();
                    g.output(module::max_pool2d(x, options));
                }),
        );
        cases.push(
            case("Module::MaxPool1dWithIndices", name.clone())
                .float(&[2, 3, 10], -1.0, 1.0)
                .body(move |g| {
                    let options = max_options(ceil, [kernel], [stride], [padding], [dilation]);
                    let x = g.float::<3>();
                    let (values, indices) = module::max_pool1d_with_indices(x, options);
                    g.output(values);
                    g.output_int(indices);
                }),
        );
        cases.push(
            case("Module::MaxPool2dWithIndices", name.clone())
                .float(&[2, 2, 7, 6], -1.0, 1.0)
                .body(move |g| {
                    let options = max_options(ceil, [kernel, 2], [stride, 1], [padding, 0], [1, 1]);
                    let x = g.float::<4>();
                    let (values, indices) = module::max_pool2d_with_indices(x, options);
                    g.output(values);
                    g.output_int(indices);
                }),
        );
        cases.push(
            case("Module::AvgPool1d", name.clone())
                .float(&[2, 3, 10], -1.0, 1.0)
                .within(ROUNDING)
                .body(move |g| {
                    let options = avg_options(ceil, [kernel], [stride], [padding], count);
                    let x = g.float::<3>();
                    g.output(module::avg_pool1d(x, options));
                }),
        );
        cases.push(
            case("Module::AvgPool2d", name)
                .float(&[1, 2, 9, 8], -1.0, 1.0)
                .within(ROUNDING)
                .body(move |g| {
                    let options = avg_options(ceil, [kernel, 2], [stride, 3], [padding, 1], count);
                    let x = g.float::<4>();
                    g.output(module::avg_pool2d(x, options));
                }),
        );
    }
    let sizes = (
        prop::array::uniform3(3usize..8),
        prop::array::uniform3(1usize..5),
    );
    for ([d, h, w], to) in samples(4, sizes)
        .into_iter()
        .chain([([4, 6, 8], [2, 3, 2]), ([5, 4, 3], [1, 1, 1])])
    {
        let name = format!("{:?} to {to:?}", [d, h, w]);
        cases.push(
            case("Module::AdaptiveAvgPool1d", name.clone())
                .float(&[2, 3, w], -1.0, 1.0)
                .within(ROUNDING)
                .body(move |g| {
                    let x = g.float::<3>();
                    g.output(module::adaptive_avg_pool1d(x, to[2]));
                }),
        );
        cases.push(
            case("Module::AdaptiveAvgPool2d", name.clone())
                .float(&[1, 3, h, w], -1.0, 1.0)
                .within(ROUNDING)
                .body(move |g| {
                    let x = g.float::<4>();
                    g.output(module::adaptive_avg_pool2d(x, [to[1], to[2]]));
                }),
        );
        cases.push(
            case("Module::AdaptiveAvgPool3d", name)
                .float(&[1, 2, d, h, w], -1.0, 1.0)
                .within(ROUNDING)
                .body(move |g| {
                    let x = g.float::<5>();
                    g.output(module::adaptive_avg_pool3d(x, to));
                }),
        );
    }
    cases
}

fn max_options<const N: usize>(
    ceil: bool,
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
    dilation: [usize; N],
) -> MaxPoolOptions<N> {
    MaxPoolOptions {
        stride,
        padding: padding.map(|padding| (padding, padding)),
        dilation,
        ceil_mode: ceil,
        ..MaxPoolOptions::new(kernel)
    }
}

fn avg_options<const N: usize>(
    ceil: bool,
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
    count: bool,
) -> AvgPoolOptions<N> {
    AvgPoolOptions {
        stride,
        padding: padding.map(|padding| (padding, padding)),
        count_include_pad: count,
        ceil_mode: ceil,
        ..AvgPoolOptions::new(kernel)
    }
}
