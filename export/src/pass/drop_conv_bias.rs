use super::{Pass, View};
use crate::graph::{Graph, Patch};

/// Drops the bias of a convolution that only an InstanceNorm reads: the norm subtracts each
/// channel's mean, and with it whatever constant the channel had.
///
/// ```text
/// InstanceNormalization(Conv(x, w, b), ..)   ->   InstanceNormalization(Conv(x, w), ..)
/// ```
pub(super) struct DropConvBias;

impl Pass for DropConvBias {
    fn name(&self) -> &'static str {
        "drop-conv-bias"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let found: Vec<usize> = {
            let view = View::new(graph);
            let biased = |node: &crate::graph::Node| {
                matches!(node.op, "Conv" | "ConvTranspose") && node.inputs.len() == 3
            };
            graph
                .nodes()
                .iter()
                .filter(|node| node.op == "InstanceNormalization")
                .filter_map(|norm| view.made_for_one(*norm.inputs.first()?))
                .filter(|(_, node)| biased(node))
                .map(|(index, _)| index)
                .collect()
        };
        let mut patch = Patch::default();
        for index in found {
            let mut node = graph.nodes()[index].clone();
            node.inputs.truncate(2);
            patch.replace(graph, index, node);
        }
        patch.finish(graph)
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::InstanceNormConfig;
    use burn::nn::conv::Conv3dConfig;
    use burn::prelude::*;

    use crate::testing::{optimised, placed};

    #[test]
    fn a_bias_before_an_instance_norm_goes_and_others_stay() {
        let text = optimised(&[1, 2, 3, 4, 5], |x: Tensor<5>| {
            let conv = Conv3dConfig::new([2, 2], [1; 3]);
            let x = placed(conv.init(&Device::flex()), &x).forward(x);
            let x = InstanceNormConfig::new(2).init(&x.device()).forward(x);
            placed(conv.init(&Device::flex()), &x).forward(x)
        });
        let inputs: Vec<usize> = text
            .lines()
            .filter(|line| line.contains("Conv("))
            .map(|line| line.matches(":f32").count() - 1)
            .collect();
        assert_eq!(inputs, [2, 3], "{text}");
    }
}
