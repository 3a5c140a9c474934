use super::{Pass, View};
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};

/// Finds a soft-max that was written out.
///
/// ```text
/// e = Exp(x - ReduceMax(x, axis))   or Exp(x)
/// e / ReduceSum(e, axis)                        ->   Softmax(x, axis)
/// ```
/// A soft-max without the subtraction is the same function wherever it does not overflow, and one
/// operator that never does where it would.
pub(super) struct FuseSoftmax;

impl Pass for FuseSoftmax {
    fn name(&self) -> &'static str {
        "fuse-softmax"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let found: Vec<(usize, ValueId, i64)> = {
            let view = View::new(graph);
            graph
                .nodes()
                .iter()
                .enumerate()
                .filter_map(|(index, divide)| {
                    let (x, axis) = find(&view, divide)?;
                    Some((index, x, axis))
                })
                .collect()
        };
        let mut patch = Patch::default();
        for (index, x, axis) in found {
            let node = Node {
                op: "Softmax",
                inputs: vec![x],
                outputs: Vec::new(),
                attributes: vec![("axis", Attribute::Int(axis))],
                origin: "fuse-softmax",
            };
            patch.replace(graph, index, node);
        }
        patch.finish(graph)
    }
}

fn find(view: &View<'_>, divide: &Node) -> Option<(ValueId, i64)> {
    if divide.op != "Div" {
        return None;
    }
    let &[exponential, total] = divide.inputs.as_slice() else {
        return None;
    };
    let sum = view.made_by(total, "ReduceSum")?;
    let &[summed, axes] = sum.inputs.as_slice() else {
        return None;
    };
    let &[axis] = view.graph.constant(axes)?.as_i64()?.as_slice() else {
        return None;
    };
    if summed != exponential || sum.int("keepdims") != Some(1) {
        return None;
    }
    let exponent = view.made_by(exponential, "Exp")?.inputs[0];
    let centred = view.made_by(exponent, "Sub").and_then(|difference| {
        let &[x, largest] = difference.inputs.as_slice() else {
            return None;
        };
        let most = view.made_by(largest, "ReduceMax")?;
        let along = most.ints("axes") == Some(&[axis]) && most.int("keepdims") == Some(1);
        (along && most.inputs[0] == x).then_some(x)
    });
    Some((centred.unwrap_or(exponent), axis))
}

#[cfg(test)]
mod tests {
    use crate::testing::optimised;

    #[test]
    fn a_softmax_written_out_is_one_node() {
        let text = optimised(&[2, 3], |x| {
            let e = (x.clone() - x.max_dim(1)).exp();
            e.clone() / e.sum_dim(1)
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[2, 3]
        v1:f32[2, 3] = Softmax(v0:f32[2, 3]) axis=1
        output y = v1:f32[2, 3]
        ");
    }

    #[test]
    fn a_sum_over_another_axis_is_something_else() {
        let text = optimised(&[3, 3], |x| {
            let e = (x.clone() - x.max_dim(0)).exp();
            e.clone() / e.sum_dim(1)
        });
        assert!(text.contains("Softmax"), "{text}");
        let text = optimised(&[3, 3], |x| {
            let e = x.clone().exp();
            e / x.exp().sum_dim(1).sqrt()
        });
        assert!(!text.contains("Softmax"), "{text}");
    }
}
