//! How engines keep the values of a graph, which decides how much memory a run takes.

use super::{
    F32,
    trace::{Kind, Number, Step, Trace, Value},
};
use crate::{ComputedOn, Device, Precision};

/// How an engine keeps the values of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Each as the graph has it, from the operation that makes it to the last that reads it; of
    /// what is quantised both the bytes and the floats. ONNX Runtime's own provider, and tract.
    Apart,
    /// As OpenVINO: floats in so many bytes, whatever the graph says; bytes are convolved as they
    /// are; activations and quantisation happen in the operation before them, sums in the place of
    /// a summand. Weights are put in order before the first run.
    Joined {
        /// Bytes of a float between operations.
        float: u64,
    },
}

/// A block of memory.
struct Block {
    bytes: u64,
    /// The first and the last node that need it.
    from: usize,
    to: usize,
    /// Whether a norm made what is in it.
    normed: bool,
}

impl Keeping {
    /// How it is kept where it is computed on this.
    pub fn on(on: ComputedOn) -> Keeping {
        match on.device {
            Device::OpenVino => Keeping::Joined {
                float: match on.precision {
                    Precision::Bf16 if computes_bf16() => 2,
                    _ => F32,
                },
            },
            // What a GPU has of its own is not counted apart: it was never measured.
            Device::Auto | Device::Cpu | Device::Cuda(_) | Device::TensorRt(_) => Keeping::Apart,
        }
    }

    /// Bytes that are taken together at the most, inputs and outputs included.
    pub(super) fn alive(self, trace: &Trace) -> u64 {
        let end = trace.steps.len();
        let mut blocks = Vec::new();
        // Of each value the block that it is in.
        let mut places: Vec<Option<usize>> = vec![None; trace.values.len()];
        // What is handed in and out is there as the graph has it.
        for value in &trace.values {
            if value.made.is_none() || value.output {
                let from = match self {
                    Keeping::Apart => value.made.unwrap_or(0),
                    Keeping::Joined { .. } => 0,
                };
                blocks.push(Block::of(value.bytes(), from, end));
            }
        }
        if let Keeping::Joined { .. } = self {
            for (value, place) in trace.values.iter().zip(&mut places) {
                if value.made.is_none() {
                    *place = Some(blocks.len());
                    blocks.push(Block::of(self.bytes(value), 0, value.last.unwrap_or(0)));
                }
            }
        }
        for (now, step) in trace.steps.iter().enumerate() {
            for output in &step.outputs {
                let value = &trace.values[*output];
                let until = value.last.unwrap_or(now);
                let place = match self {
                    Keeping::Apart if value.output => continue,
                    Keeping::Apart => None,
                    Keeping::Joined { .. } if value.weight => continue,
                    Keeping::Joined { .. } => {
                        self.shared(trace, &blocks, &places, now, step, value)
                    }
                };
                let place = place.unwrap_or_else(|| {
                    blocks.push(Block::of(self.bytes(value), now, until));
                    blocks.len() - 1
                });
                let block = &mut blocks[place];
                block.to = block.to.max(until);
                match step.kind {
                    // The floats before were never there.
                    Kind::Quantize if block.normed => block.bytes = self.bytes(value),
                    Kind::Norm => block.normed = true,
                    _ => {}
                }
                places[*output] = Some(place);
            }
        }
        most(&blocks, end)
    }

    /// The block of an input that `value`, made by `step`, takes over.
    fn shared(
        self,
        trace: &Trace,
        blocks: &[Block],
        places: &[Option<usize>],
        now: usize,
        step: &Step,
        value: &Value,
    ) -> Option<usize> {
        let free = |input: &usize| {
            let place = places[*input]?;
            let block = &blocks[place];
            (block.to <= now && block.bytes >= self.bytes(value)).then_some(place)
        };
        match step.kind {
            Kind::Pointwise => step.inputs.iter().find_map(free),
            Kind::Quantize => step
                .inputs
                .iter()
                .find_map(free)
                .filter(|place| blocks[*place].normed),
            Kind::Dequantize if value.convolved && !value.output => {
                let input = step.inputs.first()?;
                places[*input].filter(|_| !trace.values[*input].weight)
            }
            Kind::Dequantize | Kind::Norm | Kind::Other => None,
        }
    }

    /// What a value takes between two operations.
    fn bytes(self, value: &Value) -> u64 {
        match (self, value.number) {
            (Keeping::Joined { float }, Number::Float(_)) => value.elements.saturating_mul(float),
            _ => value.bytes(),
        }
    }
}

impl Block {
    fn of(bytes: u64, from: usize, to: usize) -> Block {
        Block {
            bytes,
            from,
            to,
            normed: false,
        }
    }
}

/// The most bytes that are there at one of the nodes up to `end`.
fn most(blocks: &[Block], end: usize) -> u64 {
    let mut come = vec![0_u64; end + 1];
    let mut gone = vec![0_u64; end + 2];
    for block in blocks {
        come[block.from] = come[block.from].saturating_add(block.bytes);
        let after = block.to.max(block.from) + 1;
        gone[after] = gone[after].saturating_add(block.bytes);
    }
    let (mut now, mut most) = (0_u64, 0);
    for (come, gone) in come.into_iter().zip(gone) {
        now = now.saturating_sub(gone).saturating_add(come);
        most = most.max(now);
    }
    most
}

/// Whether this processor has instructions for bf16; without them OpenVINO computes in f32.
fn computes_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
