mod mask;

use mask::Mask;

use super::{Pass, View};
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::opset::Opset;
use crate::types::Dtype;

/// Finds scaled dot-product attention that was written out; from opset 23 on, which has an operator
/// for it.
///
/// ```text
/// scores = MatMul(q, Transpose(k)) * scale            or / by it, or neither
/// scores = Where(hidden, -inf, scores)                or scores + bias, any number of both
/// MatMul(Softmax(scores, last), v)              ->    Attention(q, k, v, mask) scale=..
/// ```
/// `q`, `k` and `v` have the axes [batch, head, place, width] and the same batch and heads. What
/// hides places becomes one mask that is added, as in the written-out form: minus infinity where
/// `hidden` holds, before any bias that came later. Of a query that sees no place at all the
/// written-out form makes no number, and the operator what the engine makes of it.
///
/// Declines: scores or weights that something else reads; a finite number in the place of minus
/// infinity, under which a query that sees no place at all would see all of them; a bent (soft-capped)
/// score, which burn bends before the mask and ONNX behind it; and other ranks than 4.
pub(super) struct FuseAttention;

const SINCE: Opset = Opset::known(23);

/// More masks than anyone lays over each other.
const MASKS: usize = 4;

struct Match {
    /// The product with the values.
    last: usize,
    query: ValueId,
    key: Key,
    value: ValueId,
    scale: f32,
    /// Number of queries.
    rows: usize,
    /// In the order in which they are laid over the scores.
    masks: Vec<Mask>,
}

/// Where the keys are, places before width.
struct Key {
    source: ValueId,
    /// The order of the source's axes that makes them the keys', unless they are.
    perm: Option<Vec<i64>>,
}

/// What soft-max is taken of.
struct Scores {
    product: [ValueId; 2],
    scale: f32,
    masks: Vec<Mask>,
}

impl Pass for FuseAttention {
    fn name(&self) -> &'static str {
        "fuse-attention"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        if graph.opset() < SINCE {
            return 0;
        }
        let found: Vec<Match> = {
            let view = View::new(graph);
            let nodes = graph.nodes().iter().enumerate();
            nodes
                .filter_map(|(index, node)| find(&view, index, node))
                .collect()
        };
        let mut patch = Patch::default();
        for found in found {
            let mut inputs = vec![found.query, found.key(graph, &mut patch), found.value];
            inputs.extend(mask::as_one(&found, graph, &mut patch));
            let node = Node {
                op: "Attention",
                inputs,
                outputs: Vec::new(),
                attributes: vec![("scale", Attribute::Float(found.scale))],
                origin: "fuse-attention",
            };
            patch.replace(graph, found.last, node);
        }
        patch.finish(graph)
    }
}

fn find(view: &View<'_>, last: usize, node: &Node) -> Option<Match> {
    let &[weights, value] = node.inputs.as_slice() else {
        return None;
    };
    let (_, softmax) = view.made_for_one(weights)?;
    let along_last = matches!(softmax.int("axis"), Some(3 | -1));
    if node.op != "MatMul" || softmax.op != "Softmax" || !along_last {
        return None;
    }
    let Scores {
        product: [query, turned],
        scale,
        masks,
    } = scores(view, *softmax.inputs.first()?, MASKS)?;
    let key = key(view, turned)?;
    let &[batch, heads, rows, width] = view.shape(query) else {
        return None;
    };
    let &[.., columns] = view.shape(weights) else {
        return None;
    };
    let &[_, _, _, depth] = view.shape(value) else {
        return None;
    };
    let fits = view.shape(turned) == [batch, heads, width, columns]
        && view.shape(value) == [batch, heads, columns, depth]
        && masks.iter().all(|mask| mask.fits(view, [rows, columns]));
    // Queries and keys are multiplied by its root.
    let possible = scale.is_finite() && scale > 0.0;
    (fits && possible && view.graph.value(query).dtype == Dtype::F32).then_some(Match {
        last,
        query,
        key,
        value,
        scale,
        rows,
        masks,
    })
}

