use super::Pass;
use crate::graph::{Graph, Node, Patch};

/// Bypasses nodes that hand on their input: reshapes, expansions, transpositions and casts to what
/// is already there, and sums and products with the neutral element. Two reshapes in a row become
/// one.
pub(super) struct DropIdentity;

impl Pass for DropIdentity {
    fn name(&self) -> &'static str {
        "drop-identity"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let producers = graph.producers();
        let mut patch = Patch::default();
        let mut collapsed = Vec::new();
        for (index, node) in graph.nodes().iter().enumerate() {
            let (&[result], Some(&input)) = (node.outputs.as_slice(), node.inputs.first()) else {
                continue;
            };
            if hands_on(graph, node) {
                patch.redirect(result, input);
            } else if node.op == "Reshape" {
                let before = producers[input.0 as usize].map(|index| &graph.nodes()[index]);
                if let Some(before) = before.filter(|before| before.op == "Reshape") {
                    collapsed.push((index, result, before.inputs[0]));
                }
            }
        }
        for (index, result, source) in collapsed {
            let value = graph.value(result).clone();
            let mut node = graph.nodes()[index].clone();
            let new = graph.add_value(value.dtype, value.shape);
            node.inputs[0] = source;
            node.outputs = vec![new];
            patch.insert_before(index, node);
            patch.redirect(result, new);
        }
        patch.finish(graph)
    }
}

fn hands_on(graph: &Graph, node: &Node) -> bool {
    let input = graph.value(node.inputs[0]);
    let result = graph.value(node.outputs[0]);
    let unchanged = input.shape == result.shape && input.dtype == result.dtype;
    let neutral = |element: f32| {
        node.inputs
            .get(1)
            .and_then(|&id| graph.constant(id))
            .and_then(|constant| constant.scalar_f32())
            .is_some_and(|value| value == element)
    };
    unchanged
        && match node.op {
            "Reshape" | "Expand" | "Cast" => true,
            "Transpose" => node
                .ints("perm")
                .is_some_and(|perm| perm.iter().enumerate().all(|(to, &from)| to as i64 == from)),
            "Add" | "Sub" => neutral(0.0),
            "Mul" | "Div" => neutral(1.0),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use crate::testing::optimised;

    #[test]
    fn what_changes_nothing_disappears() {
        let text = optimised(&[2, 3], |x| {
            let x = x.reshape([3, 2]).reshape([6, 1]).reshape([2, 3]);
            let x = x
                .expand([2, 3])
                .permute([0, 1])
                .mul_scalar(1.0)
                .add_scalar(0.0);
            x.sqrt()
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[2, 3]
        v1:f32[2, 3] = Sqrt(v0:f32[2, 3])
        output y = v1:f32[2, 3]
        ");
    }
}
