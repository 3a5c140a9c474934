use std::collections::HashMap;
use std::fmt;

use super::{Attribute, Graph, ValueId};

/// One line a node; what snapshots and error messages show. Values are numbered in the order in
/// which they appear, so that the text does not tell what was there before a pass.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Names {
            graph: self,
            numbers: HashMap::new(),
        };
        for (name, id) in &self.inputs {
            writeln!(f, "input {name} = {}", names.describe(*id))?;
        }
        for node in &self.nodes {
            let inputs = names.list(&node.inputs);
            write!(f, "{} = {}({inputs})", names.list(&node.outputs), node.op)?;
            for (name, attribute) in &node.attributes {
                match attribute {
                    Attribute::Int(value) => write!(f, " {name}={value}")?,
                    Attribute::Ints(values) => write!(f, " {name}={values:?}")?,
                    Attribute::Float(value) => write!(f, " {name}={value}")?,
                    Attribute::Dtype(value) => write!(f, " {name}={}", value.name())?,
                    Attribute::Text(value) => write!(f, " {name}={value}")?,
                }
            }
            writeln!(f)?;
        }
        for (name, id) in &self.outputs {
            writeln!(f, "output {name} = {}", names.describe(*id))?;
        }
        Ok(())
    }
}

struct Names<'a> {
    graph: &'a Graph,
    numbers: HashMap<ValueId, usize>,
}

impl Names<'_> {
    fn list(&mut self, ids: &[ValueId]) -> String {
        ids.iter()
            .map(|id| self.describe(*id))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// `v3:f32[1, 8]` for a computed value, `c4:f32[2]{1, 0.5}` for a known one.
    fn describe(&mut self, id: ValueId) -> String {
        const SHOWN: usize = 4;
        let next = self.numbers.len();
        let number = *self.numbers.entry(id).or_insert(next);
        let value = self.graph.value(id);
        let shape: Vec<String> = (0..value.shape.len())
            .map(|axis| match self.graph.axis_name(id, axis) {
                Some(name) => name.to_owned(),
                None => value.shape[axis].to_string(),
            })
            .collect();
        let text = format!("{number}:{}[{}]", value.dtype.name(), shape.join(", "));
        let Some(constant) = &value.constant else {
            return format!("v{text}");
        };
        let values: Option<Vec<String>> = match constant.as_i64() {
            Some(values) => Some(values.iter().map(ToString::to_string).collect()),
            None => constant
                .as_f32()
                .map(|values| values.iter().map(ToString::to_string).collect()),
        };
        match values.filter(|values| values.len() <= SHOWN) {
            Some(values) => format!("c{text}{{{}}}", values.join(", ")),
            None => format!("c{text}"),
        }
    }
}