/// Walks from what soft-max reads to the product of queries and keys, under at most so many masks.
fn scores(view: &View<'_>, id: ValueId, masks: usize) -> Option<Scores> {
    let (_, node) = view.made_for_one(id)?;
    let keeps_shape = |inner: ValueId| view.shape(inner) == view.shape(id);
    match (node.op, node.inputs.as_slice()) {
        ("MatMul", &[query, turned]) => Some(Scores {
            product: [query, turned],
            scale: 1.0,
            masks: Vec::new(),
        }),
        ("Mul" | "Div", &[lhs, rhs]) => {
            let (inner, number) = match (view.number(lhs), view.number(rhs)) {
                (_, Some(number)) => (lhs, number),
                (Some(number), _) if node.op == "Mul" => (rhs, number),
                _ => return None,
            };
            let scale = match node.op {
                "Mul" => number,
                _ => 1.0 / number,
            };
            let (_, product) = view.made_for_one(inner)?;
            (product.op == "MatMul" && keeps_shape(inner)).then_some(Scores {
                product: <[ValueId; 2]>::try_from(product.inputs.as_slice()).ok()?,
                scale,
                masks: Vec::new(),
            })
        }
        ("Where", &[hidden, fill, inner]) if view.number(fill) == Some(f32::NEG_INFINITY) => {
            under(view, inner, Mask::Hidden(hidden), masks).filter(|_| keeps_shape(inner))
        }
        ("Add", &[lhs, rhs]) => [(lhs, rhs), (rhs, lhs)]
            .into_iter()
            .find_map(|(inner, bias)| {
                under(view, inner, Mask::Bias(bias), masks).filter(|_| keeps_shape(inner))
            }),
        _ => None,
    }
}

/// The scores that a mask is laid over, the mask included.
fn under(view: &View<'_>, inner: ValueId, mask: Mask, masks: usize) -> Option<Scores> {
    let mut scores = scores(view, inner, masks.checked_sub(1)?)?;
    scores.masks.push(mask);
    Some(scores)
}

/// The keys behind their transposition, which may be part of another one.
fn key(view: &View<'_>, turned: ValueId) -> Option<Key> {
    let transpose = view.made_by(turned, "Transpose")?;
    let mut perm = transpose.ints("perm")?.to_vec();
    if perm.len() != 4 {
        return None;
    }
    perm.swap(2, 3);
    Some(Key {
        source: *transpose.inputs.first()?,
        perm: (perm != [0, 1, 2, 3]).then_some(perm),
    })
}

