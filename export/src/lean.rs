//! Less memory while a graph runs.

use crate::cost::Cost;
use crate::graph::Graph;
use crate::pass::split_conv::split_convolutions;

/// Name of the rewrite, for reports and errors.
pub(crate) const ORIGIN: &str = "lean";

/// A convolution is divided only where the peak falls to less than this share: each division costs
/// an addition.
const WORTHWHILE: f64 = 0.9;

/// Divides convolutions over a concatenation, one after another, as long as that lowers the peak of
/// what is alive together.
///
/// ```text
/// Conv(Concat(a, b), w)   ->   Conv(a, w[a]) + Conv(b, w[b])
/// ```
/// A U-Net's peak is where its finest level joins the skip connection: skip, upsampled features and
/// both again in one tensor. Without the joined tensor it is a quarter less. Exact but for the order
/// of a sum. Returns the number of convolutions divided.
pub(crate) fn lean(graph: &mut Graph) -> usize {
    let (mut least, mut changes) = (Cost::of(graph).activation_bytes, 0);
    while let Some((divided, less)) = best(graph) {
        if less.activation_bytes as f64 > WORTHWHILE * least as f64 {
            break;
        }
        (*graph, least) = (divided, less.activation_bytes);
        changes += 1;
    }
    changes
}

/// The division that leaves the least alive together, if there is one at all.
fn best(graph: &Graph) -> Option<(Graph, Cost)> {
    let joined = graph.nodes().iter().filter(|node| node.op == "Concat");
    let candidates = joined.filter_map(|concat| {
        let first = concat.inputs.first()?.0 as usize;
        let part: Vec<bool> = (0..graph.value_count()).map(|id| id == first).collect();
        let mut divided = graph.clone();
        (split_convolutions(&mut divided, &part) > 0).then(|| {
            let cost = Cost::of(&divided);
            (divided, cost)
        })
    });
    candidates.min_by_key(|(_, cost)| cost.activation_bytes)
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::prelude::*;

    use crate::{Exported, Exporter};

    fn filled(channels: [usize; 2]) -> Conv2d {
        let config = Conv2dConfig::new(channels, [1; 2]).with_bias(false);
        let ones = burn::nn::Initializer::Constant { value: 0.5 };
        config.with_initializer(ones).init(&Device::flex())
    }

    /// A large and a small concatenation.
    fn network() -> Exported {
        let convs = [filled([2, 2]), filled([4, 2])];
        Exporter::new()
            .float_input("x", &[1, 2, 8, 8])
            .export(|tracer| {
                let [small, large] = convs.each_ref().map(|conv| tracer.load(conv));
                let x = tracer.float::<4>("x")?;
                let few = x.clone().slice([0..1, 0..1, 0..2, 0..2]);
                let few = small.forward(Tensor::cat(vec![few.clone().exp(), few.sqrt()], 1));
                let many = large.forward(Tensor::cat(vec![x.clone().exp(), x.sqrt()], 1));
                tracer.output("few", few)?;
                tracer.output("many", many)
            })
            .unwrap()
    }

    #[test]
    fn the_convolution_at_the_peak_is_divided_and_no_other() {
        let before = network();
        let [_, cost] = before.costs();
        let after = before.lean().unwrap();
        let [_, lean] = after.costs();
        assert!(lean.activation_bytes < cost.activation_bytes);
        assert_eq!(lean.flops, cost.flops + 2 * 64, "an addition more");
        insta::assert_snapshot!(after.graph(), @"
        input x = v0:f32[1, 2, 8, 8]
        v5:f32[1, 1, 2, 2] = Slice(v0:f32[1, 2, 8, 8], c1:i64[4]{0, 0, 0, 0}, c2:i64[4]{1, 1, 2, 2}, c3:i64[4]{0, 1, 2, 3}, c4:i64[4]{1, 1, 1, 1})
        v6:f32[1, 1, 2, 2] = Exp(v5:f32[1, 1, 2, 2])
        v7:f32[1, 1, 2, 2] = Sqrt(v5:f32[1, 1, 2, 2])
        v8:f32[1, 2, 2, 2] = Concat(v6:f32[1, 1, 2, 2], v7:f32[1, 1, 2, 2]) axis=1
        v10:f32[1, 2, 2, 2] = Conv(v8:f32[1, 2, 2, 2], c9:f32[2, 2, 1, 1]{0.5, 0.5, 0.5, 0.5}) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        v11:f32[1, 2, 8, 8] = Exp(v0:f32[1, 2, 8, 8])
        v12:f32[1, 2, 8, 8] = Sqrt(v0:f32[1, 2, 8, 8])
        v14:f32[1, 2, 8, 8] = Conv(v11:f32[1, 2, 8, 8], c13:f32[2, 2, 1, 1]{0.5, 0.5, 0.5, 0.5}) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        v16:f32[1, 2, 8, 8] = Conv(v12:f32[1, 2, 8, 8], c15:f32[2, 2, 1, 1]{0.5, 0.5, 0.5, 0.5}) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        v17:f32[1, 2, 8, 8] = Add(v14:f32[1, 2, 8, 8], v16:f32[1, 2, 8, 8])
        output few = v10:f32[1, 2, 2, 2]
        output many = v17:f32[1, 2, 8, 8]
        ");
    }

    #[test]
    fn a_network_without_concatenations_stays_as_it_is() {
        let conv = filled([2, 2]);
        let exported = Exporter::new()
            .float_input("x", &[1, 2, 8, 8])
            .export(|tracer| {
                let x = tracer.float::<4>("x")?;
                tracer.output("y", tracer.load(&conv).forward(x))
            })
            .unwrap();
        let text = exported.graph().to_string();
        assert_eq!(exported.lean().unwrap().graph().to_string(), text);
    }
}
