//! What one pass of a graph costs, read from the shapes of its convolutions.

use std::collections::HashMap;

use uniseg_onnx::{
    Dim, IMAGE, Network,
    proto::{GraphProto, NodeProto},
};

/// Bytes of a 32-bit float.
const F32: u64 = 4;

/// The cost of one window.
///
/// Only values of five axes are followed, which is where the cost of a 3-D network lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Floating-point operations of convolutions, transposed ones included; a multiplication and
    /// an addition are two.
    pub flops: u64,
    /// Bytes of the values that are alive together, at the most, if each is kept until its last
    /// use and as f32. An engine may need less where it computes in place, or more for its own
    /// working space.
    pub activation_bytes: u64,
    /// Bytes of the inputs that are volumes, which are part of the activations.
    pub input_bytes: u64,
    /// Bytes of the outputs, likewise.
    pub output_bytes: u64,
    /// Bytes of the weights.
    pub weight_bytes: u64,
}

/// Channels and voxels of a value.
#[derive(Clone, Copy)]
struct Shape {
    channels: u64,
    zyx: [u64; 3],
}

impl Shape {
    /// Of a value with these sizes, which are one where they are open.
    fn of(dims: &[Dim]) -> Shape {
        let axes = dims.len().saturating_sub(3);
        let (outer, inner) = dims.split_at(axes);
        let mut zyx = [1; 3];
        for (size, dim) in zyx.iter_mut().rev().zip(inner.iter().rev()) {
            *size = fixed(dim);
        }
        let channels = outer.iter().map(fixed);
        let channels = channels.fold(1, |product: u64, size| product.saturating_mul(size));
        Shape { channels, zyx }
    }

    fn voxels(self) -> u64 {
        self.zyx
            .iter()
            .fold(1, |product, size| product.saturating_mul(*size))
    }

    fn bytes(self) -> u64 {
        self.voxels()
            .saturating_mul(self.channels)
            .saturating_mul(F32)
    }
}

impl Footprint {
    /// That of `graph` on one window of `network`.
    pub(crate) fn of(graph: &GraphProto, network: &Network) -> Footprint {
        let weights: HashMap<&str, &[i64]> = graph
            .initializer
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor.dims.as_slice()))
            .collect();
        let mut last_use: HashMap<&str, usize> = HashMap::new();
        for (place, node) in graph.node.iter().enumerate() {
            for input in &node.input {
                last_use.insert(input, place);
            }
        }
        let image = Shape {
            channels: network.slots as u64,
            zyx: network.patch_zyx.map(|size| size as u64),
        };
        let mut alive: HashMap<&str, Shape> = HashMap::from([(IMAGE, image)]);
        // A decoder's inputs are the features of one window.
        for input in graph.input.iter().filter(|input| input.name != IMAGE) {
            let dims = input.tensor_type().and_then(|(_, dims)| dims);
            if let Some(dims) = dims.filter(|dims| dims.len() == 5) {
                alive.insert(&input.name, Shape::of(&dims));
            }
        }
        let inputs = graph.input.iter();
        let inputs = inputs.filter_map(|input| alive.get(input.name.as_str()));
        let input_bytes = inputs.map(|shape| shape.bytes()).sum();
        let outputs: Vec<&str> = graph.output.iter().map(|out| out.name.as_str()).collect();
        let mut output_bytes = 0_u64;
        let mut found = Footprint {
            weight_bytes: weights
                .values()
                .map(|dims| product(dims).saturating_mul(F32))
                .sum(),
            ..Footprint::default()
        };
        // What the file says of inner values; files with an open axis say nothing.
        let inner = graph.value_info.iter();
        let told: HashMap<&str, Shape> = inner
            .filter_map(|value| Some((value.name.as_str(), value.tensor_type()?.1?)))
            .map(|(name, dims)| (name, Shape::of(&dims)))
            .collect();
        for (place, node) in graph.node.iter().enumerate() {
            let weight = node
                .input
                .get(1)
                .and_then(|name| weights.get(name.as_str()));
            let inputs: Vec<Shape> = node
                .input
                .iter()
                .filter_map(|name| alive.get(name.as_str()).copied())
                .collect();
            if let Some((shape, flops)) = result(node, &inputs, weight.copied()) {
                found.flops = found.flops.saturating_add(flops);
                for output in node.output.iter().filter(|name| !name.is_empty()) {
                    let shape = told.get(output.as_str()).copied().unwrap_or(shape);
                    alive.insert(output, shape);
                    if outputs.contains(&output.as_str()) {
                        output_bytes = output_bytes.saturating_add(shape.bytes());
                    }
                }
            }
            let bytes = alive.values().map(|shape| shape.bytes()).sum();
            found.activation_bytes = found.activation_bytes.max(bytes);
            let needed = |name: &str| last_use.get(name).is_some_and(|last| *last > place);
            alive.retain(|name, _| needed(name) || outputs.contains(name));
        }
        found.input_bytes = input_bytes;
        found.output_bytes = output_bytes;
        found
    }
}

