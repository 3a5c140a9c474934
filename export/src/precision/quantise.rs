//! f32 -> bytes: static quantisation, written as QuantizeLinear and DequantizeLinear pairs.

use std::collections::{BTreeSet, HashMap};

use super::roles::{Ends, heads, stems};
use crate::cost::{Cost, flops, weight_bytes};
use crate::error::ExportError;
use crate::graph::{Attribute, Graph, Node, ValueId};
use crate::types::{Constant, Dtype};

/// A node with less than this share of a graph's operations computes in f32; with less than this
/// share of its weights, too, it stays in float altogether. Such nodes can matter far more than
/// they cost: in the reference network two small convolutions that make the task's prompt have a
/// hundredth of the weights, and stored in bytes they make more than half of all error.
const CHEAP: f64 = 0.01;
/// What is cheap in every way stays in float only if it has less than this share of the weights
/// together: in a network of many small layers it is the network.
const CHEAP_TOGETHER: f64 = 0.05;

/// What of a node is in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// Nothing.
    Float,
    /// Its weights, which are floats again before it runs: a smaller file.
    Stored,
    /// Its weights and what it reads: less time, too.
    Computed,
}

/// What of each node is in bytes.
pub(super) struct Sites(Vec<Site>);

/// Convolutions and products with known weights, but for stems, heads, and what is [`CHEAP`] in
/// every way. Those of few operations, and transposed convolutions, which engines compute in floats,
/// are only stored in bytes: rounding what they read would gain nothing.
pub(super) fn sites(graph: &Graph, ends: Ends) -> Sites {
    let (heads, stems) = (heads(graph, ends), stems(graph, ends));
    let all = Cost::of(graph);
    let site = |(index, node): (usize, &Node)| {
        if heads[index] || stems[index] || channel_axis(graph, node).is_none() {
            return Site::Float;
        }
        let few = |part: u64, all: u64| (part as f64) < CHEAP * all as f64;
        match node.op == "ConvTranspose" || few(flops(graph, node), all.flops) {
            true => Site::Stored,
            false => Site::Computed,
        }
    };
    let mut sites: Vec<Site> = graph.nodes().iter().enumerate().map(site).collect();
    let share = |node: &Node| weight_bytes(graph, node) as f64 / all.weight_bytes.max(1) as f64;
    let stored = graph.nodes().iter().zip(&mut sites);
    let cheap: Vec<(f64, &mut Site)> = stored
        .filter(|(_, site)| **site == Site::Stored)
        .map(|(node, site)| (share(node), site))
        .filter(|(share, _)| *share < CHEAP)
        .collect();
    if cheap.iter().map(|(share, _)| share).sum::<f64>() < CHEAP_TOGETHER {
        cheap.into_iter().for_each(|(_, site)| *site = Site::Float);
    }
    Sites(sites)
}

impl Sites {
    /// What of the node at `index` is in bytes.
    pub(super) fn of(&self, index: usize) -> Site {
        self.0.get(index).copied().unwrap_or(Site::Float)
    }

    /// Only the node at `index`, everything else in float.
    pub(super) fn only(&self, index: usize) -> Self {
        let mut sites = vec![Site::Float; self.0.len()];
        if let Some(site) = sites.get_mut(index) {
            *site = self.of(index);
        }
        Self(sites)
    }

    /// These `nodes` in float.
    pub(super) fn without(mut self, nodes: &[usize]) -> Self {
        for &node in nodes {
            if let Some(site) = self.0.get_mut(node) {
                *site = Site::Float;
            }
        }
        self
    }

    /// The activations whose ranges must be known: what nodes that compute in bytes read. What they
    /// make stays in f32: a norm follows, which would enlarge the rounding of quiet channels.
    pub(super) fn activations(&self, graph: &Graph) -> Vec<ValueId> {
        let activations: BTreeSet<ValueId> = graph
            .nodes()
            .iter()
            .zip(&self.0)
            .filter(|(_, site)| **site == Site::Computed)
            .map(|(node, _)| node.inputs[0])
            .collect();
        activations.into_iter().collect()
    }
}

