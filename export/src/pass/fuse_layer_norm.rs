use super::{Pass, View};
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::types::{Constant, Dtype};

/// Finds a LayerNorm over the last axis that was written out.
///
/// ```text
/// d = x - ReduceMean(x, last)
/// d / Sqrt(ReduceMean(d * d, last) + epsilon) * scale + bias   ->   LayerNormalization(x, scale, bias)
/// ```
/// Scale and bias are known vectors of the last axis; without them it stays as it is, for it may be
/// an InstanceNorm.
pub(super) struct FuseLayerNorm;

struct Match {
    last: usize,
    x: ValueId,
    epsilon: f32,
    scale: Constant,
    bias: Constant,
}

impl Pass for FuseLayerNorm {
    fn name(&self) -> &'static str {
        "fuse-layer-norm"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let found: Vec<Match> = {
            let view = View::new(graph);
            graph
                .nodes()
                .iter()
                .filter_map(|node| find(&view, node))
                .collect()
        };
        let mut patch = Patch::default();
        for found in found {
            let axis = graph.value(found.x).shape.len() as i64 - 1;
            let scale = graph.add_constant(found.scale);
            let bias = graph.add_constant(found.bias);
            let node = Node {
                op: "LayerNormalization",
                inputs: vec![found.x, scale, bias],
                outputs: Vec::new(),
                attributes: vec![
                    ("axis", Attribute::Int(axis)),
                    ("epsilon", Attribute::Float(found.epsilon)),
                ],
                origin: "fuse-layer-norm",
            };
            patch.replace(graph, found.last, node);
        }
        patch.finish(graph)
    }
}

fn find(view: &View<'_>, divide: &Node) -> Option<Match> {
    let &[centred, deviation] = divide.inputs.as_slice() else {
        return None;
    };
    if divide.op != "Div" || view.graph.value(centred).dtype != Dtype::F32 {
        return None;
    }
    let &[x, mean] = view.made_by(centred, "Sub")?.inputs.as_slice() else {
        return None;
    };
    let last = view.shape(x).len().checked_sub(1)?;
    let mean_of = |id| {
        let node = view.made_by(id, "ReduceMean")?;
        let along = node.ints("axes") == Some(&[last as i64]) && node.int("keepdims") == Some(1);
        along.then_some(node.inputs[0])
    };
    let shifted = view.made_by(deviation, "Sqrt")?.inputs[0];
    let &[variance, epsilon] = view.made_by(shifted, "Add")?.inputs.as_slice() else {
        return None;
    };
    let epsilon = view.graph.constant(epsilon)?.scalar_f32()?;
    let square = view.made_by(mean_of(variance)?, "Mul")?;
    if mean_of(mean)? != x || square.inputs != [centred, centred] {
        return None;
    }
    let parameter = |id: ValueId, op| {
        let (at, node) = view.read_by(id, op)?;
        let &other = node.inputs.iter().find(|&&input| input != id)?;
        let constant = view.graph.constant(other)?;
        let length = *view.shape(x).last()?;
        let fits = constant.shape.iter().product::<usize>() == length
            && constant.shape.last() == Some(&length);
        fits.then(|| (at, node.outputs[0], constant.reshaped(&[length])))
    };
    let (_, scaled, scale) = parameter(divide.outputs[0], "Mul")?;
    let (last, _, bias) = parameter(scaled, "Add")?;
    Some(Match {
        last,
        x,
        epsilon,
        scale,
        bias,
    })
}

#[cfg(test)]
mod tests {
    use burn::prelude::*;

    use crate::testing::optimised;

    #[test]
    fn a_layer_norm_written_out_is_one_node() {
        let text = optimised(&[2, 5, 3], |x: Tensor<3>| {
            let device = x.device();
            let centred = x.clone() - x.mean_dim(2);
            let variance = (centred.clone() * centred.clone()).mean_dim(2);
            let scale = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).reshape([1, 1, 3]);
            let bias = Tensor::<1>::from_floats([0.5, 0.0, -0.5], &device).reshape([1, 1, 3]);
            centred / (variance + 1e-5).sqrt() * scale + bias
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[2, 5, 3]
        v3:f32[2, 5, 3] = LayerNormalization(v0:f32[2, 5, 3], c1:f32[3]{1, 2, 3}, c2:f32[3]{0.5, 0, -0.5}) axis=2 epsilon=0.00001
        output y = v3:f32[2, 5, 3]
        ");
    }
}
