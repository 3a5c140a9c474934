//! One graph -> two: what an input does not reach, and what it does.

use crate::Exported;
use crate::error::ExportError;
use crate::graph::{Graph, ValueId};
use crate::pass::split_conv::split_convolutions;
use crate::precision::Ends;
use crate::verify::verify;

/// A computation in two parts; the second reads what the first makes.
#[derive(Debug)]
pub struct Split {
    /// What does not depend on the input that was split at: all other inputs -> features.
    pub encoder: Exported,
    /// The rest: features and the input -> outputs.
    pub decoder: Exported,
    /// What is handed over, in the order of the encoder's outputs.
    pub features: Vec<Feature>,
}

/// A tensor that the first part makes and the second one reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name in both parts.
    pub name: String,
    /// Size of each axis.
    pub shape: Vec<usize>,
}

pub(crate) fn split(exported: Exported, input: &str) -> Result<Split, ExportError> {
    let nothing = |reason| ExportError::NothingToSplit {
        input: input.to_owned(),
        reason,
    };
    let Exported {
        graph,
        passes,
        recorded_operations,
        before,
        ends,
    } = exported.divide_at(input)?;
    let source = source(&graph, input).ok_or_else(|| nothing("there is no such input"))?;
    let reached = reach(&graph, source);
    let varies = |id: ValueId| reached[id.0 as usize];
    if graph.outputs().iter().any(|(_, id)| !varies(*id)) {
        return Err(nothing("an output does not depend on it"));
    }
    let second: Vec<bool> = graph
        .nodes()
        .iter()
        .map(|node| node.outputs.iter().any(|&id| varies(id)))
        .collect();
    let features = handed_over(&graph, &second, &varies);
    if features.is_empty() {
        return Err(nothing("everything depends on it"));
    }
    let described = features
        .iter()
        .map(|(name, id)| Feature {
            name: name.clone(),
            shape: graph.value(*id).shape.clone(),
        })
        .collect();
    let mut images: Vec<_> = graph.inputs().to_vec();
    images.retain(|(_, id)| *id != source);
    let encoder = graph.part(|index| !second[index], images, features.clone());
    let mut inputs = features;
    inputs.push((input.to_owned(), source));
    let decoder = graph.part(|index| second[index], inputs, graph.outputs().to_vec());
    verify(&encoder, "split")?;
    verify(&decoder, "split")?;
    let exported = |graph: Graph, passes, ends| Exported {
        graph,
        passes,
        recorded_operations,
        before,
        ends,
    };
    let first = Ends {
        outputs: false,
        ..ends
    };
    let last = Ends {
        inputs: false,
        ..ends
    };
    Ok(Split {
        encoder: exported(encoder, passes.clone(), first),
        decoder: exported(decoder, passes, last),
        features: described,
    })
}

/// Divides convolutions between what depends on `input` and what does not, see
/// [`split_convolutions`].
pub(crate) fn divide(graph: &mut Graph, input: &str) -> usize {
    let Some(source) = source(graph, input) else {
        return 0;
    };
    let reached = reach(graph, source);
    split_convolutions(graph, &reached)
}

fn source(graph: &Graph, input: &str) -> Option<ValueId> {
    let mut inputs = graph.inputs().iter();
    inputs.find_map(|(name, id)| (name == input).then_some(*id))
}

/// Which values depend on `source`.
fn reach(graph: &Graph, source: ValueId) -> Vec<bool> {
    let mut reached = vec![false; graph.value_count()];
    reached[source.0 as usize] = true;
    for node in graph.nodes() {
        if node.inputs.iter().any(|id| reached[id.0 as usize]) {
            for id in &node.outputs {
                reached[id.0 as usize] = true;
            }
        }
    }
    reached
}