/// The axis of a node's weight that counts its output channels, if the node can be quantised.
fn channel_axis(graph: &Graph, node: &Node) -> Option<usize> {
    let weight = graph.constant(*node.inputs.get(1)?)?;
    if weight.dtype != Dtype::F32 || graph.constant(node.inputs[0]).is_some() {
        return None;
    }
    match node.op {
        "Conv" => Some(0),
        "ConvTranspose" if node.int("group").unwrap_or(1) == 1 => Some(1),
        "MatMul" if weight.shape.len() == 2 => Some(1),
        _ => None,
    }
}

/// Rewrites `graph` with the `ranges` of its activations.
///
/// ```text
/// x -> Conv -> y
/// x -> Q -> DQ -> Conv(DQ(weight), DQ(bias)) -> y      computed in bytes
/// x -> Conv(DQ(weight), bias) -> y                     stored in bytes
/// ```
/// Behind a transposed convolution stands an activation that changes nothing: OpenVINO quantises
/// where an activation ends, but what comes out of a transposed convolution it first writes once
/// more as 32-bit floats, at full resolution the largest tensor of all.
pub(super) fn convert(
    graph: &Graph,
    sites: &Sites,
    ranges: &HashMap<ValueId, [f32; 2]>,
) -> Result<Graph, ExportError> {
    let mut to = Graph::new(graph.opset());
    let mut values: HashMap<ValueId, ValueId> = HashMap::new();
    let mut through_bytes: HashMap<ValueId, ValueId> = HashMap::new();
    let producers = graph.producers();
    let is_transposed = |id: ValueId| {
        let producer = producers.get(id.0 as usize).copied().flatten();
        producer.is_some_and(|node| graph.nodes()[node].op == "ConvTranspose")
    };
    for (name, id) in graph.inputs() {
        let value = graph.value(*id);
        let new = to.add_value(value.dtype, value.shape.clone());
        to.add_input(name.clone(), new);
        values.insert(*id, new);
    }
    for (node, &site) in graph.nodes().iter().zip(&sites.0) {
        let axis = channel_axis(graph, node).filter(|_| site != Site::Float);
        let weight = match axis {
            Some(axis) => Some(Weight::of(graph, node.inputs[1], axis)?),
            None => None,
        };
        let mut inputs: Vec<ValueId> = Vec::with_capacity(node.inputs.len());
        for (slot, &id) in node.inputs.iter().enumerate() {
            let input = match (&weight, slot) {
                (Some(_), 0) if site == Site::Computed => match through_bytes.get(&id) {
                    Some(&x) => x,
                    None => {
                        let mut x = copied(graph, &mut to, &mut values, id)?;
                        if is_transposed(id) {
                            x = unchanged(&mut to, x);
                        }
                        let x = bytes_and_back(&mut to, x, Affine::of(range(ranges, id)?));
                        through_bytes.insert(id, x);
                        x
                    }
                },
                (Some(weight), 1) => weight.dequantised(&mut to),
                (Some(weight), 2) if site == Site::Computed => {
                    let scale = Affine::of(range(ranges, node.inputs[0])?).scale;
                    weight.bias(&mut to, graph, id, scale)?
                }
                _ => copied(graph, &mut to, &mut values, id)?,
            };
            inputs.push(input);
        }
        let outputs = node
            .outputs
            .iter()
            .map(|&id| {
                let value = graph.value(id);
                let new = to.add_value(value.dtype, value.shape.clone());
                values.insert(id, new);
                new
            })
            .collect();
        to.push_node(Node {
            inputs,
            outputs,
            ..node.clone()
        });
    }
    for (name, id) in graph.outputs() {
        let new = copied(graph, &mut to, &mut values, *id)?;
        to.add_output(name.clone(), new);
    }
    Ok(to)
}

fn range(ranges: &HashMap<ValueId, [f32; 2]>, id: ValueId) -> Result<[f32; 2], ExportError> {
    ranges.get(&id).copied().ok_or_else(|| unknown("range"))
}

fn unknown(what: &str) -> ExportError {
    ExportError::BrokenGraph {
        step: "int8",
        finding: format!("a node reads a value of unknown {what}"),
    }
}

