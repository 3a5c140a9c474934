//! Which input samples make which output samples, axis by axis.

/// A kernel sample and where its input lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    /// Index into the kernel.
    pub(super) kernel: usize,
    /// Input position relative to the output's.
    pub(super) offset: isize,
}

/// One axis of a convolution or of its adjoint.
///
/// Output sample `q * phases.len() + phase` is the sum over `phases[phase]` of the kernel's sample
/// times the input's at `q * step + offset`; outside, the input is zero. A convolution has one
/// phase and steps by its stride; its adjoint steps by one and has a phase for each residue of the
/// stride, because only every stride-th kernel sample meets a given output sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) step: usize,
    pub(super) phases: Vec<Vec<Tap>>,
}

impl Axis {
    /// A convolution: output `o` reads input `o * stride + kernel index - padding`.
    pub(super) fn convolution(input: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let taps = (0..kernel).map(|index| Tap {
            kernel: index,
            offset: index as isize - padding as isize,
        });
        Self {
            input,
            output: (input + 2 * padding - kernel) / stride + 1,
            step: stride,
            phases: vec![taps.collect()],
        }
    }

    /// The adjoint of a convolution from `output` to `input` samples: what carries a gradient
    /// back, and what a transposed convolution does.
    pub(super) fn adjoint(
        input: usize,
        output: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        let phase = |phase: usize| {
            let first = (phase + padding) % stride;
            (first..kernel)
                .step_by(stride)
                .map(|index| Tap {
                    kernel: index,
                    // A multiple of the stride, by the choice of `first`.
                    offset: (phase + padding) as isize / stride as isize
                        - (index / stride) as isize,
                })
                .collect()
        };
        Self {
            input,
            output,
            step: 1,
            phases: (0..stride).map(phase).collect(),
        }
    }

    /// Smallest and largest offset of any tap.
    pub(super) fn reach(&self) -> (isize, isize) {
        let offsets = || self.phases.iter().flatten().map(|tap| tap.offset);
        (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0))
    }

    /// First input sample, possibly before the input, and number of input samples that the output
    /// samples `first..last` read.
    pub(super) fn span(&self, first: usize, last: usize) -> (isize, usize) {
        let (low, high) = self.reach();
        let [first, last] = [first, last - 1].map(|o| (o / self.phases.len() * self.step) as isize);
        (first + low, (last + high - first - low + 1) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every (output, kernel, input) triple of the adjoint is one of the convolution.
    #[test]
    fn the_adjoint_has_the_same_triples() {
        for (size, kernel, stride, padding) in [
            (9, 3, 1, 1),
            (9, 3, 2, 1),
            (8, 3, 2, 1),
            (8, 2, 2, 0),
            (7, 1, 2, 0),
            (6, 1, 1, 0),
        ] {
            let forward = Axis::convolution(size, kernel, stride, padding);
            let back = Axis::adjoint(forward.output, size, kernel, stride, padding);
            let triples = |axis: &Axis| {
                let phases = axis.phases.len();
                let mut all = Vec::new();
                for output in 0..axis.output {
                    for tap in &axis.phases[output % phases] {
                        let input = (output / phases * axis.step) as isize + tap.offset;
                        if (0..axis.input as isize).contains(&input) {
                            all.push((output, tap.kernel, input as usize));
                        }
                    }
                }
                all
            };
            let mut expected = triples(&forward);
            let mut found: Vec<_> = triples(&back)
                .into_iter()
                .map(|(output, kernel, input)| (input, kernel, output))
                .collect();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{size} {kernel} {stride} {padding}");
        }
    }
}
