//! Operators of later opsets that passes put in the place of formulas, against burn.

use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::prelude::*;
use burn::tensor::activation::{gelu, gelu_approximate, softmax};
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;
use uniseg_export::Opset;
use uniseg_runtime::EngineKind;

use super::case::{Case, Given, SUMS, case};
use super::{NO_ATTENTION, findings};
use crate::networks::weights::seeded;

/// A case, the opset whose operator it is to become, and that operator.
type Fused = (Case, i64, &'static str);

fn cases() -> Vec<Fused> {
    let mut cases = perceptrons();
    cases.extend(by_hand());
    cases.extend(burns_own());
    cases
}

/// Two linear layers with a GELU between them.
fn perceptrons() -> Vec<Fused> {
    type Function = fn(Tensor<3>) -> Tensor<3>;
    let functions: [(&str, Function); 3] = [
        ("exact", gelu),
        ("by tanh", gelu_approximate),
        ("by hand", |x| {
            let gate = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
            x * 0.5 * gate
        }),
    ];
    let case = |(name, function): (&str, Function)| {
        let case = case("Activation::Gelu", format!("a perceptron, {name}"))
            .float(&[2, 3, 4], -3.0, 3.0)
            .within(SUMS)
            .body(move |g| {
                let x = g.float::<3>();
                let (first, bias) = (g.weights([4, 8]), g.weights([8]));
                let second = g.weights([8, 5]);
                let hidden = function(module::linear(x, first, Some(bias)));
                g.output(module::linear(hidden, second, None));
            });
        (case, 20, "Gelu")
    };
    functions.into_iter().map(case).collect()
}

fn inputs(case: Case) -> Case {
    case.float(&[2, 3, 4, 6], -2.0, 2.0)
        .float(&[2, 3, 5, 6], -2.0, 2.0)
        .float(&[2, 3, 5, 7], -2.0, 2.0)
        .within(SUMS)
}

/// Which of five places, of two volumes, are hidden from all queries.
fn padding(g: &Given<'_>) -> Tensor<4, Bool> {
    g.known([2, 1, 1, 5], &[0, 0, 0, 1, 1, 0, 0, 0, 0, 1])
        .greater_scalar(0)
}

/// Attention from products and a soft-max.
fn by_hand() -> Vec<Fused> {
    type Bend = fn(&Given<'_>, Tensor<4>) -> Tensor<4>;
    let bends: [(&str, Bend); 6] = [
        ("plain", |_, scores| scores),
        ("divided", |_, scores| scores / 6f64.sqrt()),
        ("multiplied", |_, scores| scores * 0.3),
        ("with padding", |g, scores| {
            (scores * 0.4).mask_fill(padding(g), f64::NEG_INFINITY)
        }),
        ("with a known bias", |g, scores| {
            let bias = g.known([1, 1, 4, 5], &(0..20).collect::<Vec<_>>());
            scores * 0.4 + bias.float() / 7.0
        }),
        ("with a bias of places and padding", |g, scores| {
            let bias = g.known([1, 3, 1, 5], &(0..15).collect::<Vec<_>>());
            let scores = scores * 0.4 + bias.float() / 7.0;
            scores.mask_fill(padding(g), f64::NEG_INFINITY)
        }),
    ];
    let case = |(name, bend): (&str, Bend)| {
        let case = case("Module::Attention", format!("by hand, {name}"));
        let case = inputs(case).body(move |g| {
            let (q, k, v) = (g.float::<4>(), g.float::<4>(), g.float::<4>());
            let scores = bend(g, q.matmul(k.transpose()));
            g.output(softmax(scores, 3).matmul(v));
        });
        (case, 23, "Attention")
    };
    bends.into_iter().map(case).collect()
}

/// burn's operation, its module, and a transformer, which has both operators.
fn burns_own() -> Vec<Fused> {
    let mut cases = Vec::new();
    for (causal, masked, biased) in [
        (false, false, false),
        (true, false, false),
        (false, true, false),
        (true, true, true),
    ] {
        let name = format!("causal {causal}, mask {masked}, bias {biased}");
        let case = inputs(case("Module::Attention", name)).body(move |g| {
            let (q, k, v) = (g.float::<4>(), g.float::<4>(), g.float::<4>());
            let options = AttentionModuleOptions {
                is_causal: causal,
                ..Default::default()
            };
            let mask = masked.then(|| padding(g).expand([2, 3, 4, 5]));
            let bias = biased.then(|| g.weights([2, 3, 4, 5]));
            g.output(module::attention(q, k, v, mask, bias, options));
        });
        cases.push((case, 23, "Attention"));
    }
    let device = Device::flex();
    let heads = MultiHeadAttentionConfig::new(8, 2).init(&device);
    let heads = seeded(heads, "a module of two heads");
    let case_of_heads = case("Module::Attention", "a module of two heads")
        .float(&[2, 5, 8], -2.0, 2.0)
        .within(SUMS)
        .body(move |g| {
            let x = g.float::<3>();
            g.output(g.load(&heads).forward(MhaInput::self_attn(x)).context);
        });
    cases.push((case_of_heads, 23, "Attention"));
    for (version, operator) in [(23, "Attention"), (20, "Gelu")] {
        let encoder = TransformerEncoderConfig::new(8, 16, 2, 2).with_norm_first(true);
        let encoder = seeded(encoder.init(&device), "a transformer");
        let case = case(
            "Module::Attention",
            format!("a transformer with {operator}"),
        )
        .float(&[2, 5, 8], -2.0, 2.0)
        .within(SUMS)
        .body(move |g| {
            let x = g.float::<3>();
            g.output(g.load(&encoder).forward(TransformerEncoderInput::new(x)));
        });
        cases.push((case, version, operator));
    }
    cases
}

#[test]
fn fused_operators_compute_what_burn_computes() {
    let mut faults = Vec::new();
    let mut files = Vec::new();
    for (case, version, operator) in cases() {
        let outcome = case.run_in(Opset::new(version).unwrap()).unwrap();
        let found = &outcome.operators;
        assert!(found.contains(&operator), "{}: {found:?}", case.name);
        let written_out: &[&str] = match operator {
            "Attention" => &["Softmax"],
            _ => &["Erf", "Tanh"],
        };
        for part in written_out {
            assert!(!found.contains(part), "{}: {found:?}", case.name);
        }
        for (engine, result) in &outcome.engines {
            let cannot = operator == "Attention" && *engine == EngineKind::Tract;
            match result {
                Err(error) if !cannot => {
                    faults.push(format!("{} in {engine}: {error}", case.name));
                }
                Ok(()) if cannot => {
                    let title = format!("{} in {engine} works", case.name);
                    faults.push(format!("{title}, though \"{NO_ATTENTION}\""));
                }
                _ => {}
            }
        }
        files.push(outcome.bytes);
        let before = case.run_in(Opset::new(version - 1).unwrap()).unwrap();
        assert!(!before.operators.contains(&operator), "{}", case.name);
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let findings = findings("ops-fused", files.into_iter());
    assert!(findings.is_empty(), "{findings}");
}
