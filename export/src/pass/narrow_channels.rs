use super::channels::pick;
use super::{Pass, View};
use crate::graph::{Graph, Node, Patch, ValueId};
use crate::types::Constant;

/// Computes only the channels that are picked afterwards: moves a pick of known channels (`Gather`
/// or `Slice` on axis 1) before the node that made them, until a convolution swallows it.
///
/// ```text
/// Gather(LeakyRelu(x), {2})                  ->   LeakyRelu(Gather(x, {2}))
/// Gather(InstanceNormalization(x, s, b), {2}) ->   InstanceNormalization(Gather(x, {2}), s[2], b[2])
/// Gather(Conv(x, w, b), {2})                 ->   Conv(x, w[2], b[2])
/// ```
/// Declines a producer that something else reads too, and grouped convolutions. Picks that do not
/// move yet are joined: one pick of a pick.
pub(super) struct NarrowChannels;

impl Pass for NarrowChannels {
    fn name(&self) -> &'static str {
        "narrow-channels"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let mut patch = Patch::default();
        let found: Vec<(usize, Node, Vec<usize>)> = {
            let view = View::new(graph);
            graph
                .nodes()
                .iter()
                .enumerate()
                .filter_map(|(index, pick)| {
                    let channels = picked(&view, pick)?;
                    let (_, producer) = view.made_for_one(pick.inputs[0])?;
                    moves(producer, view.shape(pick.inputs[0]).len())
                        .then(|| (index, producer.clone(), channels))
                })
                .collect()
        };
        for (index, producer, channels) in found {
            let Some(node) = narrowed(graph, &mut patch, index, producer, &channels) else {
                continue;
            };
            patch.replace(graph, index, node);
        }
        patch.finish(graph)
    }
}

/// The channels that a node picks, if it does nothing else.
fn picked(view: &View<'_>, node: &Node) -> Option<Vec<usize>> {
    let &length = view.shape(*node.inputs.first()?).get(1)?;
    let ints = |slot: usize| view.graph.constant(*node.inputs.get(slot)?)?.as_i64();
    let indices: Vec<i64> = match node.op {
        "Gather" if node.int("axis") == Some(1) => {
            let &indices = node.inputs.get(1)?;
            if view.shape(indices).len() != 1 {
                return None;
            }
            ints(1)?
        }
        "Slice" => {
            let (starts, ends, axes, steps) = (ints(1)?, ints(2)?, ints(3)?, ints(4)?);
            let mut picked = None;
            for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps)
            {
                let size = *view
                    .shape(node.inputs[0])
                    .get(usize::try_from(axis).ok()?)? as i64;
                match axis {
                    1 if start >= 0 && step > 0 => {
                        picked = Some((start..end.min(size)).step_by(step as usize).collect());
                    }
                    // An axis that is kept whole.
                    _ if start == 0 && end >= size && step == 1 => {}
                    _ => return None,
                }
            }
            picked?
        }
        _ => return None,
    };
    let channels: Vec<usize> = indices
        .into_iter()
        .map(|index| {
            let index = if index < 0 {
                index + length as i64
            } else {
                index
            };
            usize::try_from(index).ok().filter(|&index| index < length)
        })
        .collect::<Option<_>>()?;
    // More channels than there are would be more work, not less.
    (channels.len() < length).then_some(channels)
}

fn moves(producer: &Node, rank: usize) -> bool {
    match producer.op {
        "LeakyRelu" | "Relu" | "Sigmoid" | "Tanh" | "Exp" | "Sqrt" | "Neg" | "Abs" | "Erf" => true,
        "InstanceNormalization" => true,
        "Conv" | "ConvTranspose" => producer.int("group") == Some(1) && rank > 2,
        _ => false,
    }
}

