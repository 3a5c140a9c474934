use super::{Pass, View};
use crate::graph::{Attribute, Graph, Node, Patch};
use crate::types::Constant;

/// Two transpositions in a row become one, and one that only moves axes of size 1 a reshape.
pub(super) struct MergeTransposes;

impl Pass for MergeTransposes {
    fn name(&self) -> &'static str {
        "merge-transposes"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let mut found = Vec::new();
        let view = View::new(graph);
        for (index, node) in graph.nodes().iter().enumerate() {
            let Some(perm) = permutation(node) else {
                continue;
            };
            let input = node.inputs[0];
            if let Some((source, before)) = view
                .made_by(input, "Transpose")
                .and_then(|before| Some((before.inputs[0], permutation(before)?)))
            {
                let joined = perm.iter().map(|&axis| before[axis] as i64).collect();
                found.push((index, source, Some(joined)));
            } else if moves_ones_only(view.shape(input), &perm) {
                found.push((index, input, None));
            }
        }
        let mut patch = Patch::default();
        for (index, source, perm) in found {
            let old = graph.nodes()[index].clone();
            let node = match perm {
                Some(perm) => Node {
                    inputs: vec![source],
                    attributes: vec![("perm", Attribute::Ints(perm))],
                    ..old
                },
                None => {
                    let shape: Vec<i64> = graph
                        .value(old.outputs[0])
                        .shape
                        .iter()
                        .map(|&n| n as i64)
                        .collect();
                    let shape = graph.add_constant(Constant::i64s(&shape));
                    Node {
                        op: "Reshape",
                        inputs: vec![source, shape],
                        attributes: Vec::new(),
                        ..old
                    }
                }
            };
            patch.replace(graph, index, node);
        }
        patch.finish(graph)
    }
}

fn permutation(node: &Node) -> Option<Vec<usize>> {
    if node.op != "Transpose" {
        return None;
    }
    node.ints("perm")?
        .iter()
        .map(|&axis| usize::try_from(axis).ok())
        .collect()
}

fn moves_ones_only(shape: &[usize], perm: &[usize]) -> bool {
    let real: Vec<usize> = perm
        .iter()
        .copied()
        .filter(|&axis| shape[axis] != 1)
        .collect();
    let moved = perm.iter().enumerate().any(|(to, &from)| to != from);
    moved && real.is_sorted()
}

#[cfg(test)]
mod tests {
    use crate::testing::optimised;

    #[test]
    fn two_are_one_and_there_and_back_is_nothing() {
        let text = optimised(&[2, 3, 4], |x| {
            let there = x.permute([2, 0, 1]).permute([1, 2, 0]).exp();
            there.permute([1, 0, 2]).permute([0, 2, 1])
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[2, 3, 4]
        v1:f32[2, 3, 4] = Exp(v0:f32[2, 3, 4])
        v2:f32[3, 4, 2] = Transpose(v1:f32[2, 3, 4]) perm=[1, 2, 0]
        output y = v2:f32[3, 4, 2]
        ");
    }

    #[test]
    fn moving_an_axis_of_size_one_is_a_reshape() {
        let text = optimised(&[1, 3, 4], |x| x.permute([1, 0, 2]));
        assert!(
            text.contains("Reshape") && !text.contains("Transpose"),
            "{text}"
        );
    }
}
