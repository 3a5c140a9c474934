use super::View;
use super::channels::{JoinedConv, Part, join};
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::types::Constant;

/// Name of the rewrite, for reports and errors.
pub(crate) const ORIGIN: &str = "merge-upsampling";

/// Operations to be saved for each byte that weights grow by: merged kernels are larger, and at the
/// coarsest levels of a network that is all that changes.
const FLOPS_A_BYTE: u64 = 1000;

/// Computes a transposed convolution and the convolution behind it as one transposed convolution:
/// nothing but sums is between the two.
///
/// ```text
/// Conv(Concat(ConvTranspose(x, u), skip), w)   ->   ConvTranspose(x, u * w[up]) + Conv(skip, w[skip])
/// ```
/// Upsampling twofold by a kernel of 2 and then a convolution with a kernel of 3 take 27 products a
/// voxel and channel, after those of upsampling; the merged kernel of 4 takes 8. Exact but for the order of
/// sums, borders included: what the convolution pads with zeros, no voxel of `x` reaches.
///
/// Engines must be good at transposed convolutions whose kernel is larger than their stride, which
/// few are: so it is not in the pipeline. Declines what is strided, dilated, grouped or biased
/// otherwise, upsampled features that something else reads too, and what would not save enough
/// ([`FLOPS_A_BYTE`]). Returns the number of convolutions merged.
pub(crate) fn merge_upsampling(graph: &mut Graph) -> usize {
    let found: Vec<(usize, Merged)> = {
        let view = View::new(graph);
        let nodes = graph.nodes().iter().enumerate();
        nodes
            .filter_map(|(index, conv)| Some((index, find(&view, conv)?)))
            .collect()
    };
    let mut patch = Patch::default();
    for (index, merged) in found {
        replace(graph, &mut patch, index, merged);
    }
    patch.finish(graph)
}

/// A convolution over upsampled features and others, to be computed from what was upsampled.
struct Merged {
    /// What the transposed convolution reads.
    coarse: ValueId,
    /// The transposed convolution in place of both.
    weight: Constant,
    strides: Vec<i64>,
    pads: Vec<i64>,
    rest: Part,
}

fn find(view: &View<'_>, conv: &Node) -> Option<Merged> {
    let dense = conv.all_are("strides", 1) && conv.all_are("dilations", 1);
    if conv.op != "Conv" || conv.inputs.len() != 2 || !dense {
        return None;
    }
    let joined = JoinedConv::of(view, conv)?;
    let is_up = |id| upsampling(view, id).is_some();
    let (up, rest) = (joined.part(is_up)?, joined.part(|id| !is_up(id))?);
    let &[features] = up.inputs.as_slice() else {
        return None;
    };
    let transposed = upsampling(view, features)?;
    let &[coarse, spread] = transposed.inputs.as_slice() else {
        return None;
    };
    let spread = view.graph.constant(spread)?;
    let gather = &up.weight;
    // The merged kernel begins before the first voxel by the convolution's own kernel, less what
    // that is padded by.
    let kernel = gather.shape.get(2..)?;
    let padded = conv.ints("pads")?.iter().zip(kernel.iter().cycle());
    let pads: Vec<i64> = padded.map(|(&pad, &size)| size as i64 - 1 - pad).collect();
    if pads.iter().any(|&pad| pad < 0) {
        return None;
    }
    let shape = merged_shape(&spread.shape, &gather.shape)?;
    let voxels = |id: ValueId| Some(view.shape(id).get(2..)?.iter().product::<usize>() as u64);
    let [read, made] = [voxels(coarse)?, voxels(*conv.outputs.first()?)?];
    let size = |shape: &[usize]| shape.iter().product::<usize>() as u64;
    let [spreads, gathers, both] = [&spread.shape, &gather.shape, &shape].map(|shape| size(shape));
    let flops = (2 * (read * spreads + made * gathers)).saturating_sub(2 * read * both);
    let bytes = (4 * both).saturating_sub(4 * (spreads + gathers));
    if flops <= FLOPS_A_BYTE * bytes {
        return None;
    }
    Some(Merged {
        coarse,
        weight: merged(spread, gather, &shape)?,
        strides: transposed.ints("strides")?.to_vec(),
        pads,
        rest,
    })
}