/// The producer for the picked channels alone; a pick of its input may come before it.
fn narrowed(
    graph: &mut Graph,
    patch: &mut Patch,
    index: usize,
    mut node: Node,
    channels: &[usize],
) -> Option<Node> {
    let mut take = |graph: &mut Graph, slot: usize, axis: usize| {
        let Some(&id) = node.inputs.get(slot) else {
            return Some(());
        };
        let taken = graph.constant(id)?.take(axis, channels)?;
        node.inputs[slot] = graph.add_constant(taken);
        Some(())
    };
    match node.op {
        "Conv" => {
            take(graph, 1, 0)?;
            take(graph, 2, 0)?;
        }
        "ConvTranspose" => {
            take(graph, 1, 1)?;
            take(graph, 2, 0)?;
        }
        "InstanceNormalization" => {
            take(graph, 1, 0)?;
            take(graph, 2, 0)?;
            node.inputs[0] = pick_known(graph, patch, index, node.inputs[0], channels);
        }
        _ => node.inputs[0] = pick_known(graph, patch, index, node.inputs[0], channels),
    }
    Some(node)
}

fn pick_known(
    graph: &mut Graph,
    patch: &mut Patch,
    index: usize,
    x: ValueId,
    channels: &[usize],
) -> ValueId {
    let channels: Vec<i64> = channels.iter().map(|&channel| channel as i64).collect();
    let indices = graph.add_constant(Constant::i64s(&channels));
    pick(graph, patch, index, [x, indices], NarrowChannels.name())
}

#[cfg(test)]
mod tests {
    use burn::nn::InstanceNormConfig;
    use burn::nn::conv::Conv3dConfig;
    use burn::prelude::*;
    use burn::tensor::activation::leaky_relu;

    use crate::testing::{optimised, placed};

    fn block(x: Tensor<5>) -> Tensor<5> {
        let conv = Conv3dConfig::new([2, 4], [1; 3])
            .with_initializer(burn::nn::Initializer::Constant { value: 0.5 })
            .init(&Device::flex());
        let x = placed(conv, &x).forward(x);
        leaky_relu(
            InstanceNormConfig::new(4).init(&x.device()).forward(x),
            0.01,
        )
    }

    #[test]
    fn a_convolution_makes_only_what_is_picked() {
        let text = optimised(&[1, 2, 3, 4, 5], |x: Tensor<5>| block(x).narrow(1, 2, 1));
        insta::assert_snapshot!(text, @"
        input x = v0:f32[1, 2, 3, 4, 5]
        v2:f32[1, 1, 3, 4, 5] = Conv(v0:f32[1, 2, 3, 4, 5], c1:f32[1, 2, 1, 1, 1]{0.5, 0.5}) dilations=[1, 1, 1] group=1 kernel_shape=[1, 1, 1] pads=[0, 0, 0, 0, 0, 0] strides=[1, 1, 1]
        v5:f32[1, 1, 3, 4, 5] = InstanceNormalization(v2:f32[1, 1, 3, 4, 5], c3:f32[1]{1}, c4:f32[1]{0}) epsilon=0.00001
        v6:f32[1, 1, 3, 4, 5] = LeakyRelu(v5:f32[1, 1, 3, 4, 5]) alpha=0.01
        output y = v6:f32[1, 1, 3, 4, 5]
        ");
        let text = optimised(&[1, 2, 3, 4, 5], |x: Tensor<5>| {
            let picked = Tensor::<1, Int>::from_ints([3, 0], &x.device());
            block(x).select(1, picked)
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[1, 2, 3, 4, 5]
        v2:f32[1, 2, 3, 4, 5] = Conv(v0:f32[1, 2, 3, 4, 5], c1:f32[2, 2, 1, 1, 1]{0.5, 0.5, 0.5, 0.5}) dilations=[1, 1, 1] group=1 kernel_shape=[1, 1, 1] pads=[0, 0, 0, 0, 0, 0] strides=[1, 1, 1]
        v5:f32[1, 2, 3, 4, 5] = InstanceNormalization(v2:f32[1, 2, 3, 4, 5], c3:f32[2]{1, 1}, c4:f32[2]{0, 0}) epsilon=0.00001
        v6:f32[1, 2, 3, 4, 5] = LeakyRelu(v5:f32[1, 2, 3, 4, 5]) alpha=0.01
        output y = v6:f32[1, 2, 3, 4, 5]
        ");
    }

    #[test]
    fn what_something_else_reads_is_left_whole() {
        let text = optimised(&[1, 2, 3, 4, 5], |x: Tensor<5>| {
            let x = block(x);
            x.clone() + x.narrow(1, 2, 1)
        });
        assert!(
            text.contains("Slice(") && text.contains("[4, 2, 1, 1, 1]"),
            "{text}"
        );
    }
}
