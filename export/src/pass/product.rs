use super::View;
use crate::graph::{Node, ValueId};

/// More nested products than anyone writes for one formula.
const DEPTH: usize = 6;

/// A chain of products and divisions by numbers, as one number and the values that it multiplies.
pub(super) struct Product {
    pub(super) scalar: f64,
    pub(super) factors: Vec<ValueId>,
}

impl Product {
    /// What a node multiplies, or `None` if it is no product.
    pub(super) fn of(view: &View<'_>, node: &Node) -> Option<Self> {
        let mut product = Self {
            scalar: 1.0,
            factors: Vec::new(),
        };
        product.add_node(view, node, 0)?;
        Some(product)
    }

    /// What a value is the product of, as far as only it is made of it.
    pub(super) fn behind(view: &View<'_>, id: ValueId) -> Option<Self> {
        let (_, node) = view.made_for_one(id)?;
        Self::of(view, node)
    }

    fn add_node(&mut self, view: &View<'_>, node: &Node, depth: usize) -> Option<()> {
        let &[lhs, rhs] = node.inputs.as_slice() else {
            return None;
        };
        match node.op {
            "Mul" => {
                self.add(view, lhs, depth + 1);
                self.add(view, rhs, depth + 1);
            }
            "Div" => {
                self.scalar /= f64::from(view.number(rhs)?);
                self.add(view, lhs, depth + 1);
            }
            _ => return None,
        }
        Some(())
    }

    fn add(&mut self, view: &View<'_>, id: ValueId, depth: usize) {
        if let Some(number) = view.number(id) {
            self.scalar *= f64::from(number);
            return;
        }
        let inner = view.made_for_one(id).filter(|_| depth < DEPTH);
        if inner
            .and_then(|(_, node)| self.add_node(view, node, depth))
            .is_none()
        {
            self.factors.push(id);
        }
    }
}
