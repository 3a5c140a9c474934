//! The values of a graph, from where each is made to where it is read last.

use std::collections::HashMap;

use uniseg_onnx::{
    Dim, IMAGE, Network,
    proto::{DataType, GraphProto, NodeProto},
};

use super::shape::{Shape, product, result};

/// What a value's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// A float, which an engine may compute in another precision than the graph says.
    Float(u64),
    /// Anything else, of so many bytes.
    Whole(u64),
}

impl Number {
    fn of(data_type: DataType) -> Number {
        match data_type {
            DataType::Float16 | DataType::Bfloat16 => Number::Float(2),
            DataType::Double => Number::Float(8),
            DataType::Uint8 | DataType::Int8 | DataType::Bool => Number::Whole(1),
            DataType::Uint16 | DataType::Int16 => Number::Whole(2),
            DataType::Int32 | DataType::Uint32 => Number::Whole(4),
            DataType::Int64 => Number::Whole(8),
            _ => Number::Float(4),
        }
    }

    /// Bytes of an element as the graph has it.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Number::Float(bytes) | Number::Whole(bytes) => bytes,
        }
    }
}

/// What comes into a graph, out of it, or out of one of its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) elements: u64,
    pub(super) number: Number,
    /// Where it comes from: the node at this place, or from outside.
    pub(super) made: Option<usize>,
    /// The last node that reads it.
    pub(super) last: Option<usize>,
    /// How many inputs of nodes it is.
    pub(super) readers: usize,
    /// Whether all of them are convolutions.
    pub(super) convolved: bool,
    /// Whether it leaves the graph.
    pub(super) output: bool,
    /// Whether it is made of weights alone.
    pub(super) weight: bool,
}

impl Value {
    /// Its bytes as the graph has it.
    pub(super) fn bytes(&self) -> u64 {
        self.elements.saturating_mul(self.number.bytes())
    }
}

/// What of a node decides about memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each output element comes of the input elements at its place.
    Pointwise,
    /// The same after sums over each channel.
    Norm,
    Quantize,
    Dequantize,
    Other,
}

impl Kind {
    fn of(node: &NodeProto) -> Kind {
        match node.op_type.as_str() {
            "Abs" | "Add" | "Cast" | "Clip" | "Div" | "Elu" | "Erf" | "Exp" | "Gelu"
            | "HardSigmoid" | "HardSwish" | "Identity" | "LeakyRelu" | "Log" | "Mul" | "Neg"
            | "PRelu" | "Pow" | "Relu" | "Sigmoid" | "Softplus" | "Sqrt" | "Sub" | "Tanh" => {
                Kind::Pointwise
            }
            "BatchNormalization"
            | "GroupNormalization"
            | "InstanceNormalization"
            | "LayerNormalization" => Kind::Norm,
            "QuantizeLinear" => Kind::Quantize,
            "DequantizeLinear" => Kind::Dequantize,
            _ => Kind::Other,
        }
    }
}

/// A node, its inputs and outputs by their places among the values that are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
}

/// All values and nodes of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Trace {
    pub(super) values: Vec<Value>,
    pub(super) steps: Vec<Step>,
}

/// What is known of a name.
#[derive(Clone)]
enum Known<'a> {
    /// Sizes of a weight, or of what is made of weights alone; and its value in the latter case.
    Weight(&'a [i64], Number, Option<usize>),
    Volume(Shape, Number, usize),
}

