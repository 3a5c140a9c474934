mod evaluate;

use super::Pass;
use crate::graph::{Graph, Patch};

/// Computes nodes all of whose inputs are known, such as reshaped or joined weights.
///
/// Declines what [`evaluate`] does not know, and results that would blow up the file: an expansion
/// stays a node.
pub(super) struct FoldConstants;

impl Pass for FoldConstants {
    fn name(&self) -> &'static str {
        "fold-constants"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let mut folded = Vec::new();
        for node in graph.nodes() {
            let &[result] = node.outputs.as_slice() else {
                continue;
            };
            let inputs: Option<Vec<_>> = node.inputs.iter().map(|&id| graph.constant(id)).collect();
            let Some(inputs) = inputs else { continue };
            let shape = &graph.value(result).shape;
            let size: usize = shape.iter().product();
            let known: usize = inputs
                .iter()
                .map(|input| input.shape.iter().product::<usize>())
                .sum();
            if size > known {
                continue;
            }
            if let Some(constant) = evaluate::evaluate(node, &inputs, shape) {
                folded.push((result, constant));
            }
        }
        let mut patch = Patch::default();
        for (result, constant) in folded {
            let value = graph.add_constant(constant);
            patch.redirect(result, value);
        }
        patch.finish(graph)
    }
}

#[cfg(test)]
mod tests {
    use burn::prelude::*;

    use crate::testing::optimised;

    #[test]
    fn a_chain_of_known_values_becomes_one_constant() {
        let text = optimised(&[4], |x| {
            let device = x.device();
            let a = Tensor::<1>::from_floats([1.0, 2.0], &device);
            let b = Tensor::<1>::from_floats([3.0, 4.0], &device);
            let joined = Tensor::cat(vec![a, b], 0)
                .reshape([2, 2])
                .transpose()
                .reshape([4]);
            x + joined.mul_scalar(2.0)
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[4]
        v2:f32[4] = Add(v0:f32[4], c1:f32[4]{2, 6, 4, 8})
        output y = v2:f32[4]
        ");
    }
}
