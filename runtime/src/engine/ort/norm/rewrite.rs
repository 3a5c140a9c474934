//! Where a graph normalises, and what stands there instead.

use std::collections::{HashMap, HashSet};

use uniseg_onnx::proto::{
    DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
};

use super::{ALPHA, CHANNELS_LAST, DOMAIN, EPSILON, NAME};

/// The same model with one operation for each instance normalisation and what belongs to it; `None`
/// if there is none.
///
/// ```text
/// Conv ─ [Cast to f32] ─ InstanceNormalization ─ [Cast back] ─ [LeakyRelu] ─ Conv
///   ->
/// Conv ─ [Transpose] ─ InstanceNormLeakyRelu ─ [Transpose back] ─ Conv
/// ```
/// The casts go only as a pair. With `channels_last`, transpositions stand around the operation
/// where a convolution comes before it, which tells its rank: a provider whose convolutions work
/// with channels last puts the opposite ones around them, and both vanish.
pub(in crate::engine::ort) fn rewritten(
    mut model: ModelProto,
    channels_last: bool,
) -> Option<ModelProto> {
    let graph = model.graph.as_mut()?;
    // Who else reads a value is not known then.
    if graph.node.iter().any(NodeProto::has_subgraph) {
        return None;
    }
    let uses = Uses::of(graph);
    let found: Vec<Found<'_>> = (graph.node.iter().enumerate())
        .filter_map(|(place, node)| uses.found(place, node))
        .collect();
    if found.is_empty() {
        return None;
    }
    let dropped: HashSet<usize> = found
        .iter()
        .flat_map(|found| &found.drops)
        .copied()
        .collect();
    // Each in the place of its last node: all that it reads is there by then, and what reads it comes
    // later.
    let mut at: HashMap<usize, &Found<'_>> =
        found.iter().map(|found| (found.last, found)).collect();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for (place, node) in graph.node.iter().enumerate() {
        if let Some(found) = at.remove(&place) {
            nodes.extend(found.nodes(channels_last));
        } else if !dropped.contains(&place) {
            nodes.push(node.clone());
        }
    }
    graph.node = nodes;
    model.opset_import.push(OperatorSetIdProto {
        domain: DOMAIN.to_owned(),
        version: 1,
    });
    Some(model)
}

/// Who makes and who reads each value of a graph.
struct Uses<'a> {
    graph: &'a GraphProto,
    makers: HashMap<&'a str, usize>,
    readers: HashMap<&'a str, Vec<usize>>,
    /// What leaves the graph.
    kept: HashSet<&'a str>,
    floats: HashSet<&'a str>,
}

/// One normalisation, and what is computed with it.
struct Found<'a> {
    input: &'a str,
    scale: &'a str,
    bias: &'a str,
    output: &'a str,
    epsilon: f32,
    alpha: f32,
    /// Axes of the tensor, where they are known.
    rank: Option<usize>,
    /// Places of the nodes that are not needed any more.
    drops: Vec<usize>,
    /// Place of the last of them.
    last: usize,
}

