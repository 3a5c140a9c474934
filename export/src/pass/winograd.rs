mod rewrite;
mod weights;

use crate::cost::Cost;
use crate::graph::{Graph, Node, ValueId};
use crate::types::Dtype;

/// Name of the rewrite, for reports and errors.
pub(crate) const ORIGIN: &str = "winograd";

/// Planes that are made together.
const TILE: usize = 4;

/// Operations to be saved for each byte that weights grow by. They double, and at the coarsest
/// levels of a network that is all that changes.
const FLOPS_A_BYTE: u64 = 1000;

/// Part of the graph's peak that may be alive within one rewritten convolution, so that it does not
/// move the peak.
const PART: u64 = 4;

/// The axis along which convolutions are divided: the slowest after batch and channel, so that its
/// planes are whole blocks of memory for engines that keep channels last.
const AXIS: usize = 2;

/// Computes convolutions with a kernel of 3 along the first spatial axis with half the products, by
/// Winograd's F(4, 3) along that axis (Lavin and Gray, "Fast Algorithms for Convolutional Neural
/// Networks", CVPR 2016, section 4).
///
/// ```text
/// Conv(x, w[3, 3, 3])   ->   d = x[i::4], six of them, shifted
///                            m = Conv(B d, (G w)[1, 3, 3]), six of them, of a quarter of the planes
///                            A m, four of them, put together plane by plane
/// ```
/// Four planes of the result take 6 instead of 12 convolutions of planes. Exact but for rounding, which
/// grows about tenfold: for f32 only.
///
/// It pays where products are what takes the time, and takes more memory and larger weights; so it
/// is not in the pipeline. Declines what is strided, dilated, grouped, biased or padded otherwise,
/// a number of planes that is no multiple of 4, open axes, and what would not save enough
/// ([`FLOPS_A_BYTE`]) or take too much ([`PART`]). Returns the number of convolutions rewritten.
pub(crate) fn winograd(graph: &mut Graph) -> usize {
    let nodes = graph.nodes().iter().enumerate();
    let found = nodes.filter_map(|(index, conv)| fits(graph, conv).map(|()| index));
    let found: Vec<usize> = found.collect();
    let mut changes = 0;
    // From the last one back, so that indices of those before stay as they are.
    for index in found.into_iter().rev() {
        let before = Cost::of(graph);
        if alive(graph, &graph.nodes()[index]) > before.activation_bytes / PART {
            continue;
        }
        let mut other = graph.clone();
        if rewrite::rewrite(&mut other, index).is_none() {
            continue;
        }
        let after = Cost::of(&other);
        let grown = after.weight_bytes.saturating_sub(before.weight_bytes);
        let saved = before.flops.saturating_sub(after.flops);
        if saved > FLOPS_A_BYTE * grown {
            *graph = other;
            changes += 1;
        }
    }
    changes
}

/// Whether `conv` is a convolution that can be computed so.
fn fits(graph: &Graph, conv: &Node) -> Option<()> {
    let &[x, weight] = conv.inputs.as_slice() else {
        return None;
    };
    let kernel = graph.constant(weight)?;
    let pads = conv.ints("pads")?;
    let axes = kernel.shape.len().checked_sub(AXIS)?;
    let value = graph.value(x);
    let planes = *value.shape.get(AXIS)?;
    (conv.op == "Conv"
        && conv.all_are("strides", 1)
        && conv.all_are("dilations", 1)
        && conv.int("group") == Some(1)
        && kernel.dtype == Dtype::F32
        && kernel.shape.get(AXIS) == Some(&3)
        && axes > 1
        && [pads.first(), pads.get(axes)] == [Some(&1); 2]
        && planes % TILE == 0
        && planes >= 2 * TILE
        && !graph.has_open_axes())
    .then_some(())
}

/// Bytes of the transformed input and result together.
fn alive(graph: &Graph, conv: &Node) -> u64 {
    let bytes = |id: Option<&ValueId>| id.map_or(0, |id| graph.value(*id).bytes());
    (bytes(conv.inputs.first()) + bytes(conv.outputs.first())) * 6 / 4
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::prelude::*;

    use crate::{Exported, Exporter};

    /// A convolution of few channels with a kernel of 3, behind one that reads `channels`.
    fn network(channels: usize, planes: usize, bias: bool) -> Exported {
        let few = Conv2dConfig::new([channels, 4], [1; 2])
            .with_bias(false)
            .init(&Device::flex());
        let conv = Conv2dConfig::new([4, 4], [3; 2])
            .with_padding(PaddingConfig2d::Same)
            .with_bias(bias)
            .init(&Device::flex());
        Exporter::new()
            .float_input("x", &[1, channels, planes, 384])
            .export(|tracer| {
                let x = tracer.load(&few).forward(tracer.float("x")?);
                tracer.output("y", tracer.load(&conv).forward(x))
            })
            .unwrap()
    }

    fn convolutions(exported: Exported) -> usize {
        let after = exported.winograd().unwrap();
        let nodes = after.graph().nodes().iter();
        nodes.filter(|node| node.op == "Conv").count()
    }

    #[test]
    fn four_planes_take_six_convolutions() {
        let before = network(64, 64, false);
        let [_, cost] = before.costs();
        let after = before.winograd().unwrap();
        let nodes = after.graph().nodes();
        let kernels = nodes.iter().filter(|node| node.op == "Conv").skip(1);
        let kernels: Vec<_> = kernels.map(|node| node.ints("kernel_shape")).collect();
        assert_eq!(kernels, [Some([1, 3].as_slice()); 6]);
        let of_products = |rows: u64| 2 * rows * 384 * 4 * 4 * 3;
        let [_, less] = after.costs();
        let sums = less.flops + of_products(64 * 3) - of_products(16 * 6) - cost.flops;
        // Of a quarter of the planes: 12 sums and 6 products before, 10 and 3 behind.
        assert_eq!(sums % (16 * 384 * 4), 0);
        assert_eq!(sums / (16 * 384 * 4), 31);
    }

    #[test]
    fn what_does_not_fit_or_pay_stays_one_convolution() {
        assert_eq!(convolutions(network(64, 64, false)), 7);
        // Tiles of four planes, no bias, small beside the peak, more voxels than weights.
        assert_eq!(convolutions(network(64, 62, false)), 2);
        assert_eq!(convolutions(network(64, 64, true)), 2);
        assert_eq!(convolutions(network(4, 64, false)), 2);
        assert_eq!(convolutions(network(64, 8, false)), 2);
    }
}
