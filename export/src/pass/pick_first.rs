use super::channels::pick;
use super::{Pass, View};
use crate::graph::{Graph, Node, Patch, ValueId};

/// Picks the known channels of a choice before the choice is made, where that leaves fewer.
///
/// ```text
/// Gather(x, Gather({2, 5}, i))   ->   Gather(Gather(x, {2, 5}), i)
/// ```
/// The inner pick is of known channels, which [`super::narrow_channels`] moves on.
pub(super) struct PickFirst;

impl Pass for PickFirst {
    fn name(&self) -> &'static str {
        "pick-first"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let found: Vec<(usize, ValueId, ValueId)> = {
            let view = View::new(graph);
            let nodes = graph.nodes().iter().enumerate();
            nodes
                .filter_map(|(index, node)| {
                    let (known, chosen) = find(&view, node)?;
                    Some((index, known, chosen))
                })
                .collect()
        };
        let mut patch = Patch::default();
        for (index, known, chosen) in found {
            let mut outer = graph.nodes()[index].clone();
            let inputs = [outer.inputs[0], known];
            let picked = pick(graph, &mut patch, index, inputs, self.name());
            outer.inputs = vec![picked, chosen];
            patch.replace(graph, index, outer);
        }
        patch.finish(graph)
    }
}

/// The known channels and the choice among them.
fn find(view: &View<'_>, node: &Node) -> Option<(ValueId, ValueId)> {
    if node.op != "Gather" || node.int("axis") != Some(1) {
        return None;
    }
    let &[x, indices] = node.inputs.as_slice() else {
        return None;
    };
    let choice = view.made_by(indices, "Gather")?;
    let &[known, chosen] = choice.inputs.as_slice() else {
        return None;
    };
    let channels = view.graph.constant(known)?.as_i64()?;
    let fewer = channels.len() < *view.shape(x).get(1)?;
    let one_axis = view.shape(known).len() == 1 && choice.int("axis") == Some(0);
    (fewer && one_axis && channels.iter().all(|&channel| channel >= 0)).then_some((known, chosen))
}

#[cfg(test)]
mod tests {
    use burn::prelude::*;

    use crate::Exporter;

    #[test]
    fn a_choice_among_known_channels_is_made_of_those_alone() {
        let exported = Exporter::new()
            .float_input("x", &[1, 5, 2])
            .int_input("i", &[1])
            .export(|tracer| {
                let x = tracer.float::<3>("x")?;
                let known = Tensor::<1, Int>::from_ints([1, 3], &x.device());
                let chosen = known.select(0, tracer.int::<1>("i")?);
                tracer.output("y", x.exp().select(1, chosen))
            })
            .unwrap();
        insta::assert_snapshot!(exported.graph(), @"
        input x = v0:f32[1, 5, 2]
        input i = v1:i64[1]
        v3:f32[1, 2, 2] = Gather(v0:f32[1, 5, 2], c2:i64[2]{1, 3}) axis=1
        v4:f32[1, 2, 2] = Exp(v3:f32[1, 2, 2])
        v5:f32[1, 1, 2] = Gather(v4:f32[1, 2, 2], v1:i64[1]) axis=1
        output y = v5:f32[1, 1, 2]
        ");
    }
}