/// The transposed convolution that makes `id`, if it can be merged.
fn upsampling<'a>(view: &View<'a>, id: ValueId) -> Option<&'a Node> {
    let (_, node) = view.made_for_one(id)?;
    (node.op == "ConvTranspose"
        && node.inputs.len() == 2
        && node.int("group") == Some(1)
        && node.all_are("pads", 0)
        && node.all_are("output_padding", 0)
        && node.all_are("dilations", 1))
    .then_some(node)
}

/// What a transposed convolution `[in, middle, ..]` and a convolution `[out, middle, ..]` behind it
/// merge to: `[in, out, ..]`, with kernels as large as both together, less one.
fn merged_shape(spread: &[usize], gather: &[usize]) -> Option<Vec<usize>> {
    let (&[inputs, middle], first) = spread.split_first_chunk::<2>()?;
    let (&[outputs, same], second) = gather.split_first_chunk::<2>()?;
    let kernel = first.iter().zip(second).map(|(a, b)| a + b - 1);
    (same == middle && first.len() == second.len())
        .then(|| [inputs, outputs].into_iter().chain(kernel).collect())
}

/// The kernel of both, of this shape. Summed in f64: merging is to cost no accuracy.
fn merged(spread: &Constant, gather: &Constant, shape: &[usize]) -> Option<Constant> {
    let (&[inputs, outputs], kernel) = shape.split_first_chunk::<2>()?;
    let &middle = spread.shape.get(1)?;
    let (first, second) = (spread.shape.get(2..)?, gather.shape.get(2..)?);
    let spread = by_place(&spread.as_f32()?, [inputs, middle]);
    let gather = by_place(&gather.as_f32()?, [outputs, middle]);
    let mut sums = vec![vec![0.0; inputs * outputs]; kernel.iter().product()];
    for (spread, at) in spread.iter().zip(places(first)) {
        for (gather, back) in gather.iter().zip(places(second)) {
            // A convolution gathers: its first weight reaches furthest on.
            let on = back.iter().zip(second).map(|(at, size)| size - 1 - at);
            let at = at.iter().zip(on).zip(kernel);
            let flat = at.fold(0, |flat, ((a, b), size)| flat * size + a + b);
            for (sums, from) in sums[flat].chunks_mut(outputs).zip(spread.chunks(middle)) {
                for (output, to) in sums.iter_mut().zip(gather.chunks(middle)) {
                    *output += dot(from, to);
                }
            }
        }
    }
    let values =
        (0..inputs * outputs).flat_map(|pair| sums.iter().map(move |sums| sums[pair] as f32));
    Some(Constant::f32(shape, &values.collect::<Vec<f32>>()))
}

/// Eight sums beside each other, which a processor adds at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b);
    sums.into_iter().chain(rest).sum()
}

/// A matrix of channels for each place of a kernel, from `[a, channel, place]`.
fn by_place(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<Vec<f64>> {
    let channels = rows * columns;
    let places = values.len() / channels.max(1);
    let matrix = |place| {
        values
            .iter()
            .skip(place)
            .step_by(places)
            .map(|&value| value.into())
    };
    (0..places).map(|place| matrix(place).collect()).collect()
}

/// Every place of a box of this size, in row-major order.
fn places(size: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..size.iter().product()).map(move |mut flat: usize| {
        let mut at = vec![0; size.len()];
        for (at, &size) in at.iter_mut().zip(size).rev() {
            *at = flat % size;
            flat /= size;
        }
        at
    })
}

