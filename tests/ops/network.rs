//! What networks are made of: activations, normalisations, products, attention.

use burn::prelude::*;
use burn::tensor::activation as act;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;
use proptest::prelude::*;

use super::case::{Case, EXACT, ROUNDING, SUMS, case};
use super::random::samples;

type Function = fn(Tensor<3>) -> Tensor<3>;

const ACTIVATIONS: &[(&str, Function, f32)] = &[
    ("Activation::Relu", act::relu, EXACT),
    (
        "Activation::LeakyRelu",
        |x| act::leaky_relu(x, 0.01),
        ROUNDING,
    ),
    ("Activation::Gelu", act::gelu, ROUNDING),
    ("Activation::Sigmoid", act::sigmoid, ROUNDING),
    (
        "Activation::HardSigmoid",
        |x| act::hard_sigmoid(x, 0.3, 0.4),
        ROUNDING,
    ),
    ("Activation::LogSigmoid", act::log_sigmoid, ROUNDING),
    ("Activation::Softmax", |x| act::softmax(x, 1), ROUNDING),
    ("Activation::Softmax", |x| act::softmax(x, 2), ROUNDING),
    (
        "Activation::LogSoftmax",
        |x| act::log_softmax(x, 0),
        ROUNDING,
    ),
    ("Activation::Softmin", |x| act::softmin(x, 1), ROUNDING),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, &(op, function, tolerance)) in ACTIVATIONS.iter().enumerate() {
        let case = case(op, format!("{index}")).float(&[2, 3, 4], -6.0, 6.0);
        cases.push(case.within(tolerance).body(move |g| {
            let x = g.float::<3>();
            g.output(function(x));
        }));
    }
    for slopes in [1usize, 3] {
        cases.push(
            case("Activation::PRelu", format!("{slopes} slopes"))
                .float(&[2, 3, 4], -2.0, 2.0)
                .within(ROUNDING)
                .body(move |g| {
                    let (x, slopes) = (g.float::<3>(), g.weights([slopes]));
                    g.output(act::prelu(x, slopes));
                }),
        );
    }
    cases.extend(norms());
    cases.extend(products());
    cases.extend(attention());
    cases
}

fn norms() -> Vec<Case> {
    vec![
        case("Module::BatchNorm", "")
            .float(&[2, 3, 4, 5], -2.0, 2.0)
            .within(ROUNDING)
            .body(|g| {
                let x = g.float::<4>();
                let [gamma, beta, mean, spread] = [(); 4].map(|()| g.weights([3]));
                let variance = spread.abs().add_scalar(0.5);
                g.output(module::batch_norm(x, gamma, beta, mean, variance, 1e-5));
            }),
        case("Module::LayerNorm", "with shift")
            .float(&[2, 3, 8], -2.0, 2.0)
            .within(SUMS)
            .body(|g| {
                let x = g.float::<3>();
                let (gamma, beta) = (g.weights([8]), g.weights([8]));
                g.output(module::layer_norm(x, gamma, Some(beta), 1e-5));
            }),
        case("Module::LayerNorm", "without shift")
            .float(&[2, 3, 8], -2.0, 2.0)
            .within(SUMS)
            .body(|g| {
                let x = g.float::<3>();
                let gamma = g.weights([8]);
                g.output(module::layer_norm(x, gamma, None, 1e-5));
            }),
    ]
}

fn products() -> Vec<Case> {
    let mut cases = vec![
        case("Int::Matmul", "")
            .int(&[2, 3, 4], -9, 9)
            .int(&[2, 4, 5], -9, 9)
            .tract_cannot("no product of matrices of 64-bit integers")
            .body(|g| {
                let (x, y) = (g.int::<3>(), g.int::<3>());
                g.output_int(x.matmul(y));
            }),
        case("Float::Matmul", "a linear layer")
            .float(&[2, 3, 4], -2.0, 2.0)
            .within(SUMS)
            .body(|g| {
                let x = g.float::<3>();
                let (weight, bias) = (g.weights([4, 5]), g.weights([5]));
                g.output(module::linear(x, weight, Some(bias)));
            }),
    ];
    let sizes = prop::array::uniform3(1usize..7);
    for [m, k, n] in samples(4, sizes) {
        cases.push(
            case("Float::Matmul", format!("{m}x{k}x{n}"))
                .float(&[2, m, k], -2.0, 2.0)
                .float(&[1, k, n], -2.0, 2.0)
                .within(SUMS)
                .body(|g| {
                    let (x, y) = (g.float::<3>(), g.float::<3>());
                    g.output(x.matmul(y));
                }),
        );
    }
    for bias in [true, false] {
        cases.push(
            case("Module::Linear", format!("with bias: {bias}"))
                .float(&[2, 3, 4], -2.0, 2.0)
                .within(SUMS)
                .body(move |g| {
                    let x = g.float::<3>();
                    let weight = g.weights([4, 5]);
                    let bias = bias.then(|| g.weights([5]));
                    let y = super::direct::linear(g.is_traced(), x, weight, bias);
                    g.output(y);
                }),
        );
    }
    cases
}

fn attention() -> Vec<Case> {
    let choice = (
        1usize..4,
        2usize..6,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    samples(8, choice)
        .into_iter()
        .enumerate()
        .map(|(index, (rows, more, masked, biased, causal, bent))| {
            let keys = rows + more;
            let name = format!(
                "{index}: {rows} of {keys}, mask {masked}, bias {biased}, causal {causal}, cap {bent}"
            );
            case("Module::Attention", name)
                .float(&[2, 3, rows, 4], -2.0, 2.0)
                .float(&[2, 3, keys, 4], -2.0, 2.0)
                .float(&[2, 3, keys, 5], -2.0, 2.0)
                .float(&[2, 3, rows, keys], -1.0, 1.0)
                .within(SUMS)
                .body(move |g| {
                    let (q, k, v) = (g.float::<4>(), g.float::<4>(), g.float::<4>());
                    let scores = g.float::<4>();
                    let options = AttentionModuleOptions {
                        scale: bent.then_some(0.7),
                        softcap: bent.then_some(1.5),
                        is_causal: causal,
                    };
                    // The first key is always seen: nothing is left to attend to otherwise.
                    let first = g.known([1, 1, 1, keys], &(0..keys as i64).collect::<Vec<_>>());
                    let mask = scores
                        .clone()
                        .greater_scalar(0.3)
                        .bool_and(first.greater_scalar(0).expand([2, 3, rows, keys]));
                    let mask = masked.then_some(mask);
                    let bias = biased.then(|| scores.clone());
                    g.output(module::attention(q, k, v, mask, bias, options));
                    g.output(scores);
                })
        })
        .collect()
}
