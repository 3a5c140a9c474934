use super::{Pass, View};
use crate::graph::{Graph, Node, Patch};
use crate::types::Constant;

/// Computes a BatchNorm with known statistics in the convolution before it.
///
/// ```text
/// BatchNormalization(Conv(x, w, b), g, o, m, v)   ->   Conv(x, w * s, (b - m) * s + o)
///                                                      s = g / Sqrt(v + epsilon), by channel
/// ```
/// Declines a convolution that something else reads too, and grouped transposed convolutions,
/// whose weights have the output channels of one group only.
pub(super) struct FoldBatchNorm;

struct Match {
    conv: usize,
    weight: Constant,
    bias: Constant,
}

impl Pass for FoldBatchNorm {
    fn name(&self) -> &'static str {
        "fold-batch-norm"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let found: Vec<(usize, Match)> = {
            let view = View::new(graph);
            graph
                .nodes()
                .iter()
                .enumerate()
                .filter_map(|(index, norm)| Some((index, find(&view, norm)?)))
                .collect()
        };
        let mut patch = Patch::default();
        for (index, found) in found {
            let mut node = graph.nodes()[found.conv].clone();
            let weight = graph.add_constant(found.weight);
            let bias = graph.add_constant(found.bias);
            node.inputs = vec![node.inputs[0], weight, bias];
            // In the place of the norm: the convolution, whose result nothing reads then, goes.
            patch.replace(graph, index, node);
        }
        patch.finish(graph)
    }
}

fn find(view: &View<'_>, norm: &Node) -> Option<Match> {
    if norm.op != "BatchNormalization" {
        return None;
    }
    let &[x, scale, offset, mean, variance] = norm.inputs.as_slice() else {
        return None;
    };
    let (index, conv) = view.made_for_one(x)?;
    // Where the output channels are in the weights.
    let axis = match (conv.op, conv.int("group")) {
        ("Conv", _) => 0,
        ("ConvTranspose", Some(1)) => 1,
        _ => return None,
    };
    let known = |id| view.graph.constant(id)?.as_f32();
    let weight = view.graph.constant(*conv.inputs.get(1)?)?;
    let channels = *weight.shape.get(axis)?;
    let [scale, offset, mean, variance] = [scale, offset, mean, variance].map(known);
    let (scale, offset, mean, variance) = (scale?, offset?, mean?, variance?);
    let bias = match conv.inputs.get(2) {
        Some(&id) => known(id)?,
        None => vec![0.0; channels],
    };
    if [&scale, &offset, &mean, &variance, &bias]
        .iter()
        .any(|values| values.len() != channels)
    {
        return None;
    }
    let epsilon = f64::from(norm.float("epsilon")?);
    // In f64: folding must not cost what the norm itself did not.
    let factors: Vec<f64> = scale
        .iter()
        .zip(&variance)
        .map(|(&scale, &variance)| f64::from(scale) / (f64::from(variance) + epsilon).sqrt())
        .collect();
    let inner: usize = weight.shape[axis + 1..].iter().product();
    let values: Vec<f32> = weight
        .as_f32()?
        .iter()
        .enumerate()
        .map(|(at, &value)| (f64::from(value) * factors[at / inner % channels]) as f32)
        .collect();
    let bias: Vec<f32> = (0..channels)
        .map(|channel| {
            let centred = f64::from(bias[channel]) - f64::from(mean[channel]);
            (centred * factors[channel] + f64::from(offset[channel])) as f32
        })
        .collect();
    Some(Match {
        conv: index,
        weight: Constant::f32(&weight.shape, &values),
        bias: Constant::f32(&[channels], &bias),
    })
}

#[cfg(test)]
mod tests {
    use burn::nn::BatchNormConfig;
    use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
    use burn::prelude::*;

    use crate::testing::{optimised, placed};

    #[test]
    fn a_batch_norm_is_its_convolution() {
        let text = optimised(&[1, 2, 4, 4], |x: Tensor<4>| {
            let device = Device::flex();
            let x = placed(Conv2dConfig::new([2, 3], [1; 2]).init(&device), &x).forward(x);
            let x = placed(BatchNormConfig::new(3).init(&device), &x).forward(x);
            let up = ConvTranspose2dConfig::new([3, 2], [2; 2]).with_stride([2; 2]);
            let x = placed(up.init(&device), &x).forward(x);
            placed(BatchNormConfig::new(2).init(&device), &x).forward(x)
        });
        let operators: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once(" = ")?.1.split_once('('))
            .map(|(operator, _)| operator)
            .collect();
        assert_eq!(operators, ["Conv", "ConvTranspose"], "{text}");
    }
}