impl Trace {
    /// That of one window of `network`, and its floating-point operations.
    pub(super) fn of(graph: &GraphProto, network: &Network) -> (Trace, u64) {
        let mut trace = Trace::default();
        let mut known: HashMap<&str, Known<'_>> = HashMap::new();
        for tensor in &graph.initializer {
            let number = DataType::try_from(tensor.data_type).map_or(Number::Float(4), Number::of);
            known.insert(&tensor.name, Known::Weight(&tensor.dims, number, None));
        }
        let declared: HashMap<&str, (DataType, Option<Vec<Dim>>)> = graph
            .input
            .iter()
            .chain(&graph.value_info)
            .chain(&graph.output)
            .filter_map(|value| Some((value.name.as_str(), value.tensor_type()?)))
            .collect();
        let dims = |name: &str| declared.get(name)?.1.as_deref();
        let number = |name: &str| Some(Number::of(declared.get(name)?.0));
        for input in &graph.input {
            let name = input.name.as_str();
            let image = Shape {
                channels: network.slots as u64,
                zyx: network.patch_zyx.map(|size| size as u64),
            };
            // A decoder's inputs are the features of one window.
            let shape = match name == IMAGE {
                true => Some(image),
                false if known.contains_key(name) => None,
                false => dims(name).filter(|dims| dims.len() == 5).map(Shape::of),
            };
            if let Some(shape) = shape {
                let number = number(name).unwrap_or(Number::Float(4));
                let place = trace.add(shape.elements(), number, None);
                known.insert(name, Known::Volume(shape, number, place));
            }
        }
        let mut flops = 0_u64;
        for (place, node) in graph.node.iter().enumerate() {
            let inputs: Vec<Known<'_>> = node
                .input
                .iter()
                .filter_map(|name| known.get(name.as_str()).cloned())
                .collect();
            let given = node.input.iter().filter(|name| !name.is_empty()).count();
            let mut step = trace.read(node, place, &inputs);
            let volumes: Vec<Shape> = inputs
                .iter()
                .filter_map(|input| match input {
                    Known::Volume(shape, ..) => Some(*shape),
                    Known::Weight(..) => None,
                })
                .collect();
            let weight = node.input.get(1).and_then(|name| known.get(name.as_str()));
            let weight = match weight {
                Some(Known::Weight(dims, ..)) => Some(*dims),
                _ => None,
            };
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                let found = number(name).unwrap_or_else(|| made(node, &inputs));
                if let Some((found_shape, cost)) = result(node, &volumes, weight) {
                    // Files with an open axis say nothing of inner values.
                    let shape = dims(name).map_or(found_shape, Shape::of);
                    flops = flops.saturating_add(cost);
                    let value = trace.add(shape.elements(), found, Some(place));
                    known.insert(name, Known::Volume(shape, found, value));
                    step.outputs.push(value);
                } else if let Some(Known::Weight(dims, ..)) = inputs.first()
                    && inputs.len() == given
                    && matches!(step.kind, Kind::Dequantize | Kind::Pointwise)
                {
                    let value = trace.add(product(dims), found, Some(place));
                    trace.values[value].weight = true;
                    known.insert(name, Known::Weight(dims, found, Some(value)));
                    step.outputs.push(value);
                }
            }
            trace.steps.push(step);
        }
        for output in &graph.output {
            if let Some(Known::Volume(.., value)) = known.get(output.name.as_str()) {
                trace.values[*value].output = true;
            }
        }
        (trace, flops)
    }

    /// Bytes of the outputs, as the graph has them.
    pub(super) fn output_bytes(&self) -> u64 {
        let outputs = self.values.iter().filter(|value| value.output);
        outputs.map(Value::bytes).fold(0, u64::saturating_add)
    }

    fn add(&mut self, elements: u64, number: Number, made: Option<usize>) -> usize {
        self.values.push(Value {
            elements,
            number,
            made,
            last: None,
            readers: 0,
            convolved: true,
            output: false,
            weight: false,
        });
        self.values.len() - 1
    }

    /// The step of a node that reads `inputs`.
    fn read(&mut self, node: &NodeProto, place: usize, inputs: &[Known<'_>]) -> Step {
        let followed: Vec<usize> = inputs
            .iter()
            .filter_map(|input| match input {
                Known::Weight(_, _, value) => *value,
                Known::Volume(_, _, value) => Some(*value),
            })
            .collect();
        for input in &followed {
            let value = &mut self.values[*input];
            value.last = Some(place);
            value.readers += 1;
            value.convolved &= node.op_type == "Conv";
        }
        Step {
            kind: Kind::of(node),
            inputs: followed,
            outputs: Vec::new(),
        }
    }
}

/// What a node's outputs consist of.
fn made(node: &NodeProto, inputs: &[Known<'_>]) -> Number {
    let number = |input: &Known<'_>| match input {
        Known::Weight(_, number, _) | Known::Volume(_, number, _) => *number,
    };
    let first = inputs.first().map_or(Number::Float(4), number);
    let cast = || {
        let to = i32::try_from(node.attribute("to")?.i?).ok()?;
        Some(Number::of(DataType::try_from(to).ok()?))
    };
    match node.op_type.as_str() {
        // As its zero point, which is an 8-bit number if there is none; as its scale.
        "QuantizeLinear" => inputs.get(2).map_or(Number::Whole(1), number),
        "DequantizeLinear" => inputs.get(1).map_or(Number::Float(4), number),
        "Cast" => cast().unwrap_or(first),
        _ => first,
    }
}
