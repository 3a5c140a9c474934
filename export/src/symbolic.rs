//! Axes whose size is known at run time only: a computation recorded at two sizes, told apart.
//!
//! burn records numbers, not symbols. What differs between a recording at one size and another at a
//! second size is what depends on the size: integers that are multiples of it become computed from
//! the input's shape, everything else that differs is an error that names it.

mod rewrite;

use crate::error::ExportError;
use crate::graph::{Graph, ValueId};
use crate::types::Constant;

/// A named axis of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// Where its size is found at run time: the first input that has it, and the axis.
    pub(crate) input: String,
    pub(crate) axis: usize,
    /// Its size in the first recording, and in the second.
    pub(crate) sizes: [usize; 2],
}

/// A size of a first recording as a multiple of symbols, or a plain number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Size {
    /// What remains without the symbols.
    factor: i64,
    /// Indices of symbols that it depends on.
    symbols: Vec<usize>,
    /// Whether it is their product with `factor`; an unpadded convolution's size is not.
    multiple: bool,
}

/// Makes `graph` independent of the sizes of `symbols`; `others` are the same computation with one
/// symbol each at its second size.
pub(crate) fn unify(
    graph: &mut Graph,
    symbols: &[Symbol],
    others: &[Graph],
) -> Result<(), ExportError> {
    let mut same = Same::new(graph, symbols, others);
    same.boundary()?;
    let mut found = Vec::new();
    for index in 0..graph.nodes().len() {
        same.node(index, &mut found)?;
    }
    let mut named = same.ends()?;
    named.extend(same.inner());
    for (id, axis, name) in named {
        graph.name_axis(id, axis, name);
    }
    rewrite::rewrite(graph, symbols, found);
    Ok(())
}

impl Size {
    /// As a name for the axis, such as `batch` or `4*batch`.
    fn name(&self, symbols: &[Symbol]) -> String {
        let mut factors: Vec<String> = Vec::new();
        if self.factor != 1 {
            factors.push(self.factor.to_string());
        }
        factors.extend(
            self.symbols
                .iter()
                .map(|&index| symbols[index].name.clone()),
        );
        factors.join("*")
    }

    fn is_plain(&self) -> bool {
        self.symbols.is_empty()
    }
}

/// An input of a node that holds sizes, or elements whose number depends on one.
struct Varying {
    node: usize,
    slot: usize,
    kind: Kind,
}

enum Kind {
    /// A vector of integers, each a [`Size`].
    Integers(Vec<Size>),
    /// One repeated number; its shape varies.
    Filled(Constant, Vec<Size>),
}

/// Walks all recordings at once.
struct Same<'a> {
    graph: &'a Graph,
    symbols: &'a [Symbol],
    others: &'a [Graph],
    /// For each other recording: its value for each value of the first.
    twins: Vec<Vec<Option<ValueId>>>,
}

impl<'a> Same<'a> {
    fn new(graph: &'a Graph, symbols: &'a [Symbol], others: &'a [Graph]) -> Self {
        let twins = vec![vec![None; graph.value_count()]; others.len()];
        Self {
            graph,
            symbols,
            others,
            twins,
        }
    }

    fn differs(&self, symbol: usize, what: String) -> ExportError {
        ExportError::SizeDependent {
            axis: self.symbols[symbol].name.clone(),
            what,
        }
    }

    fn boundary(&mut self) -> Result<(), ExportError> {
        for (symbol, other) in self.others.iter().enumerate() {
            let mine = self.graph.nodes();
            let theirs = other.nodes();
            let position = mine
                .iter()
                .zip(theirs)
                .position(|(a, b)| a.op != b.op)
                .unwrap_or(mine.len().min(theirs.len()));
            if mine.len() != theirs.len() || position < mine.len() {
                let text = match mine.get(position) {
                    Some(node) => format!(
                        "node {position}, {} ({}) making {:?}, is missing at the other size",
                        node.op,
                        node.origin,
                        self.graph.value(node.outputs[0]).shape
                    ),
                    None => "one recording has more operations than the other".to_owned(),
                };
                return Err(self.differs(symbol, text));
            }
            for ((_, a), (_, b)) in self.graph.inputs().iter().zip(other.inputs()) {
                self.twins[symbol][a.0 as usize] = Some(*b);
            }
        }
        Ok(())
    }

    fn node(&mut self, index: usize, found: &mut Vec<Varying>) -> Result<(), ExportError> {
        let node = &self.graph.nodes()[index];
        let place = || {
            let shape = node.outputs.first().map(|&id| &self.graph.value(id).shape);
            format!(
                "{} ({}) making {:?}",
                node.op,
                node.origin,
                shape.unwrap_or(&Vec::new())
            )
        };
        for (symbol, other) in self.others.iter().enumerate() {
            let twin = &other.nodes()[index];
            if node.attributes != twin.attributes {
                return Err(self.differs(symbol, format!("an attribute of {}", place())));
            }
            if node.inputs.len() != twin.inputs.len() {
                return Err(self.differs(symbol, format!("the inputs of {}", place())));
            }
        }
        for (slot, &id) in node.inputs.iter().enumerate() {
            let Some(constant) = self.graph.constant(id) else {
                for (symbol, other) in self.others.iter().enumerate() {
                    let twin = other.nodes()[index].inputs[slot];
                    if self.twins[symbol][id.0 as usize] != Some(twin) {
                        let text = format!("input {slot} of {}", place());
                        return Err(self.differs(symbol, text));
                    }
                }
                continue;
            };
            if let Some(kind) = self.constant(index, slot, constant).map_err(|symbol| {
                self.differs(symbol, format!("the values of input {slot} of {}", place()))
            })? {
                found.push(Varying {
                    node: index,
                    slot,
                    kind,
                });
            }
        }
        for (symbol, other) in self.others.iter().enumerate() {
            for (a, b) in node.outputs.iter().zip(&other.nodes()[index].outputs) {
                self.twins[symbol][a.0 as usize] = Some(*b);
            }
        }
        Ok(())
    }