fn copied(
    from: &Graph,
    to: &mut Graph,
    values: &mut HashMap<ValueId, ValueId>,
    id: ValueId,
) -> Result<ValueId, ExportError> {
    if let Some(&new) = values.get(&id) {
        return Ok(new);
    }
    let constant = from.constant(id).ok_or_else(|| unknown("origin"))?;
    let new = to.add_constant(constant.clone());
    values.insert(id, new);
    Ok(new)
}

/// `value = (byte - zero_point) * scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine {
    scale: f32,
    zero_point: u8,
}

impl Affine {
    /// The bytes 0 to 255 over `[lower, upper]`, which holds 0; zero is exactly one of them.
    fn of([lower, upper]: [f32; 2]) -> Self {
        let scale = (upper - lower) / 255.0;
        if !(scale.is_normal()) {
            return Self {
                scale: 1.0,
                zero_point: 0,
            };
        }
        Self {
            scale,
            // A float to a byte saturates.
            zero_point: (-lower / scale).round() as u8,
        }
    }
}

/// An activation that changes nothing.
fn unchanged(to: &mut Graph, x: ValueId) -> ValueId {
    let shape = to.value(x).shape.clone();
    let same = to.add_value(Dtype::F32, shape);
    to.push_node(Node {
        op: "LeakyRelu",
        inputs: vec![x],
        outputs: vec![same],
        attributes: vec![("alpha", Attribute::Float(1.0))],
        origin: "precision",
    });
    same
}

fn bytes_and_back(to: &mut Graph, x: ValueId, affine: Affine) -> ValueId {
    let shape = to.value(x).shape.clone();
    let scale = to.add_constant(Constant::f32(&[], &[affine.scale]));
    let zero_point = to.add_constant(Constant {
        dtype: Dtype::U8,
        shape: Vec::new(),
        bytes: vec![affine.zero_point].into(),
    });
    let bytes = to.add_value(Dtype::U8, shape.clone());
    let back = to.add_value(Dtype::F32, shape);
    for (op, input, output) in [
        ("QuantizeLinear", x, bytes),
        ("DequantizeLinear", bytes, back),
    ] {
        to.push_node(Node {
            op,
            inputs: vec![input, scale, zero_point],
            outputs: vec![output],
            attributes: Vec::new(),
            origin: "precision",
        });
    }
    back
}

/// The index on `axis` of each element of a tensor.
pub(super) fn channels(shape: &[usize], axis: usize) -> impl Iterator<Item = usize> + use<> {
    let count = shape.get(axis).copied().unwrap_or(1).max(1);
    let inner: usize = shape.iter().skip(axis + 1).product();
    (0..).map(move |index: usize| index / inner.max(1) % count)
}

/// `value` in units of `scale`, as a whole number that fits a signed byte.
fn signed_byte(value: f32, scale: f32) -> f32 {
    (value / scale).round().clamp(-127.0, 127.0)
}

/// Scales, down to half of those that hold the largest weight of each channel, with which rounding
/// and clipping lose the least together: one large weight does not coarsen all others.
fn least_error(values: &[f32], shape: &[usize], axis: usize, scales: &[f32]) -> Vec<f32> {
    /// Scales that are tried.
    const CANDIDATES: u8 = 30;
    let mut best: Vec<(f64, f32)> = scales.iter().map(|scale| (f64::INFINITY, *scale)).collect();
    for candidate in 0..CANDIDATES {
        let share = 1.0 - 0.5 * f32::from(candidate) / f32::from(CANDIDATES);
        let mut errors = vec![0.0f64; scales.len()];
        for (value, channel) in values.iter().zip(channels(shape, axis)) {
            let scale = scales[channel] * share;
            let error = signed_byte(*value, scale) * scale - value;
            errors[channel] += f64::from(error).powi(2);
        }
        for ((best, error), scale) in best.iter_mut().zip(errors).zip(scales) {
            if error < best.0 {
                *best = (error, scale * share);
            }
        }
    }
    best.into_iter().map(|(_, scale)| scale).collect()
}

/// A weight in signed bytes, with a scale for each output channel.
struct Weight {
    shape: Vec<usize>,
    axis: usize,
    scales: Vec<f32>,
    bytes: Vec<u8>,
}

