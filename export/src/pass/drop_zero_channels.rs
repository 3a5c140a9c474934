use super::channels::{JoinedConv, Part, join};
use super::{Pass, View};
use crate::graph::{Graph, Patch, ValueId};
use crate::types::Constant;

/// Drops channels that are known to be zero from what a convolution reads, and their weights.
///
/// ```text
/// Conv(Concat(zeros, x), w, b)   ->   Conv(x, w[of x], b)
/// ```
/// Declines grouped convolutions, and a concatenation that something else reads too.
pub(super) struct DropZeroChannels;

impl Pass for DropZeroChannels {
    fn name(&self) -> &'static str {
        "drop-zero-channels"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let found: Vec<(usize, Part)> = {
            let view = View::new(graph);
            graph
                .nodes()
                .iter()
                .enumerate()
                .filter_map(|(index, conv)| {
                    let joined = JoinedConv::of(&view, conv)?;
                    Some((index, joined.part(|input| !is_zero(&view, input))?))
                })
                .collect()
        };
        let mut patch = Patch::default();
        for (index, kept) in found {
            let mut conv = graph.nodes()[index].clone();
            conv.inputs[1] = graph.add_constant(kept.weight);
            conv.inputs[0] = join(graph, &mut patch, index, kept.inputs, self.name());
            patch.replace(graph, index, conv);
        }
        patch.finish(graph)
    }
}

/// Whether a value is a constant of zeros, or zeros laid out by a node since they are many.
fn is_zero(view: &View<'_>, id: ValueId) -> bool {
    let zeros = |id| view.graph.constant(id).is_some_and(Constant::is_zero);
    zeros(id)
        || view
            .made_by(id, "Expand")
            .is_some_and(|expand| zeros(expand.inputs[0]))
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv3dConfig;
    use burn::prelude::*;

    use crate::testing::{optimised, placed};

    #[test]
    fn channels_of_zeros_are_not_read() {
        // More zeros than are stored, and few that are.
        for size in [2, 40] {
            let text = optimised(&[1, 1, size, 20, 30], |x: Tensor<5>| {
                let zeros = |channels| Tensor::zeros([1, channels, size, 20, 30], &x.device());
                let joined = Tensor::cat(vec![zeros(2), x.clone(), zeros(1)], 1);
                let conv = Conv3dConfig::new([4, 1], [1; 3]).init(&Device::flex());
                placed(conv, &x).forward(joined)
            });
            assert!(
                text.contains("f32[1, 1, 1, 1, 1]") && !text.contains("Concat"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_between_them_is_joined_again() {
        let text = optimised(&[1, 1, 2, 2, 2], |x: Tensor<5>| {
            let zeros = Tensor::zeros([1, 1, 2, 2, 2], &x.device());
            let joined = Tensor::cat(vec![x.clone(), zeros, x.clone().exp()], 1);
            let conv = Conv3dConfig::new([3, 1], [1; 3])
                .with_initializer(burn::nn::Initializer::Constant { value: 0.5 })
                .init(&Device::flex());
            placed(conv, &x).forward(joined)
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[1, 1, 2, 2, 2]
        v1:f32[1, 1, 2, 2, 2] = Exp(v0:f32[1, 1, 2, 2, 2])
        v2:f32[1, 2, 2, 2, 2] = Concat(v0:f32[1, 1, 2, 2, 2], v1:f32[1, 1, 2, 2, 2]) axis=1
        v5:f32[1, 1, 2, 2, 2] = Conv(v2:f32[1, 2, 2, 2, 2], c3:f32[1, 2, 1, 1, 1]{0.5, 0.5}, c4:f32[1]{0.5}) dilations=[1, 1, 1] group=1 kernel_shape=[1, 1, 1] pads=[0, 0, 0, 0, 0, 0] strides=[1, 1, 1]
        output y = v5:f32[1, 1, 2, 2, 2]
        ");
    }
}
