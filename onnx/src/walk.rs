//! Every tensor and every node of a model, wherever they hide.
//!
//! Tensors hide in initialisers, sparse initialisers and attributes; nodes in subgraphs, functions
//! and training graphs. All checks that must hold everywhere go through this one walk.

use crate::{
    OnnxError,
    proto::{AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto},
    wire::WireError,
};

/// Most bytes of places: a long name around a subgraph is repeated for everything inside it.
const MAX_PLACES: usize = 1 << 28;

/// A tensor and where it is, as in `graph/weight` or `graph/Constant "c"/value`.
pub(crate) struct TensorSite<'a> {
    pub(crate) place: String,
    pub(crate) tensor: &'a TensorProto,
}

/// A node and where it is.
pub(crate) struct NodeSite<'a> {
    pub(crate) place: String,
    pub(crate) node: &'a NodeProto,
}

/// All tensors and nodes of a model, in the order of the file.
#[derive(Default)]
pub(crate) struct Sites<'a> {
    pub(crate) tensors: Vec<TensorSite<'a>>,
    pub(crate) nodes: Vec<NodeSite<'a>>,
    /// Bytes of places so far.
    spent: usize,
}

impl<'a> Sites<'a> {
    /// Walks the whole model. Depth is bounded by what the decoder lets through.
    ///
    /// Errors: [`OnnxError::NotOnnx`] if naming every place would take absurd amounts of memory.
    pub(crate) fn of(model: &'a ModelProto) -> Result<Self, OnnxError> {
        let mut sites = Self::default();
        sites.model(model).map_err(|source| OnnxError::NotOnnx {
            source: source.into(),
        })?;
        Ok(sites)
    }

    fn model(&mut self, model: &'a ModelProto) -> Result<(), WireError> {
        if let Some(graph) = &model.graph {
            self.graph("graph", graph)?;
        }
        for (index, training) in model.training_info.iter().enumerate() {
            for graph in training.initialization.iter().chain(&training.algorithm) {
                self.graph(&format!("training[{index}]"), graph)?;
            }
        }
        for function in &model.functions {
            let place = format!("function {:?}", function.name);
            for attribute in &function.attribute_proto {
                self.attribute(&place, attribute)?;
            }
            for (index, node) in function.node.iter().enumerate() {
                self.node(&place, index, node)?;
            }
        }
        Ok(())
    }

    fn graph(&mut self, place: &str, graph: &'a GraphProto) -> Result<(), WireError> {
        for tensor in &graph.initializer {
            self.tensor(place, &tensor.name, tensor)?;
        }
        for sparse in &graph.sparse_initializer {
            let name = sparse
                .values
                .as_ref()
                .map_or("", |values| values.name.as_str());
            let place = self.place(place, name)?;
            self.sparse(&place, sparse)?;
        }
        for (index, node) in graph.node.iter().enumerate() {
            self.node(place, index, node)?;
        }
        Ok(())
    }

    fn node(&mut self, place: &str, index: usize, node: &'a NodeProto) -> Result<(), WireError> {
        let place = self.place(place, &node_name(index, node))?;
        for attribute in &node.attribute {
            self.attribute(&place, attribute)?;
        }
        self.nodes.push(NodeSite { place, node });
        Ok(())
    }

    fn attribute(&mut self, place: &str, attribute: &'a AttributeProto) -> Result<(), WireError> {
        for tensor in attribute.t.as_deref().into_iter().chain(&attribute.tensors) {
            self.tensor(place, &attribute.name, tensor)?;
        }
        let sparse = attribute.sparse_tensor.as_deref();
        for sparse in sparse.into_iter().chain(&attribute.sparse_tensors) {
            let place = self.place(place, &attribute.name)?;
            self.sparse(&place, sparse)?;
        }
        for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
            let place = self.place(place, &attribute.name)?;
            self.graph(&place, graph)?;
        }
        Ok(())
    }

    fn sparse(&mut self, place: &str, sparse: &'a SparseTensorProto) -> Result<(), WireError> {
        if let Some(tensor) = &sparse.values {
            self.tensor(place, "values", tensor)?;
        }
        if let Some(tensor) = &sparse.indices {
            self.tensor(place, "indices", tensor)?;
        }
        Ok(())
    }

    fn tensor(
        &mut self,
        place: &str,
        name: &str,
        tensor: &'a TensorProto,
    ) -> Result<(), WireError> {
        let place = self.place(place, name)?;
        self.tensors.push(TensorSite { place, tensor });
        Ok(())
    }

    fn place(&mut self, place: &str, name: &str) -> Result<String, WireError> {
        let place = format!("{place}/{name}");
        self.spent += place.len();
        if self.spent > MAX_PLACES {
            return Err(WireError::TooMany {
                what: "bytes of nested names",
                limit: MAX_PLACES,
            });
        }
        Ok(place)
    }
}

/// A node for people: its operator and its name, its first output, or its number.
pub(crate) fn node_name(index: usize, node: &NodeProto) -> String {
    let named = [Some(&node.name), node.output.first()];
    match named.into_iter().flatten().find(|name| !name.is_empty()) {
        Some(name) => format!("{} {name:?}", node.op_type),
        None => format!("{} #{index}", node.op_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        proto::{FunctionProto, TrainingInfoProto},
        sample,
    };

    #[test]
    fn every_hiding_place_is_found() {
        let tensor = |name: &str| TensorProto::from_f32(name, &[1], &[0.0]);
        let sparse = |name: &str| SparseTensorProto {
            values: Some(tensor(name)),
            indices: Some(tensor("")),
            dims: vec![1],
        };
        let inner = GraphProto {
            initializer: vec![tensor("inner")],
            ..Default::default()
        };
        let mut node = NodeProto::new("If", ["c"], ["out"])
            .attr_graph("then_branch", inner.clone())
            .attr_tensor("value", tensor("unnamed"));
        node.attribute.push(AttributeProto {
            name: "many".into(),
            tensors: vec![tensor("t")],
            sparse_tensor: Some(sparse("s").into()),
            sparse_tensors: vec![sparse("ss")],
            graphs: vec![inner.clone()],
            ..Default::default()
        });
        let mut model = sample::tiny_model();
        let graph = model.graph.as_mut().unwrap();
        graph.initializer.clear();
        graph.sparse_initializer.push(sparse("sparse"));
        graph.node = vec![node.clone()];
        model.functions.push(FunctionProto {
            name: "F".into(),
            node: vec![NodeProto::new("Constant", [""; 0], ["k"]).attr_tensor("value", tensor(""))],
            ..Default::default()
        });
        model.training_info.push(TrainingInfoProto {
            algorithm: Some(inner),
            ..Default::default()
        });
        let sites = Sites::of(&model).unwrap();
        let places: Vec<&str> = sites
            .tensors
            .iter()
            .map(|site| site.place.as_str())
            .collect();
        insta::assert_snapshot!(places.join("\n"));
        assert_eq!(sites.nodes.len(), 2);
    }

    #[test]
    fn long_names_around_subgraphs_are_bounded() {
        let tensors = vec![TensorProto::default(); 1000];
        let inner = GraphProto {
            initializer: tensors,
            ..Default::default()
        };
        let node = NodeProto::new("If", ["c"], ["o"])
            .named("n".repeat(1 << 20))
            .attr_graph("then_branch", inner);
        let mut model = sample::tiny_model();
        model.graph.as_mut().unwrap().node = vec![node];
        assert!(matches!(Sites::of(&model), Err(OnnxError::NotOnnx { .. })));
    }
}
