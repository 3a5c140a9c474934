use super::Pass;
use crate::graph::{Graph, Patch};

/// Computes once what is computed twice: nodes with the same operator, inputs and attributes.
pub(super) struct ShareNodes;

impl Pass for ShareNodes {
    fn name(&self) -> &'static str {
        "share-nodes"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let mut patch = Patch::default();
        let nodes = graph.nodes();
        // Most operators occur often and their inputs rarely, so the first input is a good key.
        let mut seen = std::collections::HashMap::<_, Vec<usize>>::new();
        for (index, node) in nodes.iter().enumerate() {
            let alike = seen.entry((node.op, node.inputs.first())).or_default();
            let twin = alike.iter().copied().find(|&other| {
                let other = &nodes[other];
                other.inputs == node.inputs
                    && other.attributes == node.attributes
                    && other.outputs.len() == node.outputs.len()
            });
            match twin {
                Some(twin) => {
                    for (&again, &first) in node.outputs.iter().zip(&nodes[twin].outputs) {
                        patch.redirect(again, first);
                    }
                }
                None => alike.push(index),
            }
        }
        patch.finish(graph)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::optimised;

    #[test]
    fn the_same_chain_is_computed_once() {
        let text = optimised(&[2], |x| x.clone().exp().sqrt() + x.exp().sqrt());
        insta::assert_snapshot!(text, @"
        input x = v0:f32[2]
        v1:f32[2] = Exp(v0:f32[2])
        v2:f32[2] = Sqrt(v1:f32[2])
        v3:f32[2] = Add(v2:f32[2], v2:f32[2])
        output y = v3:f32[2]
        ");
    }
}