impl<'a> Uses<'a> {
    fn of(graph: &'a GraphProto) -> Uses<'a> {
        let mut uses = Uses {
            graph,
            makers: HashMap::new(),
            readers: HashMap::new(),
            kept: graph
                .output
                .iter()
                .map(|value| value.name.as_str())
                .collect(),
            floats: HashSet::new(),
        };
        let is_float = |tensor: &&TensorProto| tensor.data_type == DataType::Float as i32;
        let floats = graph.initializer.iter().filter(is_float);
        uses.floats
            .extend(floats.map(|tensor| tensor.name.as_str()));
        for (place, node) in graph.node.iter().enumerate() {
            for output in &node.output {
                uses.makers.insert(output, place);
            }
            for input in &node.input {
                uses.readers.entry(input).or_default().push(place);
            }
        }
        uses
    }

    /// What stands for the node at `place`, if it is a normalisation that can be replaced.
    fn found(&self, place: usize, node: &'a NodeProto) -> Option<Found<'a>> {
        let ([input, scale, bias], [normalised]) = (&node.input[..], &node.output[..]) else {
            return None;
        };
        let known = |name: &str| self.floats.contains(name);
        // Weights that are not f32 belong to a norm that is not: none of ours.
        if !node.is("InstanceNormalization") || !known(scale) || !known(bias) {
            return None;
        }
        let mut found = Found {
            input,
            scale,
            bias,
            output: normalised,
            epsilon: node
                .attribute("epsilon")
                .and_then(|value| value.f)
                .unwrap_or(1e-5),
            alpha: 1.0,
            rank: None,
            drops: vec![place],
            last: place,
        };
        let cast = self
            .maker(input)
            .filter(|(_, cast)| casts_to(cast, DataType::Float));
        let back = self.only_reader(normalised);
        let back = back.filter(|(_, cast)| {
            casts_to(cast, DataType::Float16) || casts_to(cast, DataType::Bfloat16)
        });
        if let (Some((before, cast)), Some((after, back))) = (cast, back) {
            found.input = cast.input.first()?;
            found.take(after, back)?;
            // A cast that others read, too, stays.
            if self.only_reader(input).is_some() {
                found.drops.push(before);
            }
        }
        match self.only_reader(found.output) {
            Some((after, relu)) if relu.is("LeakyRelu") => {
                let alpha = relu.attribute("alpha").and_then(|value| value.f);
                found.alpha = alpha.unwrap_or(0.01);
                found.take(after, relu)?;
            }
            Some((after, relu)) if relu.is("Relu") => {
                found.alpha = 0.0;
                found.take(after, relu)?;
            }
            _ => {}
        }
        let maker = self.maker(found.input);
        let before = maker
            .filter(|(_, node)| node.is("Cast"))
            .and_then(|(_, cast)| self.maker(cast.input.first()?));
        found.rank = before
            .or(maker)
            .and_then(|(_, maker)| rank(self.graph, maker));
        Some(found)
    }

    fn maker(&self, value: &str) -> Option<(usize, &'a NodeProto)> {
        let place = *self.makers.get(value)?;
        Some((place, self.graph.node.get(place)?))
    }

    /// The node that reads `value`, if no other does and it does not leave the graph.
    fn only_reader(&self, value: &str) -> Option<(usize, &'a NodeProto)> {
        match self.readers.get(value)?[..] {
            [place] if !self.kept.contains(value) => Some((place, self.graph.node.get(place)?)),
            _ => None,
        }
    }
}

impl<'a> Found<'a> {
    /// Takes the node after it in.
    fn take(&mut self, place: usize, node: &'a NodeProto) -> Option<()> {
        self.output = node.output.first()?;
        self.drops.push(place);
        self.last = place;
        Some(())
    }

    fn nodes(&self, channels_last: bool) -> Vec<NodeProto> {
        let rank = self.rank.filter(|_| channels_last);
        let operation = |input: String, output: String| {
            let node = NodeProto::new(NAME, [&input, self.scale, self.bias], [&output])
                .named(format!("{}.normalised", self.output))
                .attr_float(EPSILON, self.epsilon)
                .attr_float(ALPHA, self.alpha)
                .attr_int(CHANNELS_LAST, i64::from(rank.is_some()));
            NodeProto {
                domain: DOMAIN.to_owned(),
                ..node
            }
        };
        let Some(rank) = rank else {
            return vec![operation(self.input.to_owned(), self.output.to_owned())];
        };
        let axes = rank as i64;
        let there: Vec<i64> = [0].into_iter().chain(2..axes).chain([1]).collect();
        let back: Vec<i64> = [0, axes - 1].into_iter().chain(1..axes - 1).collect();
        let inner = [".before", ".after"].map(|end| format!("{}{end}", self.output));
        let [before, after] = inner;
        let transpose = |from: &str, to: &str, axes: &[i64]| {
            NodeProto::new("Transpose", [from], [to])
                .named(format!("{to}.transposed"))
                .attr_ints("perm", axes)
        };
        vec![
            transpose(self.input, &before, &there),
            operation(before.clone(), after.clone()),
            transpose(&after, self.output, &back),
        ]
    }
}

fn casts_to(node: &NodeProto, element: DataType) -> bool {
    let to = node.attribute("to").and_then(|value| value.i);
    node.is("Cast") && to == Some(element as i64)
}

/// Axes of what a convolution makes.
fn rank(graph: &GraphProto, node: &NodeProto) -> Option<usize> {
    if !node.is("Conv") && !node.is("ConvTranspose") {
        return None;
    }
    let weight = node.input.get(1)?;
    let weight = graph
        .initializer
        .iter()
        .find(|tensor| tensor.name == *weight)?;
    Some(weight.dims.len())
}

#[cfg(test)]
mod tests;