/// Shape and cost of a node's outputs; nothing if it has no inputs of five axes.
fn result(node: &NodeProto, inputs: &[Shape], weight: Option<&[i64]>) -> Option<(Shape, u64)> {
    let first = *inputs.first()?;
    let elementwise = inputs.iter().copied().max_by_key(|shape| shape.bytes());
    let Some(dims @ [outer, inner, kernel @ ..]) = weight.filter(|dims| dims.len() == 5) else {
        return match node.op_type.as_str() {
            "Transpose" => {
                let axes = [first.channels, first.zyx[0], first.zyx[1], first.zyx[2]];
                let order = ints(node, "perm");
                let at = |place: usize| {
                    let from = order
                        .get(place + 1)
                        .and_then(|axis| usize::try_from(*axis).ok());
                    let from = from.and_then(|axis| axes.get(axis.checked_sub(1)?));
                    from.copied().unwrap_or(1)
                };
                let (channels, zyx) = (at(0), [at(1), at(2), at(3)]);
                Some((Shape { channels, zyx }, 0))
            }
            "Concat" => {
                let channels = inputs.iter().map(|shape| shape.channels).sum();
                Some((Shape { channels, ..first }, 0))
            }
            _ => Some((elementwise?, 0)),
        };
    };
    let kernel: [u64; 3] = [0, 1, 2].map(|axis| size(kernel.get(axis)));
    let strides = ints(node, "strides");
    let stride = [0, 1, 2].map(|axis| size(strides.get(axis)));
    let pads = ints(node, "pads");
    let pad = |axis: usize| {
        let at = |place: usize| {
            pads.get(place)
                .map_or(0, |pad| u64::try_from(*pad).unwrap_or(0))
        };
        at(axis) + at(axis + 3)
    };
    let (channels, zyx) = match node.op_type.as_str() {
        "Conv" => (
            size(Some(outer)),
            [0, 1, 2].map(|axis| {
                let travel = (first.zyx[axis] + pad(axis)).saturating_sub(kernel[axis]);
                travel / stride[axis] + 1
            }),
        ),
        "ConvTranspose" => (
            size(Some(inner)),
            [0, 1, 2].map(|axis| {
                let travel = (first.zyx[axis] - 1).saturating_mul(stride[axis]);
                (travel + kernel[axis]).saturating_sub(pad(axis)).max(1)
            }),
        ),
        _ => return Some((elementwise?, 0)),
    };
    let shape = Shape { channels, zyx };
    // Each weight meets each voxel of the output, or, transposed, of the input, once.
    let met = match node.op_type.as_str() {
        "Conv" => shape.voxels(),
        _ => first.voxels(),
    };
    Some((shape, product(dims).saturating_mul(met).saturating_mul(2)))
}

/// A size that the graph says; one where it is left open.
fn fixed(dim: &Dim) -> u64 {
    match dim {
        Dim::Fixed(size) => u64::try_from(*size).unwrap_or(1),
        _ => 1,
    }
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    let mut attributes = node.attribute.iter();
    let found = attributes.find(|attribute| attribute.name == name);
    found.map_or(&[], |attribute| &attribute.ints)
}

/// A size that is at least one.
fn size(value: Option<&i64>) -> u64 {
    value.map_or(1, |value| u64::try_from(*value).unwrap_or(1).max(1))
}

fn product(dims: &[i64]) -> u64 {
    dims.iter()
        .fold(1, |product, dim| product.saturating_mul(size(Some(dim))))
}

#[cfg(test)]
mod tests {
    use uniseg_onnx::sample;

    use super::*;

    #[test]
    fn the_sample_costs_what_its_one_convolution_costs() {
        let graph = sample::tiny_model().graph.unwrap();
        let found = Footprint::of(&graph, &sample::tiny_manifest().network);
        // 3 x 2 weights on 24 voxels, two operations each.
        assert_eq!(found.flops, 288);
        // Image and scores, then scores and logits: 24 voxels of 2 and 3, or of 3 and 3 channels.
        assert_eq!(found.activation_bytes, 24 * 6 * 4);
        assert_eq!(found.weight_bytes, 12 * 4);
        assert_eq!(
            (found.input_bytes, found.output_bytes),
            (24 * 2 * 4, 24 * 3 * 4)
        );
    }

    #[test]
    fn channels_that_came_last_come_second_again() {
        let waited = Shape {
            channels: 8,
            zyx: [4, 2, 5],
        };
        let node = NodeProto::new("Transpose", ["x"], ["y"]).attr_ints("perm", &[0, 4, 1, 2, 3]);
        let (shape, flops) = result(&node, &[waited], None).unwrap();
        assert_eq!((shape.channels, shape.zyx, flops), (5, [8, 4, 2], 0));
    }

    #[test]
    fn strides_pads_and_transposes_change_the_grid() {
        let first = Shape {
            channels: 2,
            zyx: [8, 8, 8],
        };
        let down = NodeProto::new("Conv", ["x", "w"], ["y"])
            .attr_ints("strides", &[1, 2, 2])
            .attr_ints("pads", &[0, 1, 1, 0, 1, 1]);
        let (shape, flops) = result(&down, &[first], Some(&[5, 2, 1, 3, 3])).unwrap();
        assert_eq!((shape.channels, shape.zyx), (5, [8, 4, 4]));
        assert_eq!(flops, 2 * 5 * 2 * 9 * 8 * 16);
        let up =
            NodeProto::new("ConvTranspose", ["y", "w"], ["z"]).attr_ints("strides", &[1, 2, 2]);
        let (shape, flops) = result(&up, &[shape], Some(&[5, 3, 1, 2, 2])).unwrap();
        assert_eq!((shape.channels, shape.zyx), (3, [8, 8, 8]));
        assert_eq!(flops, 2 * 5 * 3 * 4 * 8 * 16);
    }
}