    /// How a constant depends on the sizes, if it does; the index of a symbol if it does in a way
    /// that no shape explains.
    fn constant(
        &self,
        node: usize,
        slot: usize,
        constant: &Constant,
    ) -> Result<Option<Kind>, usize> {
        let mut others = Vec::with_capacity(self.others.len());
        for (symbol, other) in self.others.iter().enumerate() {
            let twin = other.nodes()[node].inputs[slot];
            others.push(other.constant(twin).ok_or(symbol)?);
        }
        if others.iter().all(|other| *other == constant) {
            return Ok(None);
        }
        let shapes_differ = others.iter().any(|other| other.shape != constant.shape);
        if !shapes_differ && let Some(values) = constant.as_i64() {
            let theirs: Vec<Vec<i64>> = others
                .iter()
                .enumerate()
                .map(|(symbol, other)| other.as_i64().ok_or(symbol))
                .collect::<Result<_, _>>()?;
            let sizes = self.sizes(&values, &theirs)?;
            let inferred = self.graph.nodes()[node].op == "Reshape" && rewrite::leaves_one(&sizes);
            return match sizes.iter().find(|size| !size.multiple && !inferred) {
                Some(size) => Err(size.symbols[0]),
                None => Ok(Some(Kind::Integers(sizes))),
            };
        }
        // Elements may still be one number, laid out over an axis whose size varies.
        let first = constant.repeated().ok_or(0usize)?;
        for (symbol, other) in others.iter().enumerate() {
            if other.repeated().as_ref() != Some(&first) {
                return Err(symbol);
            }
        }
        let shape =
            |constant: &Constant| constant.shape.iter().map(|&n| n as i64).collect::<Vec<_>>();
        let theirs: Vec<_> = others.iter().map(|other| shape(other)).collect();
        let sizes = self.sizes(&shape(constant), &theirs)?;
        match sizes.iter().find(|size| !size.multiple) {
            Some(size) => Err(size.symbols[0]),
            None => Ok(Some(Kind::Filled(first, sizes))),
        }
    }

    fn sizes(&self, values: &[i64], others: &[Vec<i64>]) -> Result<Vec<Size>, usize> {
        let mut sizes = Vec::with_capacity(values.len());
        for (at, &value) in values.iter().enumerate() {
            let mut size = Size {
                factor: value,
                symbols: Vec::new(),
                multiple: true,
            };
            for (symbol, other) in others.iter().enumerate() {
                let theirs = *other.get(at).ok_or(symbol)?;
                if theirs == value {
                    continue;
                }
                let [first, second] = self.symbols[symbol].sizes.map(|size| size as i64);
                size.symbols.push(symbol);
                match size.factor % first == 0 && value / first * second == theirs {
                    true => size.factor /= first,
                    false => size.multiple = false,
                }
            }
            sizes.push(size);
        }
        Ok(sizes)
    }

    /// The same for what nodes make, as far as it is a multiple: a split hands some of it over.
    fn inner(&self) -> Vec<(ValueId, usize, String)> {
        let shape = |graph: &Graph, id: ValueId| -> Vec<i64> {
            let shape = &graph.value(id).shape;
            shape.iter().map(|&size| size as i64).collect()
        };
        let mut inner = Vec::new();
        for &id in self.graph.nodes().iter().flat_map(|node| &node.outputs) {
            let twins = self.others.iter().zip(&self.twins);
            let others: Option<Vec<_>> = twins
                .map(|(other, twins)| Some(shape(other, twins[id.0 as usize]?)))
                .collect();
            let sizes = others.and_then(|others| self.sizes(&shape(self.graph, id), &others).ok());
            for (axis, size) in sizes.into_iter().flatten().enumerate() {
                if size.multiple && !size.is_plain() {
                    inner.push((id, axis, size.name(self.symbols)));
                }
            }
        }
        inner
    }

    /// Axes of inputs and outputs that depend on symbols, with their names.
    fn ends(&self) -> Result<Vec<(ValueId, usize, String)>, ExportError> {
        let mut ends = Vec::new();
        for (name, id) in self.graph.inputs().iter().chain(self.graph.outputs()) {
            let shape: Vec<i64> = self
                .graph
                .value(*id)
                .shape
                .iter()
                .map(|&n| n as i64)
                .collect();
            let mut others = Vec::new();
            for (symbol, other) in self.others.iter().enumerate() {
                let twin = self.twins[symbol][id.0 as usize]
                    .ok_or_else(|| self.differs(symbol, format!("'{name}'")))?;
                others.push(
                    other
                        .value(twin)
                        .shape
                        .iter()
                        .map(|&n| n as i64)
                        .collect::<Vec<_>>(),
                );
            }
            let sizes = self
                .sizes(&shape, &others)
                .map_err(|symbol| self.differs(symbol, format!("the shape of '{name}'")))?;
            for (axis, size) in sizes
                .iter()
                .enumerate()
                .filter(|(_, size)| !size.is_plain())
            {
                let text = match size.multiple {
                    true => size.name(self.symbols),
                    false => format!("{name}_{axis}"),
                };
                ends.push((*id, axis, text));
            }
        }
        Ok(ends)
    }
}

#[cfg(test)]
mod tests;
