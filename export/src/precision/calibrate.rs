//! Measuring activations: probe models, and what their outputs mean.
//!
//! Ranges take two passes over the same inputs: the first finds the extremes, the second counts into
//! bins between them. A probe computes both itself, so that only a few numbers leave the engine.

use std::collections::{BTreeMap, HashMap};

use uniseg_onnx::Dim;
use uniseg_onnx::proto::{DataType, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::histogram::{BINS, Histogram};
use super::{Calibrator, Range};
use crate::emit::{Names, emit};
use crate::error::ExportError;
use crate::graph::{Graph, ValueId};

/// Beyond so many values of an activation only every n-th is counted into bins.
const COUNTED: usize = 1 << 20;

/// The range to quantise, `[lower, upper]`, of each value in `activations`.
pub(super) fn ranges(
    graph: &Graph,
    activations: &[ValueId],
    method: Range,
    calibrator: &mut dyn Calibrator,
) -> Result<HashMap<ValueId, [f32; 2]>, ExportError> {
    let probe = Probe::of(graph);
    let extremes = extremes(&probe, activations, calibrator)?;
    if method == Range::MinMax {
        return Ok(extremes
            .into_iter()
            .map(|(id, [lower, upper])| (id, [lower.min(0.0), upper.max(0.0)]))
            .collect());
    }
    let mut histograms: BTreeMap<ValueId, Histogram> = extremes
        .into_iter()
        .map(|(id, [lower, upper])| {
            let counts = vec![0.0; BINS];
            let histogram = Histogram {
                lower,
                upper,
                counts,
            };
            (id, histogram)
        })
        .collect();
    let model = probe.counting(&histograms);
    probe.run(
        &model,
        activations,
        |_| BINS,
        calibrator,
        |id, counts| {
            if let Some(histogram) = histograms.get_mut(&id) {
                for (sum, count) in histogram.counts.iter_mut().zip(counts) {
                    *sum += f64::from(*count);
                }
            }
        },
    )?;
    Ok(histograms
        .into_iter()
        .map(|(id, histogram)| (id, histogram.range(method)))
        .collect())
}

/// The largest absolute value of each channel (axis 1) of each value in `activations`.
pub(super) fn magnitudes(
    graph: &Graph,
    activations: &[ValueId],
    calibrator: &mut dyn Calibrator,
) -> Result<HashMap<ValueId, Vec<f32>>, ExportError> {
    let probe = Probe::of(graph);
    let model = probe.magnitudes(activations);
    let channels = |id: ValueId| graph.value(id).shape.get(1).copied().unwrap_or(1);
    // One for each channel of each sample of the batch.
    let readings = |id: ValueId| channels(id) * graph.value(id).shape.first().copied().unwrap_or(1);
    let mut largest: HashMap<ValueId, Vec<f32>> = HashMap::new();
    probe.run(&model, activations, readings, calibrator, |id, reading| {
        let largest = largest.entry(id).or_insert_with(|| vec![0.0; channels(id)]);
        for sample in reading.chunks(largest.len().max(1)) {
            for (largest, value) in largest.iter_mut().zip(sample) {
                *largest = largest.max(*value);
            }
        }
    })?;
    Ok(largest)
}

fn extremes(
    probe: &Probe<'_>,
    activations: &[ValueId],
    calibrator: &mut dyn Calibrator,
) -> Result<BTreeMap<ValueId, [f32; 2]>, ExportError> {
    let model = probe.extremes(activations);
    let mut extremes: BTreeMap<ValueId, [f32; 2]> = BTreeMap::new();
    probe.run(
        &model,
        activations,
        |_| 2,
        calibrator,
        |id, reading| {
            if let &[lower, upper] = reading {
                let seen = extremes.entry(id).or_insert([lower, upper]);
                *seen = [seen[0].min(lower), seen[1].max(upper)];
            }
        },
    )?;
    Ok(extremes)
}

/// The exported model, to which outputs are added.
struct Probe<'a> {
    model: ModelProto,
    names: Names,
    graph: &'a Graph,
}

impl<'a> Probe<'a> {
    fn of(graph: &'a Graph) -> Self {
        Self {
            model: emit(graph, "probe"),
            names: Names::new(graph),
            graph,
        }
    }

    /// Name of the output that tells of `id`.
    fn output(&self, id: ValueId) -> String {
        format!("{}.measured", self.names.of(id))
    }

    /// Adds the smallest and largest value of each activation, as f32 [2].
    fn extremes(&self, activations: &[ValueId]) -> ModelProto {
        let mut model = self.model.clone();
        let Some(graph) = &mut model.graph else {
            return model;
        };
        for &id in activations {
            let (name, output) = (self.names.of(id), self.output(id));
            let ends = ["ReduceMin", "ReduceMax"].map(|op| {
                let end = format!("{name}.{op}");
                let flat = format!("{end}.flat");
                graph
                    .node
                    .push(NodeProto::new(op, [&*name], [&*end]).attr_int("keepdims", 0));
                let shape = format!("{end}.shape");
                graph
                    .initializer
                    .push(TensorProto::from_i64(&*shape, &[1], &[1]));
                graph
                    .node
                    .push(NodeProto::new("Reshape", [end, shape], [&*flat]));
                flat
            });
            graph
                .node
                .push(NodeProto::new("Concat", ends, [&*output]).attr_int("axis", 0));
            graph.output.push(float(&output, 2));
        }
        model
    }

