use super::{Pass, View};
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::types::{Constant, Dtype};

/// Finds InstanceNorm again, which burn records as its composition.
///
/// ```text
/// r = Reshape(x, [n, c, m])                     InstanceNormalization(x, scale, bias)
/// d = r - ReduceMean(r)                   ->      epsilon
/// y = Reshape(d / Sqrt(ReduceMean(d * d) + epsilon), shape of x) * scale + bias
/// ```
///
/// Declines statistics over other axes, and leaves a scale or bias that is not one known number a
/// channel where it is: so a GroupNorm becomes the InstanceNorm of its groups between two reshapes,
/// which is what it is. Runs after constant folding, which turns the reshaped scale and bias into
/// constants.
pub(super) struct FuseInstanceNorm;

impl Pass for FuseInstanceNorm {
    fn name(&self) -> &'static str {
        "fuse-instance-norm"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let mut patch = Patch::default();
        let found: Vec<Match> = {
            let view = View::new(graph);
            (0..graph.nodes().len())
                .filter_map(|index| view.find(index))
                .collect()
        };
        for Match {
            last,
            result,
            x,
            epsilon,
            scale,
            bias,
        } in found
        {
            let value = graph.value(result).clone();
            let channels = graph.value(x).shape[1];
            let parameter = |graph: &mut Graph, values: Option<Vec<f32>>, neutral: f32| {
                let values = values.unwrap_or_else(|| vec![neutral; channels]);
                graph.add_constant(Constant::f32(&[channels], &values))
            };
            let scale = parameter(graph, scale, 1.0);
            let bias = parameter(graph, bias, 0.0);
            let fused = graph.add_value(value.dtype, value.shape);
            patch.insert_before(
                last,
                Node {
                    op: "InstanceNormalization",
                    inputs: vec![x, scale, bias],
                    outputs: vec![fused],
                    attributes: vec![("epsilon", Attribute::Float(epsilon))],
                    origin: "fuse-instance-norm",
                },
            );
            patch.redirect(result, fused);
        }
        patch.finish(graph)
    }
}

struct Match {
    /// The node that makes `result`.
    last: usize,
    result: ValueId,
    x: ValueId,
    epsilon: f32,
    scale: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
}

impl View<'_> {
    /// The mean of which value over the last of three axes `id` is.
    fn mean_of(&self, id: ValueId) -> Option<ValueId> {
        let node = self.made_by(id, "ReduceMean")?;
        (node.ints("axes") == Some(&[2]) && node.int("keepdims") == Some(1))
            .then_some(node.inputs[0])
    }

    /// Matches the pattern whose division is the node at `index`.
    fn find(&self, index: usize) -> Option<Match> {
        let divide = &self.graph.nodes()[index];
        let (&[centred, deviation], &[normalised]) =
            (divide.inputs.as_slice(), divide.outputs.as_slice())
        else {
            return None;
        };
        if divide.op != "Div" || self.graph.value(normalised).dtype != Dtype::F32 {
            return None;
        }
        let &[flat, mean] = self.made_by(centred, "Sub")?.inputs.as_slice() else {
            return None;
        };
        let &[shifted] = self.made_by(deviation, "Sqrt")?.inputs.as_slice() else {
            return None;
        };
        let &[variance, epsilon] = self.made_by(shifted, "Add")?.inputs.as_slice() else {
            return None;
        };
        let epsilon = self.graph.constant(epsilon)?.scalar_f32()?;
        let square = self.made_by(self.mean_of(variance)?, "Mul")?;
        if self.mean_of(mean)? != flat || square.inputs != [centred, centred] {
            return None;
        }

        // Without a reshape the input has the flat form [n, c, m] already.
        let flat_shape = &self.graph.value(flat).shape;
        let x = self
            .made_by(flat, "Reshape")
            .map(|node| node.inputs[0])
            .filter(|&x| self.is_flattened(x, flat_shape))
            .unwrap_or(flat);
        let shape = &self.graph.value(x).shape;
        let (mut last, mut result) = (index, normalised);
        if x != flat {
            let (at, reshape) = self.read_by(normalised, "Reshape")?;
            (last, result) = (at, reshape.outputs[0]);
            if &self.graph.value(result).shape != shape {
                return None;
            }
        }
        let mut scale = None;
        let mut bias = None;
        if let Some((at, values, id)) = self.channel_parameter(result, "Mul", shape) {
            (last, result, scale) = (at, id, Some(values));
        }
        if let Some((at, values, id)) = self.channel_parameter(result, "Add", shape) {
            (last, result, bias) = (at, id, Some(values));
        }
        Some(Match {
            last,
            result,
            x,
            epsilon,
            scale,
            bias,
        })
    }

    /// Whether [n, c, m] keeps the first two axes of `x` and joins all the others.
    fn is_flattened(&self, x: ValueId, flat: &[usize]) -> bool {
        let shape = &self.graph.value(x).shape;
        shape.len() > 3
            && flat.len() == 3
            && shape[..2] == flat[..2]
            && shape[2..].iter().product::<usize>() == flat[2]
    }

    /// If the only reader of `id` is an `op` with one known number for each channel: where it is,
    /// the numbers, and what it makes.
    fn channel_parameter(
        &self,
        id: ValueId,
        op: &str,
        shape: &[usize],
    ) -> Option<(usize, Vec<f32>, ValueId)> {
        let (index, node) = self.read_by(id, op)?;
        let &other = node.inputs.iter().find(|&&input| input != id)?;
        let constant = self.graph.constant(other)?;
        let mut per_channel = vec![1; shape.len()];
        per_channel[1] = shape[1];
        if constant.shape != per_channel || node.outputs.len() != 1 {
            return None;
        }
        Some((index, constant.as_f32()?, node.outputs[0]))
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{GroupNormConfig, InstanceNormConfig};

    use crate::testing::optimised;

    #[test]
    fn a_composed_instance_norm_is_one_node() {
        let text = optimised(&[1, 3, 2, 4, 5], |x| {
            InstanceNormConfig::new(3)
                .with_epsilon(1e-3)
                .init(&x.device())
                .forward(x)
        });
        insta::assert_snapshot!(text, @"
        input x = v0:f32[1, 3, 2, 4, 5]
        v3:f32[1, 3, 2, 4, 5] = InstanceNormalization(v0:f32[1, 3, 2, 4, 5], c1:f32[3]{1, 1, 1}, c2:f32[3]{0, 0, 0}) epsilon=0.001
        output y = v3:f32[1, 3, 2, 4, 5]
        ");
    }

    #[test]
    fn without_affine_parameters_they_are_neutral() {
        let text = optimised(&[2, 3, 4], |x| {
            InstanceNormConfig::new(3)
                .with_affine(false)
                .init(&x.device())
                .forward(x)
        });
        assert!(text.contains("InstanceNormalization"), "{text}");
    }

    #[test]
    fn a_group_norm_keeps_its_reshapes_and_affine() {
        let text = optimised(&[1, 4, 8, 8], |x| {
            GroupNormConfig::new(2, 4).init(&x.device()).forward(x)
        });
        let operators: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once(" = ")?.1.split_once('('))
            .map(|(operator, _)| operator)
            .collect();
        assert_eq!(
            operators,
            ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"]
        );
    }
}
