use super::{Kind, Size, Symbol, Varying};
use crate::graph::{Attribute, Graph, Node, ValueId};
use crate::types::{Constant, Dtype};

/// Lets every varying input be computed from the shapes of the graph's inputs.
pub(super) fn rewrite(graph: &mut Graph, symbols: &[Symbol], found: Vec<Varying>) {
    let mut sizes = Sizes {
        symbols,
        known: vec![None; symbols.len()],
        nodes: Vec::new(),
    };
    let mut inputs = Vec::new();
    for Varying { node, slot, kind } in found {
        let value = match kind {
            Kind::Integers(values)
                if graph.nodes()[node].op == "Reshape" && leaves_one(&values) =>
            {
                inferred(graph, &values)
            }
            Kind::Integers(values) => sizes.vector(graph, &values),
            Kind::Filled(number, shape) => {
                let varying: Vec<usize> = {
                    let id = graph.nodes()[node].inputs[slot];
                    graph.value(id).shape.clone()
                };
                let vector = sizes.vector(graph, &shape);
                let number_id = graph.add_constant(number.clone());
                let filled = sizes.node(
                    graph,
                    "Expand",
                    vec![number_id, vector],
                    number.dtype,
                    varying,
                    vec![],
                );
                for (axis, size) in shape
                    .iter()
                    .enumerate()
                    .filter(|(_, size)| !size.is_plain())
                {
                    graph.name_axis(filled, axis, size.name(symbols));
                }
                filled
            }
        };
        inputs.push((node, slot, value));
    }
    graph.set_inputs(inputs);
    graph.prepend_nodes(sizes.nodes);
}

/// A reshape may leave one size open.
pub(super) fn leaves_one(values: &[Size]) -> bool {
    let open = values.iter().filter(|size| !size.is_plain()).count();
    open == 1 && values.iter().all(|size| size.factor >= 0)
}

fn inferred(graph: &mut Graph, values: &[Size]) -> ValueId {
    let values: Vec<i64> = values
        .iter()
        .map(|size| if size.is_plain() { size.factor } else { -1 })
        .collect();
    graph.add_constant(Constant::i64s(&values))
}

/// Nodes that compute sizes, in front of all others.
struct Sizes<'a> {
    symbols: &'a [Symbol],
    /// A vector of one element with the symbol's size, once it is needed.
    known: Vec<Option<ValueId>>,
    nodes: Vec<Node>,
}

impl Sizes<'_> {
    fn node(
        &mut self,
        graph: &mut Graph,
        op: &'static str,
        inputs: Vec<ValueId>,
        dtype: Dtype,
        shape: Vec<usize>,
        attributes: Vec<(&'static str, Attribute)>,
    ) -> ValueId {
        let result = graph.add_value(dtype, shape);
        self.nodes.push(Node {
            op,
            inputs,
            outputs: vec![result],
            attributes,
            origin: "symbolic-axes",
        });
        result
    }

    fn symbol(&mut self, graph: &mut Graph, index: usize) -> Option<ValueId> {
        if let Some(id) = self.known[index] {
            return Some(id);
        }
        let Symbol { input, axis, .. } = self.symbols.get(index)?;
        let (_, x) = *graph.inputs().iter().find(|(name, _)| name == input)?;
        let rank = graph.value(x).shape.len();
        let axis = graph.add_constant(Constant::i64s(&[*axis as i64]));
        let shape = self.node(graph, "Shape", vec![x], Dtype::I64, vec![rank], vec![]);
        let inputs = vec![shape, axis];
        let along = vec![("axis", Attribute::Int(0))];
        let size = self.node(graph, "Gather", inputs, Dtype::I64, vec![1], along);
        self.known[index] = Some(size);
        Some(size)
    }

    /// A vector of sizes: runs of plain numbers and computed ones, joined.
    fn vector(&mut self, graph: &mut Graph, sizes: &[Size]) -> ValueId {
        let mut parts: Vec<ValueId> = Vec::new();
        let mut plain: Vec<i64> = Vec::new();
        for size in sizes {
            if size.is_plain() {
                plain.push(size.factor);
                continue;
            }
            if !plain.is_empty() {
                parts.push(graph.add_constant(Constant::i64s(&plain)));
                plain.clear();
            }
            parts.push(self.size(graph, size));
        }
        if !plain.is_empty() {
            parts.push(graph.add_constant(Constant::i64s(&plain)));
        }
        match parts.as_slice() {
            &[one] => one,
            _ => {
                let along = vec![("axis", Attribute::Int(0))];
                self.node(graph, "Concat", parts, Dtype::I64, vec![sizes.len()], along)
            }
        }
    }

    /// One size as a vector of one element.
    fn size(&mut self, graph: &mut Graph, size: &Size) -> ValueId {
        let mut product = None;
        for &index in &size.symbols {
            let Some(symbol) = self.symbol(graph, index) else {
                continue;
            };
            product = Some(match product {
                None => symbol,
                Some(so_far) => self.node(
                    graph,
                    "Mul",
                    vec![so_far, symbol],
                    Dtype::I64,
                    vec![1],
                    vec![],
                ),
            });
        }
        let factor = |graph: &mut Graph| graph.add_constant(Constant::i64s(&[size.factor]));
        match product {
            Some(product) if size.factor == 1 => product,
            Some(product) => {
                let factor = factor(graph);
                self.node(
                    graph,
                    "Mul",
                    vec![product, factor],
                    Dtype::I64,
                    vec![1],
                    vec![],
                )
            }
            None => factor(graph),
        }
    }
}
