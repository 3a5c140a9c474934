use super::View;
use super::channels::{JoinedConv, Part, join};
use crate::graph::{Graph, Node, Patch, ValueId};

/// Name of the rewrite, for reports and errors.
pub(crate) const ORIGIN: &str = "split-convolutions";

/// Divides convolutions over a concatenation of what varies and what does not.
///
/// ```text
/// Conv(Concat(varying, fixed), w, b)   ->   Conv(varying, w[varying]) + Conv(fixed, w[fixed], b)
/// ```
/// A convolution is linear, so this is exact but for the order of a sum. It costs an addition, and
/// pays where the fixed half is computed once for many runs of the other: so it is not in the
/// pipeline, but run on request and before a graph is split. Declines grouped convolutions and a
/// concatenation that something else reads too. Returns the number of convolutions divided.
pub(crate) fn split_convolutions(graph: &mut Graph, varying: &[bool]) -> usize {
    let found: Vec<(usize, [Part; 2])> = {
        let view = View::new(graph);
        let varies = |id: ValueId| varying.get(id.0 as usize).copied().unwrap_or(false);
        graph
            .nodes()
            .iter()
            .enumerate()
            .filter_map(|(index, conv)| {
                let joined = JoinedConv::of(&view, conv)?;
                let (varying, fixed) = (joined.part(varies)?, joined.part(|id| !varies(id))?);
                Some((index, [varying, fixed]))
            })
            .collect()
    };
    let mut patch = Patch::default();
    for (index, parts) in found {
        let conv = graph.nodes()[index].clone();
        let made = graph.value(conv.outputs[0]);
        let (dtype, shape) = (made.dtype, made.shape.clone());
        let mut sums = Vec::with_capacity(2);
        for (part, with_bias) in parts.into_iter().zip([false, true]) {
            let weight = graph.add_constant(part.weight);
            let x = join(graph, &mut patch, index, part.inputs, ORIGIN);
            let bias = conv.inputs.get(2).copied().filter(|_| with_bias);
            let node = Node {
                inputs: [x, weight].into_iter().chain(bias).collect(),
                ..conv.clone()
            };
            let sum = patch.insert_new(graph, index, node, dtype, shape.clone());
            graph.name_axes_of(conv.outputs[0], sum);
            sums.push(sum);
        }
        let add = Node {
            op: "Add",
            inputs: sums,
            outputs: Vec::new(),
            attributes: Vec::new(),
            origin: ORIGIN,
        };
        patch.replace(graph, index, add);
    }
    patch.finish(graph)
}