    /// Adds the largest absolute value of each channel, as f32 [batch x channels].
    fn magnitudes(&self, activations: &[ValueId]) -> ModelProto {
        let mut model = self.model.clone();
        let Some(graph) = &mut model.graph else {
            return model;
        };
        graph
            .initializer
            .push(TensorProto::from_i64("magnitudes.flat", &[1], &[-1]));
        for &id in activations {
            let (name, output) = (self.names.of(id), self.output(id));
            let [absolute, largest] = ["Abs", "GlobalMaxPool"].map(|op| format!("{name}.{op}"));
            graph.node.extend([
                NodeProto::new("Abs", [&*name], [&*absolute]),
                NodeProto::new("GlobalMaxPool", [&*absolute], [&*largest]),
                NodeProto::new("Reshape", [&*largest, "magnitudes.flat"], [&*output]),
            ]);
            let shape = &self.graph.value(id).shape;
            graph
                .output
                .push(float(&output, shape.iter().take(2).product()));
        }
        model
    }

    /// Adds the counts of each histogram's bins, as f32 [BINS].
    fn counting(&self, histograms: &BTreeMap<ValueId, Histogram>) -> ModelProto {
        let mut model = self.model.clone();
        let Some(graph) = &mut model.graph else {
            return model;
        };
        graph.initializer.extend([
            TensorProto::from_i64("bins.flat", &[1], &[-1]),
            TensorProto::from_i64("bins.axis", &[1], &[0]),
            TensorProto::from_f32("bins.first", &[], &[0.0]),
            TensorProto::from_f32("bins.last", &[], &[BINS as f32 - 1.0]),
            TensorProto::from_f32("bins.none", &[BINS as i64], &[0.0; BINS]),
        ]);
        for (&id, histogram) in histograms {
            let (name, output) = (self.names.of(id), self.output(id));
            let elements: usize = self.graph.value(id).shape.iter().product();
            let every = elements.div_ceil(COUNTED).max(1);
            let counted = elements.div_ceil(every);
            let per_unit = BINS as f32 / (histogram.upper - histogram.lower);
            // An activation that never changes is all in the first bin.
            let per_unit = if per_unit.is_finite() { per_unit } else { 0.0 };
            let part = |part: &str| format!("{name}.bins.{part}");
            let number = |value: f32, part: &str| TensorProto::from_f32(part, &[], &[value]);
            let index = |value: usize, part: &str| {
                TensorProto::from_i64(part, &[1], &[i64::try_from(value).unwrap_or(i64::MAX)])
            };
            graph.initializer.extend([
                number(histogram.lower, &part("lower")),
                number(per_unit, &part("per_unit")),
                index(0, &part("start")),
                index(elements, &part("end")),
                index(every, &part("every")),
                index(counted, &part("counted")),
                number(1.0, &part("one")),
            ]);
            let node = |op: &str, inputs: &[String], output: &str| {
                NodeProto::new(op, inputs.iter().map(String::as_str), [part(output)])
            };
            let bins = |name: &str| format!("bins.{name}");
            graph.node.extend([
                node("Reshape", &[name.clone(), bins("flat")], "flat"),
                node(
                    "Slice",
                    &[
                        part("flat"),
                        part("start"),
                        part("end"),
                        bins("axis"),
                        part("every"),
                    ],
                    "some",
                ),
                node("Sub", &[part("some"), part("lower")], "above"),
                node("Mul", &[part("above"), part("per_unit")], "scaled"),
                node(
                    "Clip",
                    &[part("scaled"), bins("first"), bins("last")],
                    "clipped",
                ),
                // To an integer towards zero, which is the floor here.
                node("Cast", &[part("clipped")], "bin").attr_int("to", DataType::Int64 as i64),
                node("Expand", &[part("one"), part("counted")], "ones"),
                NodeProto::new(
                    "ScatterElements",
                    [bins("none"), part("bin"), part("ones")],
                    [&*output],
                )
                .attr_int("axis", 0)
                .attr_string("reduction", "add"),
            ]);
            graph.output.push(float(&output, BINS));
        }
        model
    }

    /// Runs a probe on all inputs; every run must tell of every activation, in finite numbers.
    fn run(
        &self,
        model: &ModelProto,
        activations: &[ValueId],
        expected: impl Fn(ValueId) -> usize,
        calibrator: &mut dyn Calibrator,
        mut take: impl FnMut(ValueId, &[f32]),
    ) -> Result<(), ExportError> {
        let mut runs = 0;
        let mut bad = None;
        calibrator
            .run(model, &mut |readings| {
                runs += 1;
                let readings: HashMap<String, Vec<f32>> = readings.into_iter().collect();
                for &id in activations {
                    match readings.get(&self.output(id)) {
                        Some(reading)
                            if reading.len() == expected(id)
                                && reading.iter().all(|value| value.is_finite()) =>
                        {
                            take(id, reading);
                        }
                        _ => bad = bad.take().or(Some(id)),
                    }
                }
            })
            .map_err(|source| ExportError::Calibration { source })?;
        if let Some(id) = bad {
            return Err(ExportError::BadReading {
                value: self.names.of(id),
            });
        }
        if runs == 0 {
            return Err(ExportError::Calibration {
                source: "there was no calibration input".into(),
            });
        }
        Ok(())
    }
}

fn float(name: &str, size: usize) -> ValueInfoProto {
    ValueInfoProto::tensor(
        name,
        DataType::Float,
        [Dim::Fixed(i64::try_from(size).unwrap_or(i64::MAX))],
    )
}