impl Match {
    fn key(&self, graph: &mut Graph, patch: &mut Patch) -> ValueId {
        let Key { source, perm } = &self.key;
        let Some(perm) = perm else { return *source };
        let value = graph.value(*source);
        let dtype = value.dtype;
        let size = |&axis: &i64| value.shape.get(axis as usize).copied().unwrap_or(1);
        let shape = perm.iter().map(size).collect();
        let node = Node {
            op: "Transpose",
            inputs: vec![*source],
            outputs: Vec::new(),
            attributes: vec![("perm", Attribute::Ints(perm.clone()))],
            origin: "fuse-attention",
        };
        patch.insert_new(graph, self.last, node, dtype, shape)
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
    use burn::prelude::*;
    use burn::tensor::activation::softmax;
    use burn::tensor::module::attention;
    use burn::tensor::ops::AttentionModuleOptions;

    use crate::testing::{optimised, optimised_at, placed};
    use crate::{Exporter, Opset};

    /// Attention of a tensor to itself as it is written by hand.
    fn by_hand(x: Tensor<4>, bend: impl Fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
        let scores = x.clone().matmul(x.clone().transpose());
        softmax(bend(scores), 3).matmul(x)
    }

    #[test]
    fn attention_written_out_is_one_node_from_opset_23_on() {
        let halved = |x| by_hand(x, |scores| scores / 2.0);
        insta::assert_snapshot!(optimised_at(23, &[1, 2, 3, 4], halved), @"
        input x = v0:f32[1, 2, 3, 4]
        v1:f32[1, 2, 3, 4] = Attention(v0:f32[1, 2, 3, 4], v0:f32[1, 2, 3, 4], v0:f32[1, 2, 3, 4]) scale=0.5
        output y = v1:f32[1, 2, 3, 4]
        ");
        assert!(!optimised_at(22, &[1, 2, 3, 4], halved).contains("Attention"));
        assert!(!optimised(&[1, 2, 3, 4], halved).contains("Attention"));
    }

    #[test]
    fn masks_become_one_that_is_added() {
        let options = AttentionModuleOptions {
            is_causal: true,
            ..Default::default()
        };
        let causal = |x: Tensor<4>| attention(x.clone(), x.clone(), x, None, None, options);
        insta::assert_snapshot!(optimised_at(23, &[1, 2, 3, 4], causal), @"
        input x = v0:f32[1, 2, 3, 4]
        v2:f32[1, 2, 3, 4] = Attention(v0:f32[1, 2, 3, 4], v0:f32[1, 2, 3, 4], v0:f32[1, 2, 3, 4], c1:f32[3, 3]) scale=0.5
        output y = v2:f32[1, 2, 3, 4]
        ");
        let options = AttentionModuleOptions::default();
        let both = |x: Tensor<4>| {
            let bias = x.clone().sum_dim(2).sum_dim(3).expand([1, 2, 3, 3]);
            let hidden = bias.clone().greater_scalar(0.5);
            attention(x.clone(), x.clone(), x, Some(hidden), Some(bias), options)
        };
        insta::assert_snapshot!(optimised_at(23, &[1, 2, 3, 4], both), @"
        input x = v0:f32[1, 2, 3, 4]
        v2:f32[1, 2, 1, 4] = ReduceSum(v0:f32[1, 2, 3, 4], c1:i64[1]{2}) keepdims=1
        v4:f32[1, 2, 1, 1] = ReduceSum(v2:f32[1, 2, 1, 4], c3:i64[1]{3}) keepdims=1
        v6:f32[1, 2, 3, 3] = Expand(v4:f32[1, 2, 1, 1], c5:i64[4]{1, 2, 3, 3})
        v8:bool[1, 2, 3, 3] = Greater(v6:f32[1, 2, 3, 3], c7:f32[]{0.5})
        v11:f32[1, 2, 3, 3] = Where(v8:bool[1, 2, 3, 3], c9:f32[]{-inf}, c10:f32[3, 1]{0, 0, 0})
        v12:f32[1, 2, 3, 3] = Add(v11:f32[1, 2, 3, 3], v6:f32[1, 2, 3, 3])
        v13:f32[1, 2, 3, 4] = Attention(v0:f32[1, 2, 3, 4], v0:f32[1, 2, 3, 4], v0:f32[1, 2, 3, 4], v12:f32[1, 2, 3, 3]) scale=0.5
        output y = v13:f32[1, 2, 3, 4]
        ");
    }

    #[test]
    fn the_keys_are_found_behind_a_joined_transposition() {
        let mha = MultiHeadAttentionConfig::new(4, 2)
            .with_initializer(burn::nn::Initializer::Constant { value: 0.5 });
        let text = optimised_at(23, &[1, 3, 4], |x: Tensor<3>| {
            let mha = placed(mha.init(&Device::flex()), &x);
            mha.forward(MhaInput::self_attn(x)).context
        });
        assert!(
            text.contains("Attention") && !text.contains("Softmax"),
            "{text}"
        );
        // The same weights everywhere, so that queries, keys and values are one.
        assert_eq!(text.matches("perm=[0, 2, 1, 3]").count(), 2, "{text}");
        assert!(!text.contains("perm=[0, 2, 3, 1]"), "{text}");
    }

    #[test]
    fn batch_and_places_may_be_left_open() {
        let exported = Exporter::new()
            .opset(Opset::NEWEST)
            .float_input("x", &[2, 3, 5, 4])
            .symbolic("x", 0, "batch", 3)
            .symbolic("x", 2, "length", 7)
            .export(|tracer| {
                let x = tracer.float::<4>("x")?;
                tracer.output("y", by_hand(x, |scores| scores / 2.0))
            })
            .unwrap();
        insta::assert_snapshot!(exported.graph(), @"
        input x = v0:f32[batch, 3, length, 4]
        v1:f32[batch, 3, length, 4] = Attention(v0:f32[batch, 3, length, 4], v0:f32[batch, 3, length, 4], v0:f32[batch, 3, length, 4]) scale=0.5
        output y = v1:f32[batch, 3, length, 4]
        ");
    }

    #[test]
    fn what_is_not_quite_attention_stays() {
        let bends: [fn(Tensor<4>) -> Tensor<4>; 5] = [
            // A finite number leaves a query without places something to see.
            |scores| {
                let hidden = scores.clone().greater_scalar(0.5);
                scores.mask_fill(hidden, -1e4)
            },
            |scores| (scores / 1.5).tanh() * 1.5,
            |scores| scores * -0.5,
            |scores| scores.clone() * scores,
            |scores| scores.clone() + scores.exp(),
        ];
        for bend in bends {
            let text = optimised_at(23, &[1, 2, 3, 4], move |x| by_hand(x, bend));
            assert!(!text.contains("Attention"), "{text}");
        }
        let across = optimised_at(23, &[1, 2, 3, 3], |x: Tensor<4>| {
            let scores = x.clone().matmul(x.clone().transpose());
            softmax(scores, 2).matmul(x)
        });
        assert!(!across.contains("Attention"), "{across}");
        let unturned = optimised_at(23, &[1, 2, 3, 3], |x: Tensor<4>| {
            softmax(x.clone().matmul(x.clone()), 3).matmul(x)
        });
        assert!(!unturned.contains("Attention"), "{unturned}");
        let read = optimised_at(23, &[1, 2, 3, 3], |x: Tensor<4>| {
            let weights = softmax(x.clone().matmul(x.clone().transpose()), 3);
            weights.clone().matmul(x) + weights
        });
        assert!(!read.contains("Attention"), "{read}");
    }
}