/// Puts both halves and their sum in the place of the convolution at `index`.
fn replace(graph: &mut Graph, patch: &mut Patch, index: usize, merged: Merged) {
    let conv = graph.nodes()[index].clone();
    let made = conv.outputs[0];
    let (dtype, shape) = (graph.value(made).dtype, graph.value(made).shape.clone());
    let kernel = merged.weight.shape.iter().skip(2);
    let kernel: Vec<i64> = kernel.map(|&size| size as i64).collect();
    let axes = kernel.len();
    let up = Node {
        op: "ConvTranspose",
        inputs: vec![merged.coarse, graph.add_constant(merged.weight)],
        outputs: Vec::new(),
        attributes: vec![
            ("dilations", Attribute::Ints(vec![1; axes])),
            ("group", Attribute::Int(1)),
            ("kernel_shape", Attribute::Ints(kernel)),
            ("pads", Attribute::Ints(merged.pads)),
            ("strides", Attribute::Ints(merged.strides)),
            ("output_padding", Attribute::Ints(vec![0; axes])),
        ],
        origin: ORIGIN,
    };
    let weight = graph.add_constant(merged.rest.weight);
    let x = join(graph, patch, index, merged.rest.inputs, ORIGIN);
    let rest = Node {
        inputs: vec![x, weight],
        ..conv
    };
    let halves = [up, rest].map(|half| {
        let half = patch.insert_new(graph, index, half, dtype, shape.clone());
        graph.name_axes_of(made, half);
        half
    });
    let add = Node {
        op: "Add",
        inputs: halves.to_vec(),
        outputs: Vec::new(),
        attributes: Vec::new(),
        origin: ORIGIN,
    };
    patch.replace(graph, index, add);
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
    use burn::prelude::*;

    use super::*;
    use crate::{Exported, Exporter};

    /// A convolution with a kernel of 3 over features upsampled twofold, and others.
    fn network(up_padding: usize, size: usize) -> Exported {
        let up = ConvTranspose2dConfig::new([4, 2], [2; 2])
            .with_stride([2; 2])
            .with_padding([up_padding; 2])
            .with_bias(false)
            .init(&Device::flex());
        let conv = Conv2dConfig::new([3, 2], [3; 2])
            .with_padding(burn::nn::PaddingConfig2d::Same)
            .with_bias(false)
            .init(&Device::flex());
        Exporter::new()
            .float_input("coarse", &[1, 4, size, size])
            .float_input(
                "skip",
                &[1, 1, 2 * size - 2 * up_padding, 2 * size - 2 * up_padding],
            )
            .export(|tracer| {
                let fine = tracer.load(&up).forward(tracer.float("coarse")?);
                let both = Tensor::cat(vec![fine, tracer.float("skip")?], 1);
                tracer.output("y", tracer.load(&conv).forward(both))
            })
            .unwrap()
    }

    fn operators(exported: &Exported) -> Vec<&str> {
        exported
            .graph()
            .nodes()
            .iter()
            .map(|node| node.op)
            .collect()
    }

    #[test]
    fn upsampling_is_merged_where_that_saves_enough() {
        let merged = network(0, 64).merge_upsampling().unwrap();
        assert_eq!(operators(&merged), ["ConvTranspose", "Conv", "Add"]);
        let up = &merged.graph().nodes()[0];
        assert_eq!(up.ints("kernel_shape"), Some([4, 4].as_slice()));
        assert_eq!(up.ints("strides"), Some([2, 2].as_slice()));
        assert_eq!(up.ints("pads"), Some([1; 4].as_slice()));
        let [_, before] = network(0, 64).costs();
        let [_, after] = merged.costs();
        // Products of one coarse pixel: upsampling and two of the three channels of the convolution.
        let [plain, both] = [4 * 2 * 4 + 4 * 2 * 2 * 9, 4 * 2 * 16];
        let (pixels, sums) = (64 * 64, 2 * 128 * 128);
        assert_eq!(
            before.flops + sums - after.flops,
            2 * pixels * (plain - both)
        );

        let small = network(0, 4).merge_upsampling().unwrap();
        assert_eq!(operators(&small), ["ConvTranspose", "Concat", "Conv"]);
    }

    #[test]
    fn padded_upsampling_stays_as_it_is() {
        let kept = network(1, 32).merge_upsampling().unwrap();
        assert_eq!(operators(&kept), ["ConvTranspose", "Concat", "Conv"]);
    }

    #[test]
    fn a_merged_kernel_is_both_after_each_other() {
        let spread = Constant::f32(&[1, 1, 2], &[1.0, 10.0]);
        let gather = Constant::f32(&[1, 1, 3], &[1.0, 2.0, 3.0]);
        let shape = merged_shape(&spread.shape, &gather.shape).unwrap();
        let both = merged(&spread, &gather, &shape).unwrap();
        // A one spreads to 1, 10; each result gathers what is before, at and behind it.
        assert_eq!(both, Constant::f32(&[1, 1, 4], &[3.0, 32.0, 21.0, 10.0]));
    }
}