/// What nodes of the second part read of the first, in the order in which it is made.
fn handed_over(
    graph: &Graph,
    second: &[bool],
    varies: &impl Fn(ValueId) -> bool,
) -> Vec<(String, ValueId)> {
    let mut read = vec![false; graph.value_count()];
    for (node, _) in graph
        .nodes()
        .iter()
        .zip(second)
        .filter(|(_, second)| **second)
    {
        for id in &node.inputs {
            read[id.0 as usize] = !varies(*id) && graph.constant(*id).is_none();
        }
    }
    let inputs = graph.inputs().iter().map(|(_, id)| id);
    let made = graph.nodes().iter().flat_map(|node| &node.outputs);
    inputs
        .chain(made)
        .filter(|id| read[id.0 as usize])
        .enumerate()
        .map(|(index, id)| (format!("feature_{index}"), *id))
        .collect()
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::prelude::*;

    use crate::testing::placed;
    use crate::{ExportError, Exporter};

    fn exported() -> crate::Exported {
        Exporter::new()
            .float_input("image", &[1, 1, 4, 4])
            .float_input("task", &[1, 1, 4, 4])
            .export(|tracer| {
                let image = tracer.float::<4>("image")?;
                let task = tracer.float::<4>("task")?;
                let features = image.clone().exp();
                let conv = Conv2dConfig::new([2, 3], [1; 2])
                    .with_initializer(burn::nn::Initializer::Constant { value: 0.5 })
                    .init(&Device::flex());
                let conv = placed(conv, &image);
                tracer.output(
                    "y",
                    conv.forward(Tensor::cat(vec![task.sqrt(), features], 1)),
                )
            })
            .unwrap()
    }

    #[test]
    fn a_convolution_over_both_parts_is_divided() {
        let split = exported().split("task").unwrap();
        insta::assert_snapshot!(split.encoder.graph(), @"
        input image = v0:f32[1, 1, 4, 4]
        v1:f32[1, 1, 4, 4] = Exp(v0:f32[1, 1, 4, 4])
        v4:f32[1, 3, 4, 4] = Conv(v1:f32[1, 1, 4, 4], c2:f32[3, 1, 1, 1]{0.5, 0.5, 0.5}, c3:f32[3]{0.5, 0.5, 0.5}) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        output feature_0 = v4:f32[1, 3, 4, 4]
        ");
        insta::assert_snapshot!(split.decoder.graph(), @"
        input feature_0 = v0:f32[1, 3, 4, 4]
        input task = v1:f32[1, 1, 4, 4]
        v2:f32[1, 1, 4, 4] = Sqrt(v1:f32[1, 1, 4, 4])
        v4:f32[1, 3, 4, 4] = Conv(v2:f32[1, 1, 4, 4], c3:f32[3, 1, 1, 1]{0.5, 0.5, 0.5}) dilations=[1, 1] group=1 kernel_shape=[1, 1] pads=[0, 0, 0, 0] strides=[1, 1]
        v5:f32[1, 3, 4, 4] = Add(v4:f32[1, 3, 4, 4], v0:f32[1, 3, 4, 4])
        output y = v5:f32[1, 3, 4, 4]
        ");
        assert_eq!(split.features.len(), 1);
    }

    #[test]
    fn what_cannot_be_split_says_why() {
        let error = exported().split("tusk").unwrap_err();
        assert!(
            matches!(error, ExportError::NothingToSplit { .. }),
            "{error}"
        );
        let alone = Exporter::new()
            .float_input("task", &[2])
            .export(|tracer| {
                let task = tracer.float::<1>("task")?;
                tracer.output("y", task.exp())
            })
            .unwrap();
        let error = alone.split("task").unwrap_err();
        assert!(
            error.to_string().contains("everything depends on it"),
            "{error}"
        );
    }

    #[test]
    fn an_open_axis_is_open_in_both_parts() {
        let conv = Conv2dConfig::new([2, 2], [1, 1]).init(&Device::flex());
        let split = Exporter::new()
            .float_input("image", &[2, 1, 4, 4])
            .float_input("task", &[2, 1, 4, 4])
            .symbolic("image", 0, "batch", 3)
            .symbolic("task", 0, "batch", 3)
            .export(|tracer| {
                let image = tracer.float::<4>("image")?;
                // The convolution is divided, and makes the output.
                let both = Tensor::cat(vec![image.exp(), tracer.float("task")?], 1);
                tracer.output("y", tracer.load(&conv).forward(both))
            })
            .unwrap()
            .split("task")
            .unwrap();
        for graph in [split.encoder.graph(), split.decoder.graph()] {
            for (name, id) in graph.inputs().iter().chain(graph.outputs()) {
                assert_eq!(graph.axis_name(*id, 0), Some("batch"), "{name}");
            }
        }
    }
}
