use super::{Pass, View};
use crate::graph::{Graph, Node, Patch, ValueId};
use crate::types::Constant;

/// Writes every linear layer in the same way. burn records one in either of two, whichever computes
/// faster at the sizes at hand, so that recordings at two sizes would not be the same computation.
///
/// ```text
/// Reshape(Add(MatMul(Reshape(x, [rows, k]), w), b), [.., n])   ->   Add(MatMul(x, w), b)
/// MatMul(x, w[1, k, n])                                         ->   MatMul(x, w[k, n])
/// Add(MatMul(x, w), b[1, 1, n])                                 ->   Add(MatMul(x, w), b[n])
/// ```
/// Declines weights that are not known, a product that something else reads too, and a `Reshape`
/// that does more than put axes before the last together and apart again.
pub(super) struct PlainLinear;

/// A node to put in the place of another, before it perhaps a product.
enum Plain {
    /// The same node with another second input.
    Second(usize, Constant),
    /// `x` times `weight`, and a bias, in the place of a `Reshape`.
    Unfolded {
        reshape: usize,
        product: usize,
        sum: Option<usize>,
        x: ValueId,
    },
}

impl Pass for PlainLinear {
    fn name(&self) -> &'static str {
        "plain-linear"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let found: Vec<Plain> = {
            let view = View::new(graph);
            let nodes = graph.nodes().iter().enumerate();
            nodes
                .filter_map(|(index, node)| match node.op {
                    "MatMul" => weight(&view, index, node),
                    "Add" => bias(&view, index, node),
                    "Reshape" => unfold(&view, index, node),
                    _ => None,
                })
                .collect()
        };
        let mut patch = Patch::default();
        for found in found {
            match found {
                Plain::Second(index, constant) => {
                    let mut node = graph.nodes()[index].clone();
                    node.inputs[1] = graph.add_constant(constant);
                    patch.replace(graph, index, node);
                }
                Plain::Unfolded {
                    reshape,
                    product,
                    sum,
                    x,
                } => {
                    let mut node = graph.nodes()[product].clone();
                    node.inputs[0] = x;
                    let Some(sum) = sum else {
                        patch.replace(graph, reshape, node);
                        continue;
                    };
                    let folded = node.outputs[0];
                    let whole = graph.value(graph.nodes()[reshape].outputs[0]);
                    let (dtype, shape) = (whole.dtype, whole.shape.clone());
                    let unfolded = patch.insert_new(graph, reshape, node, dtype, shape);
                    let mut node = graph.nodes()[sum].clone();
                    for input in &mut node.inputs {
                        if *input == folded {
                            *input = unfolded;
                        }
                    }
                    patch.replace(graph, reshape, node);
                }
            }
        }
        patch.finish(graph)
    }
}

/// Weights with axes of one in front, which the product broadcasts anyway.
fn weight(view: &View<'_>, index: usize, product: &Node) -> Option<Plain> {
    let &[x, weight] = product.inputs.as_slice() else {
        return None;
    };
    let constant = view.graph.constant(weight)?;
    let (ones, matrix) = constant
        .shape
        .split_at_checked(constant.shape.len().checked_sub(2)?)?;
    let broadcast = !ones.is_empty() && ones.iter().all(|&size| size == 1);
    (broadcast && view.shape(x).len() >= constant.shape.len())
        .then(|| Plain::Second(index, constant.reshaped(matrix)))
}

/// A bias with axes of one in front.
fn bias(view: &View<'_>, index: usize, sum: &Node) -> Option<Plain> {
    let &[product, bias] = sum.inputs.as_slice() else {
        return None;
    };
    linear(view, product)?;
    let constant = view.graph.constant(bias)?;
    let (columns, ones) = constant.shape.split_last()?;
    let broadcast = !ones.is_empty() && ones.iter().all(|&size| size == 1);
    (broadcast && view.shape(product).len() >= constant.shape.len())
        .then(|| Plain::Second(index, constant.reshaped(&[*columns])))
}

/// A product of rows that are put together before it and apart behind it.
fn unfold(view: &View<'_>, reshape: usize, node: &Node) -> Option<Plain> {
    let (last, end) = view.made_for_one(*node.inputs.first()?)?;
    let (product, sum) = match end.op {
        "MatMul" => (last, None),
        "Add" => {
            let &[lhs, rhs] = end.inputs.as_slice() else {
                return None;
            };
            let added = view.shape(rhs);
            let (columns, ones) = added.split_last()?;
            // Anything else would be other for each row.
            let by_column = ones.iter().all(|&size| size == 1) && *columns != 1;
            by_column.then_some(())?;
            (view.made_for_one(lhs)?.0, Some(last))
        }
        _ => return None,
    };
    let product_node = &view.graph.nodes()[product];
    linear(view, *product_node.outputs.first()?)?;
    let folded = *product_node.inputs.first()?;
    let x = *view.made_by(folded, "Reshape")?.inputs.first()?;
    let (k, before) = view.shape(x).split_last()?;
    let (_, after) = view.shape(*node.outputs.first()?).split_last()?;
    let rows = before.iter().product();
    (before == after && view.shape(folded) == [rows, *k]).then_some(Plain::Unfolded {
        reshape,
        product,
        sum,
        x,
    })
}

/// That `id` is a product with a matrix that is known.
fn linear(view: &View<'_>, id: ValueId) -> Option<()> {
    let &[_, weight] = view.made_by(id, "MatMul")?.inputs.as_slice() else {
        return None;
    };
    (view.graph.constant(weight)?.shape.len() == 2).then_some(())
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::prelude::*;

    use crate::Exporter;
    use crate::testing::{optimised, placed};

    /// One that burn folds the rows of, and one that it leaves.
    #[test]
    fn linear_layers_are_written_in_one_way() {
        for rows in [37, 128] {
            let text = optimised(&[2, rows, 64], |x: Tensor<3>| {
                let linear = LinearConfig::new(64, 32).init(&Device::flex());
                placed(linear, &x).forward(x)
            });
            let text = text.replace(&rows.to_string(), "rows");
            insta::allow_duplicates! { insta::assert_snapshot!(text, @"
            input x = v0:f32[2, rows, 64]
            v2:f32[2, rows, 32] = MatMul(v0:f32[2, rows, 64], c1:f32[64, 32])
            v4:f32[2, rows, 32] = Add(v2:f32[2, rows, 32], c3:f32[32])
            output y = v4:f32[2, rows, 32]
            ") };
        }
    }

    #[test]
    fn rows_that_are_told_apart_otherwise_stay_as_they_are() {
        let text = optimised(&[2, 6, 4], |x: Tensor<3>| {
            let linear = LinearConfig::new(4, 4).init(&Device::flex());
            let rows = placed(linear, &x).forward(x.reshape([12, 4]));
            rows.reshape([3, 4, 4])
        });
        assert_eq!(text.matches("Reshape").count(), 2, "{text}");
    }

    #[test]
    fn a_linear_layer_takes_any_batch() {
        for rows in [16, 37, 64] {
            let linear = LinearConfig::new(64, 64).init(&Device::flex());
            let exported = Exporter::new()
                .float_input("x", &[2, rows, 64])
                .symbolic("x", 0, "batch", 3)
                .export(|tracer| {
                    let x = tracer.float::<3>("x")?;
                    tracer.output("y", tracer.load(&linear).forward(x))
                })
                .unwrap();
            assert_eq!(exported.graph().nodes().len(), 2, "{}", exported.graph());
        }
    }
}
