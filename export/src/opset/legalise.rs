//! What operators say differently in a later version: reductions have their axes as an input from
//! 18 on, and sampling a grid has other names for its modes from 20 on.
//!
//! Nothing else that we write changes its meaning up to [`Opset::NEWEST`]: later versions of the
//! other operators take more element types or have attributes more, whose defaults we mean.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Opset;
use crate::graph::{Attribute, Graph, Node};
use crate::types::Constant;

const AXES_AS_INPUT: Opset = Opset::known(18);
const GRID_MODES: Opset = Opset::known(20);

/// The graph as the operators of its own opset say it; nodes and their results stay in place.
pub(crate) fn legalise(graph: &Graph) -> Cow<'_, Graph> {
    let opset = graph.opset();
    if opset < AXES_AS_INPUT {
        return Cow::Borrowed(graph);
    }
    let mut graph = graph.clone();
    move_axes(&mut graph);
    if opset >= GRID_MODES {
        rename_modes(&mut graph);
    }
    Cow::Owned(graph)
}

/// ```text
/// ReduceMean(x) axes=[2]   ->   ReduceMean(x, c) with c = [2]
/// ```
/// `ReduceSum` has had them as an input since 13.
fn move_axes(graph: &mut Graph) {
    let mut known = BTreeMap::new();
    for index in 0..graph.nodes().len() {
        let Some(axes) = graph.nodes().get(index).and_then(axes).map(<[i64]>::to_vec) else {
            continue;
        };
        let axes = match known.get(&axes) {
            Some(&id) => id,
            None => {
                let id = graph.add_constant(Constant::i64s(&axes));
                known.insert(axes, id);
                id
            }
        };
        if let Some(node) = graph.nodes_mut().get_mut(index) {
            node.inputs.push(axes);
            node.attributes.retain(|(name, _)| *name != "axes");
        }
    }
}

fn axes(node: &Node) -> Option<&[i64]> {
    let reduces = node.op.starts_with("Reduce") && node.op != "ReduceSum";
    node.ints("axes").filter(|_| reduces)
}

fn rename_modes(graph: &mut Graph) {
    for node in graph.nodes_mut() {
        if node.op != "GridSample" {
            continue;
        }
        for (name, attribute) in &mut node.attributes {
            match attribute {
                Attribute::Text(mode @ "bilinear") if *name == "mode" => *mode = "linear",
                Attribute::Text(mode @ "bicubic") if *name == "mode" => *mode = "cubic",
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};

    use super::*;
    use crate::Exporter;

    fn legal(version: i64) -> String {
        let exported = Exporter::new()
            .opset(Opset::new(version).unwrap())
            .float_input("x", &[1, 1, 4, 4])
            .float_input("grid", &[1, 3, 3, 2])
            .export(|tracer| {
                let x = tracer.float::<4>("x")?;
                let grid = tracer.float::<4>("grid")?;
                let options = GridSampleOptions::new(InterpolateMode::Bilinear)
                    .with_padding_mode(GridSamplePaddingMode::Zeros);
                let sampled = x.grid_sample_2d(grid, options);
                tracer.output("y", sampled.max_dim(3).min_dim(3).sum_dim(2))
            })
            .unwrap();
        legalise(exported.graph()).to_string()
    }

    #[test]
    fn axes_become_an_input_and_modes_get_their_new_names() {
        insta::assert_snapshot!(legal(17), @"
        input x = v0:f32[1, 1, 4, 4]
        input grid = v1:f32[1, 3, 3, 2]
        v2:f32[1, 1, 3, 3] = GridSample(v0:f32[1, 1, 4, 4], v1:f32[1, 3, 3, 2]) align_corners=0 mode=bilinear padding_mode=zeros
        v3:f32[1, 1, 3, 1] = ReduceMax(v2:f32[1, 1, 3, 3]) axes=[3] keepdims=1
        v4:f32[1, 1, 3, 1] = ReduceMin(v3:f32[1, 1, 3, 1]) axes=[3] keepdims=1
        v6:f32[1, 1, 1, 1] = ReduceSum(v4:f32[1, 1, 3, 1], c5:i64[1]{2}) keepdims=1
        output y = v6:f32[1, 1, 1, 1]
        ");
        insta::assert_snapshot!(legal(18), @"
        input x = v0:f32[1, 1, 4, 4]
        input grid = v1:f32[1, 3, 3, 2]
        v2:f32[1, 1, 3, 3] = GridSample(v0:f32[1, 1, 4, 4], v1:f32[1, 3, 3, 2]) align_corners=0 mode=bilinear padding_mode=zeros
        v4:f32[1, 1, 3, 1] = ReduceMax(v2:f32[1, 1, 3, 3], c3:i64[1]{3}) keepdims=1
        v5:f32[1, 1, 3, 1] = ReduceMin(v4:f32[1, 1, 3, 1], c3:i64[1]{3}) keepdims=1
        v7:f32[1, 1, 1, 1] = ReduceSum(v5:f32[1, 1, 3, 1], c6:i64[1]{2}) keepdims=1
        output y = v7:f32[1, 1, 1, 1]
        ");
        insta::assert_snapshot!(legal(20), @"
        input x = v0:f32[1, 1, 4, 4]
        input grid = v1:f32[1, 3, 3, 2]
        v2:f32[1, 1, 3, 3] = GridSample(v0:f32[1, 1, 4, 4], v1:f32[1, 3, 3, 2]) align_corners=0 mode=linear padding_mode=zeros
        v4:f32[1, 1, 3, 1] = ReduceMax(v2:f32[1, 1, 3, 3], c3:i64[1]{3}) keepdims=1
        v5:f32[1, 1, 3, 1] = ReduceMin(v4:f32[1, 1, 3, 1], c3:i64[1]{3}) keepdims=1
        v7:f32[1, 1, 1, 1] = ReduceSum(v5:f32[1, 1, 3, 1], c6:i64[1]{2}) keepdims=1
        output y = v7:f32[1, 1, 1, 1]
        ");
    }
}
