//! Which node of a model two engines first disagree on.

use ndarray::{Array1, ArrayD};
use serde::Serialize;
use uniseg_onnx::{Bytes, Task, decode, expose};

use super::random_patch;
use crate::{Engine, Model, RuntimeError, Tensor, TensorView};

/// Nodes whose results are asked for in one pass: all results of a large network at once would
/// not fit into memory.
const NODES_A_PASS: usize = 12;

/// Opens an engine for a variant of the model.
pub type Opener<'a> = dyn FnMut(&Model) -> Result<Box<dyn Engine>, RuntimeError> + 'a;

/// Two engines, node by node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bisection {
    /// The engine taken as reference, then the other one.
    pub engines: [String; 2],
    /// Name of the task that was run.
    pub task: String,
    /// Every node in execution order.
    pub nodes: Vec<NodeDifference>,
}

/// How far two engines are apart after one node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeDifference {
    /// Name of the node.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// Shape of its first result.
    pub shape: Vec<usize>,
    /// Largest absolute difference; infinite if only one of the two is finite, or the shapes
    /// differ.
    pub max_abs: f64,
    /// `max_abs` divided by the largest absolute value of the reference.
    pub max_rel: f64,
}

impl Bisection {
    /// The first node whose relative difference is beyond `tolerance`.
    pub fn first_beyond(&self, tolerance: f64) -> Option<&NodeDifference> {
        // Written so that a difference that is not a number counts.
        self.nodes
            .iter()
            .find(|node| !matches!(node.max_rel.partial_cmp(&tolerance), Some(o) if o.is_le()))
    }

    /// The nodes with the largest relative differences, the worst first.
    pub fn worst(&self, count: usize) -> Vec<&NodeDifference> {
        let mut nodes: Vec<_> = self.nodes.iter().collect();
        nodes.sort_by(|a, b| b.max_rel.total_cmp(&a.max_rel));
        nodes.truncate(count);
        nodes
    }
}

/// Runs `model` in two engines on one random patch for `task`, made from `seed`, and compares the
/// result of every node.
///
/// The model is opened in parts of a few nodes, each with those nodes' results as its outputs, so
/// that memory stays bounded. An engine cannot fuse across an output, so it may compute a node
/// in another way than in the whole model. `progress` gets the number of nodes done, and of all.
///
/// Errors: [`RuntimeError::Decode`] for a model that was not checked, and whatever an engine
/// reports; a difference is not an error.
pub fn bisect<'a>(
    model: &Model,
    task: &Task,
    seed: u64,
    reference: &mut Opener<'a>,
    other: &mut Opener<'a>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Bisection, RuntimeError> {
    let image = random_patch(model.manifest(), task, seed);
    let image = image.into_dyn();
    let index = Array1::from_elem(1, i64::from(task.id)).into_dyn();
    let whole = decode(Bytes::copy_from_slice(model.bytes()))
        .map_err(|source| RuntimeError::Decode { source })?;
    let total = whole.graph.as_ref().map_or(0, |graph| graph.node.len());
    let mut nodes = Vec::with_capacity(total);
    let mut engines = [String::new(), String::new()];
    for start in (0..total).step_by(NODES_A_PASS) {
        let end = total.min(start + NODES_A_PASS);
        let (part, exposed) = expose(&whole, start..end);
        let part = model.with_graph(uniseg_onnx::encode(&part));
        let mut values = Vec::with_capacity(2);
        for (open, name) in [&mut *reference, &mut *other].into_iter().zip(&mut engines) {
            let mut engine = open(&part)?;
            *name = engine.name().to_owned();
            let inputs = [
                (uniseg_onnx::IMAGE, TensorView::F32(image.view())),
                (uniseg_onnx::TASK, TensorView::I64(index.view())),
            ];
            values.push(engine.run(&inputs)?);
        }
        for node in exposed {
            let [expected, found] = [0, 1].map(|side| value(&values, &engines, side, &node.output));
            let (shape, max_abs, max_rel) = difference(expected?, found?);
            nodes.push(NodeDifference {
                node: node.node,
                op: node.op,
                shape,
                max_abs,
                max_rel,
            });
        }
        progress(end, total);
    }
    Ok(Bisection {
        engines,
        task: task.name.clone(),
        nodes,
    })
}

fn value<'a>(
    values: &'a [Vec<(String, Tensor)>],
    engines: &[String; 2],
    side: usize,
    name: &str,
) -> Result<&'a ArrayD<f32>, RuntimeError> {
    values
        .get(side)
        .into_iter()
        .flatten()
        .find_map(|(found, tensor)| match tensor {
            Tensor::F32(array) if found == name => Some(array),
            _ => None,
        })
        .ok_or_else(|| RuntimeError::MissingOutput {
            engine: engines[side].clone(),
            value: name.to_owned(),
        })
}

fn difference(expected: &ArrayD<f32>, found: &ArrayD<f32>) -> (Vec<usize>, f64, f64) {
    let shape = expected.shape().to_vec();
    if expected.shape() != found.shape() {
        return (shape, f64::INFINITY, f64::INFINITY);
    }
    let (mut max_abs, mut scale) = (0.0f64, 0.0f64);
    for (&expected, &found) in expected.iter().zip(found) {
        // The same infinity, or no number on both sides, is agreement.
        if expected == found || (expected.is_nan() && found.is_nan()) {
            continue;
        }
        let gap = (f64::from(expected) - f64::from(found)).abs();
        max_abs = max_abs.max(if gap.is_finite() { gap } else { f64::INFINITY });
    }
    for &expected in expected.iter().filter(|value| value.is_finite()) {
        scale = scale.max(f64::from(expected).abs());
    }
    let max_rel = if max_abs == 0.0 { 0.0 } else { max_abs / scale };
    (shape, max_abs, max_rel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_worst_are_told_apart() {
        let node = |name: &str, max_rel| NodeDifference {
            node: name.into(),
            op: "Conv".into(),
            shape: vec![1],
            max_abs: max_rel,
            max_rel,
        };
        let bisection = Bisection {
            engines: ["a".into(), "b".into()],
            task: "t".into(),
            nodes: vec![node("fine", 1e-7), node("first", 1e-2), node("worst", 0.5)],
        };
        assert_eq!(bisection.first_beyond(1e-4).unwrap().node, "first");
        assert_eq!(bisection.first_beyond(0.9), None);
        let worst: Vec<_> = bisection.worst(2).iter().map(|n| n.node.clone()).collect();
        assert_eq!(worst, ["worst", "first"]);
    }

    #[test]
    fn what_is_not_finite_counts_unless_both_have_it() {
        let array = |values: &[f32]| Array1::from_vec(values.to_vec()).into_dyn();
        let same = difference(&array(&[f32::INFINITY, 1.0]), &array(&[f32::INFINITY, 1.0]));
        assert_eq!(same, (vec![2], 0.0, 0.0));
        let (_, max_abs, _) = difference(&array(&[f32::NAN, 1.0]), &array(&[0.0, 1.0]));
        assert_eq!(max_abs, f64::INFINITY);
        let (_, max_abs, _) = difference(&array(&[1.0]), &array(&[1.0, 2.0]));
        assert_eq!(max_abs, f64::INFINITY);
    }
}
