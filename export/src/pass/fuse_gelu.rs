use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

use super::product::Product;
use super::{Pass, View};
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::opset::Opset;

/// Finds a GELU that was written out; from opset 20 on, which has an operator for it.
///
/// ```text
/// x * 0.5 * (1 + Erf(x / sqrt(2)))                              ->   Gelu(x) approximate=none
/// x * 0.5 * (1 + Tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))     ->   Gelu(x) approximate=tanh
/// ```
/// Factors may stand in any order, be multiplied by or divided into, and `x^3` may be a power or a
/// product. Other numbers than these, beyond the rounding of f32, are another function and stay.
pub(super) struct FuseGelu;

const SINCE: Opset = Opset::known(20);

impl Pass for FuseGelu {
    fn name(&self) -> &'static str {
        "fuse-gelu"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        if graph.opset() < SINCE {
            return 0;
        }
        let found: Vec<(usize, ValueId, &'static str)> = {
            let view = View::new(graph);
            graph
                .nodes()
                .iter()
                .enumerate()
                .filter_map(|(index, node)| {
                    let (x, approximate) = find(&view, node)?;
                    Some((index, x, approximate))
                })
                .collect()
        };
        let mut patch = Patch::default();
        for (index, x, approximate) in found {
            let node = Node {
                op: "Gelu",
                inputs: vec![x],
                outputs: Vec::new(),
                attributes: vec![("approximate", Attribute::Text(approximate))],
                origin: "fuse-gelu",
            };
            patch.replace(graph, index, node);
        }
        patch.finish(graph)
    }
}

fn find(view: &View<'_>, node: &Node) -> Option<(ValueId, &'static str)> {
    let whole = Product::of(view, node)?;
    let &[a, b] = whole.factors.as_slice() else {
        return None;
    };
    if !near(whole.scalar, 0.5) {
        return None;
    }
    [(a, b), (b, a)].into_iter().find_map(|(x, gate)| {
        let approximate = gate_of(view, x, gate)?;
        let same = view.shape(x) == view.shape(*node.outputs.first()?);
        same.then_some((x, approximate))
    })
}

/// Which form of GELU `gate` is the `1 + ..` of, if it is one.
fn gate_of(view: &View<'_>, x: ValueId, gate: ValueId) -> Option<&'static str> {
    let (_, sum) = view
        .made_for_one(gate)
        .filter(|(_, node)| node.op == "Add")?;
    let &[a, b] = sum.inputs.as_slice() else {
        return None;
    };
    let is_one = |id| view.number(id) == Some(1.0);
    let curve = match (is_one(a), is_one(b)) {
        (true, false) => b,
        (false, true) => a,
        _ => return None,
    };
    let (_, curve) = view.made_for_one(curve)?;
    let argument = *curve.inputs.first()?;
    match curve.op {
        "Erf" => {
            let scaled = Product::behind(view, argument)?;
            (near(scaled.scalar, FRAC_1_SQRT_2) && scaled.factors == [x]).then_some("none")
        }
        "Tanh" => {
            let scaled = Product::behind(view, argument)?;
            let &[bent] = scaled.factors.as_slice() else {
                return None;
            };
            (near(scaled.scalar, FRAC_2_PI.sqrt()) && is_bent(view, x, bent)).then_some("tanh")
        }
        _ => None,
    }
}

/// Whether `bent` is `x + 0.044715 * x^3`.
fn is_bent(view: &View<'_>, x: ValueId, bent: ValueId) -> bool {
    let Some((_, sum)) = view.made_for_one(bent).filter(|(_, node)| node.op == "Add") else {
        return false;
    };
    let rest = match *sum.inputs.as_slice() {
        [a, b] if a == x => b,
        [a, b] if b == x => a,
        _ => return false,
    };
    let Some(cube) = Product::behind(view, rest) else {
        return false;
    };
    let is_cube = match cube.factors.as_slice() {
        &[power] => view.made_by(power, "Pow").is_some_and(|node| {
            matches!(node.inputs.as_slice(), &[base, exponent]
                if base == x && view.number(exponent) == Some(3.0))
        }),
        factors => factors == [x, x, x],
    };
    near(cube.scalar, 0.044715) && is_cube
}

/// Equal up to the rounding of a few f32 numbers.
fn near(number: f64, expected: f64) -> bool {
    (number - expected).abs() <= 1e-6 * expected
}

#[cfg(test)]
mod tests {
    use burn::prelude::*;
    use burn::tensor::activation::{gelu, gelu_approximate};

    use crate::testing::{optimised, optimised_at};

    #[test]
    fn burns_gelu_is_one_node_from_opset_20_on() {
        insta::assert_snapshot!(optimised_at(20, &[2, 3], gelu), @"
        input x = v0:f32[2, 3]
        v1:f32[2, 3] = Gelu(v0:f32[2, 3]) approximate=none
        output y = v1:f32[2, 3]
        ");
        assert!(!optimised_at(19, &[2, 3], gelu).contains("Gelu"));
        assert!(!optimised(&[2, 3], gelu).contains("Gelu"));
    }

    #[test]
    fn the_tanh_form_is_one_node() {
        insta::assert_snapshot!(optimised_at(20, &[2, 3], gelu_approximate), @"
        input x = v0:f32[2, 3]
        v1:f32[2, 3] = Gelu(v0:f32[2, 3]) approximate=tanh
        output y = v1:f32[2, 3]
        ");
    }

    #[test]
    fn other_ways_to_write_it_are_the_same_node() {
        let erf = |x: Tensor<2>| x.clone() * 0.5 * (x.mul_scalar(FRAC_1_SQRT_2).erf() + 1.0);
        let halved = |x: Tensor<2>| (x.clone().div_scalar(SQRT_2).erf() + 1.0) * x / 2.0;
        let tanh = |x: Tensor<2>| {
            let cube = x.clone() * x.clone() * x.clone();
            let bent = (cube * 0.044715 + x.clone()) * 0.797_884_6;
            x * 0.5 * (bent.tanh() + 1.0)
        };
        use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};
        for text in [
            optimised_at(20, &[2, 3], erf),
            optimised_at(20, &[2, 3], halved),
            optimised_at(20, &[2, 3], tanh),
        ] {
            assert!(text.contains("Gelu") && !text.contains("Mul"), "{text}");
        }
    }

    #[test]
    fn what_is_not_quite_a_gelu_stays() {
        let other = |half: f64, root: f64, one: f64| {
            optimised_at(20, &[2, 3], move |x: Tensor<2>| {
                x.clone() * half * (x.mul_scalar(root).erf() + one)
            })
        };
        let root = std::f64::consts::FRAC_1_SQRT_2;
        assert!(other(0.5, root, 1.0).contains("Gelu"));
        for text in [
            other(0.51, root, 1.0),
            other(0.5, 0.7072, 1.0),
            other(0.5, root, 1.1),
        ] {
            assert!(!text.contains("Gelu"), "{text}");
        }
        let gated = optimised_at(20, &[2, 3], |x: Tensor<2>| {
            x.clone().exp() * 0.5 * (x.mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0)
        });
        assert!(!gated.contains("Gelu"), "{gated}");
        let squared = optimised_at(20, &[2, 3], |x: Tensor<2>| {
            let bent = (x.clone() + x.clone().powf_scalar(2.0) * 0.044715) * 0.797_884_6;
            x * 0.5 * (bent.tanh() + 1.0)
        });
        assert!(!squared.contains("Gelu"), "{squared}");
    }
}
