//! Shapes and operations of a graph's nodes.

use uniseg_onnx::{Dim, proto::NodeProto};

/// Channels and voxels of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) channels: u64,
    pub(super) zyx: [u64; 3],
}

impl Shape {
    /// Of a value with these sizes, which are one where they are open.
    pub(super) fn of(dims: &[Dim]) -> Shape {
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

    pub(super) fn voxels(self) -> u64 {
        self.zyx
            .iter()
            .fold(1, |product, size| product.saturating_mul(*size))
    }

    pub(super) fn elements(self) -> u64 {
        self.voxels().saturating_mul(self.channels)
    }
}

/// Shape of a node's outputs and operations for them; nothing if it has no inputs of five axes.
/// `weight` are the sizes of its second input, if that does not depend on the image.
pub(super) fn result(
    node: &NodeProto,
    inputs: &[Shape],
    weight: Option<&[i64]>,
) -> Option<(Shape, u64)> {
    let first = *inputs.first()?;
    let elementwise = inputs.iter().copied().max_by_key(|shape| shape.elements());
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
        at(axis).saturating_add(at(axis + 3))
    };
    let (channels, zyx) = match node.op_type.as_str() {
        "Conv" => (
            size(Some(outer)),
            [0, 1, 2].map(|axis| {
                let padded = first.zyx[axis].saturating_add(pad(axis));
                padded.saturating_sub(kernel[axis]) / stride[axis] + 1
            }),
        ),
        "ConvTranspose" => (
            size(Some(inner)),
            [0, 1, 2].map(|axis| {
                let travel = first.zyx[axis]
                    .saturating_sub(1)
                    .saturating_mul(stride[axis]);
                let reach = travel.saturating_add(kernel[axis]);
                reach.saturating_sub(pad(axis)).max(1)
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
    node.attribute(name)
        .map_or(&[], |attribute| &attribute.ints)
}

/// A size that is at least one.
fn size(value: Option<&i64>) -> u64 {
    value.map_or(1, |value| u64::try_from(*value).unwrap_or(1).max(1))
}

pub(super) fn product(dims: &[i64]) -> u64 {
    dims.iter()
        .fold(1, |product, dim| product.saturating_mul(size(Some(dim))))
}

#[cfg(test)]
mod tests {
    use super::*;

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
