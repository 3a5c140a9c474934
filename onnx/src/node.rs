//! What is asked of a node.

use crate::{
    construct::is_standard_domain,
    proto::{AttributeProto, NodeProto},
};

impl NodeProto {
    /// Whether it is the standard operator of this name.
    pub fn is(&self, op_type: &str) -> bool {
        self.op_type == op_type && is_standard_domain(&self.domain)
    }

    /// The attribute of this name, if the node says it.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        let mut attributes = self.attribute.iter();
        attributes.find(|attribute| attribute.name == name)
    }

    /// Whether it holds a graph of its own, which may read any value of the graph around it.
    pub fn has_subgraph(&self) -> bool {
        let holds =
            |attribute: &AttributeProto| attribute.g.is_some() || !attribute.graphs.is_empty();
        self.attribute.iter().any(holds)
    }
}