impl Weight {
    fn of(graph: &Graph, id: ValueId, axis: usize) -> Result<Self, ExportError> {
        let constant = graph.constant(id).ok_or_else(|| unknown("weight"))?;
        let values = constant.as_f32().ok_or_else(|| unknown("weight"))?;
        let shape = constant.shape.clone();
        let mut largest = vec![0.0f32; shape.get(axis).copied().unwrap_or(1)];
        for (value, channel) in values.iter().zip(channels(&shape, axis)) {
            let seen = &mut largest[channel];
            *seen = seen.max(value.abs());
        }
        let scales: Vec<f32> = largest
            .into_iter()
            .map(|largest| largest / 127.0)
            .map(|scale| if scale.is_normal() { scale } else { 1.0 })
            .collect();
        let scales = least_error(&values, &shape, axis, &scales);
        let bytes = values
            .iter()
            .zip(channels(&shape, axis))
            .map(|(value, channel)| signed_byte(*value, scales[channel]) as i8 as u8)
            .collect();
        Ok(Self {
            shape,
            axis,
            scales,
            bytes,
        })
    }

    fn dequantised(&self, to: &mut Graph) -> ValueId {
        let bytes = Constant {
            dtype: Dtype::I8,
            shape: self.shape.clone(),
            bytes: self.bytes.clone().into(),
        };
        dequantised(to, bytes, &self.scales, self.axis)
    }

    /// The bias in the unit of the products: activation scale times weight scale.
    fn bias(
        &self,
        to: &mut Graph,
        graph: &Graph,
        id: ValueId,
        activation: f32,
    ) -> Result<ValueId, ExportError> {
        let constant = graph.constant(id).and_then(Constant::as_f32);
        let values = constant.ok_or_else(|| unknown("bias"))?;
        let scales: Vec<f32> = self.scales.iter().map(|scale| scale * activation).collect();
        let bytes: Vec<u8> = values
            .iter()
            .zip(&scales)
            // A float to an integer saturates.
            .flat_map(|(value, scale)| ((value / scale).round() as i32).to_le_bytes())
            .collect();
        let integers = Constant {
            dtype: Dtype::I32,
            shape: vec![values.len()],
            bytes: bytes.into(),
        };
        Ok(dequantised(to, integers, &scales, 0))
    }
}

fn dequantised(to: &mut Graph, integers: Constant, scales: &[f32], axis: usize) -> ValueId {
    let shape = integers.shape.clone();
    let zeros = Constant {
        dtype: integers.dtype,
        shape: vec![scales.len()],
        bytes: vec![0; scales.len() * integers.dtype.size()].into(),
    };
    let integers = to.add_constant(integers);
    let scale = to.add_constant(Constant::f32(&[scales.len()], scales));
    let zero_point = to.add_constant(zeros);
    let back = to.add_value(Dtype::F32, shape);
    to.push_node(Node {
        op: "DequantizeLinear",
        inputs: vec![integers, scale, zero_point],
        outputs: vec![back],
        attributes: vec![("axis", Attribute::Int(axis as i64))],
        origin: "precision",
    });
    back
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_large_weight_is_clipped_if_all_others_gain() {
        let mut values: Vec<f32> = (0..100_000).map(|i| (i % 997) as f32 / 997.0).collect();
        values.push(1.5);
        let scales = least_error(&values, &[1, values.len()], 0, &[1.5 / 127.0]);
        assert!(scales[0] < 1.2 / 127.0, "{scales:?}");
        // Nothing to gain where all are the largest.
        let even = least_error(&[1.0, -1.0], &[1, 2], 0, &[1.0 / 127.0]);
        assert_eq!(even, [1.0 / 127.0]);
    }

    #[test]
    fn zero_is_exactly_a_byte() {
        for range in [[0.0, 6.0], [-0.31, 5.7], [-3.0, 0.0], [-1.0, 1.0]] {
            let Affine { scale, zero_point } = Affine::of(range);
            let ends = [0.0, 255.0].map(|byte| (byte - f32::from(zero_point)) * scale);
            for (end, wanted) in ends.into_iter().zip(range) {
                assert!((end - wanted).abs() <= 0.51 * scale, "{range:?}: {ends:?}");
            }
        }
        assert_eq!(Affine::of([0.0, 0.0]).scale, 1.0);
    }
}
