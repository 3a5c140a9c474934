//! Labels that wait: most of a slice is background, and the rest a few organs.

use ndarray::{ArrayView2, ArrayViewMut2};

/// One slice of labels, in whichever form takes the least memory.
#[derive(Debug)]
pub(super) enum PackedSlice {
    /// Label and length of each run of equal labels, row after row.
    Runs(Vec<(u16, u16)>),
    /// Label by label in so many bits, where runs are short.
    Bits(u8, Vec<u8>),
}

/// Bits that a label may take: parts of a byte, or two.
const BITS: [u8; 4] = [1, 2, 4, 8];
const MOST_BITS: u8 = 16;

impl PackedSlice {
    /// Packs labels (y, x).
    pub(super) fn of(labels: ArrayView2<'_, u16>) -> PackedSlice {
        let highest = labels.iter().copied().max().unwrap_or(0);
        let holds = |bits: &u8| u32::from(highest) < 1 << bits;
        let bits = BITS.into_iter().find(holds).unwrap_or(MOST_BITS);
        // More runs would take more than the labels in bits.
        let bytes = (labels.len() * usize::from(bits)).div_ceil(8);
        if let Some(runs) = runs(labels, bytes / size_of::<(u16, u16)>()) {
            return PackedSlice::Runs(runs);
        }
        let mut packed = Vec::with_capacity(bytes);
        if bits == MOST_BITS {
            packed.extend(labels.iter().flat_map(|label| label.to_le_bytes()));
            return PackedSlice::Bits(bits, packed);
        }
        let mut labels = labels.iter();
        while let Some(first) = labels.next() {
            // It holds every label, as was just seen.
            let mut byte = *first as u8;
            for (shift, label) in shifts(bits).skip(1).zip(labels.by_ref()) {
                byte |= (*label as u8) << shift;
            }
            packed.push(byte);
        }
        PackedSlice::Bits(bits, packed)
    }

    /// Writes the labels back; `out` has the shape of what was packed.
    pub(super) fn unpack(&self, mut out: ArrayViewMut2<'_, u16>) {
        match self {
            PackedSlice::Runs(runs) => {
                let mut out = out.iter_mut();
                for (label, length) in runs {
                    out.by_ref()
                        .take(usize::from(*length))
                        .for_each(|out| *out = *label);
                }
            }
            PackedSlice::Bits(MOST_BITS, packed) => {
                for (out, label) in out.iter_mut().zip(packed.as_chunks().0) {
                    *out = u16::from_le_bytes(*label);
                }
            }
            PackedSlice::Bits(bits, packed) => {
                let mask = u8::MAX >> (8 - bits);
                let labels = packed
                    .iter()
                    .flat_map(|byte| shifts(*bits).map(move |shift| byte >> shift & mask));
                for (out, label) in out.iter_mut().zip(labels) {
                    *out = u16::from(label);
                }
            }
        }
    }

    /// Bytes that the labels take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            PackedSlice::Runs(runs) => size_of_val(runs.as_slice()),
            PackedSlice::Bits(_, packed) => packed.len(),
        }
    }
}

/// Where the labels of a byte begin in it.
fn shifts(bits: u8) -> impl Iterator<Item = u8> {
    (0..8).step_by(usize::from(bits))
}

/// The runs of equal labels, unless they are more than `most`.
fn runs(labels: ArrayView2<'_, u16>, most: usize) -> Option<Vec<(u16, u16)>> {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &label in &labels {
        match runs.last_mut() {
            Some((last, length)) if *last == label && *length < u16::MAX => *length += 1,
            _ => {
                if runs.len() == most {
                    return None;
                }
                runs.push((label, 1));
            }
        }
    }
    // They wait for the rest of the volume: without the room that was left for more.
    runs.shrink_to_fit();
    Some(runs)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    fn unpacked(labels: &Array2<u16>) -> (Array2<u16>, usize) {
        let packed = PackedSlice::of(labels.view());
        let mut out = Array2::from_elem(labels.dim(), 7);
        packed.unpack(out.view_mut());
        (out, packed.bytes())
    }

    proptest! {
        #[test]
        fn labels_come_back_and_take_no_more_than_as_numbers(
            (y, x) in (0_usize..20, 0_usize..20),
            highest in 1_u16..600,
            length in 1_usize..50,
            seed in 0_usize..1000,
        ) {
            let label = |(row, column)| {
                let run = (row * x + column) / length + seed;
                (run * 2_654_435 % usize::from(highest)) as u16
            };
            let labels = Array2::from_shape_fn((y, x), label);
            let (out, bytes) = unpacked(&labels);
            let highest = labels.iter().copied().max().unwrap_or(0);
            let bits = [1, 2, 4, 8, 16].into_iter().find(|bits| u32::from(highest) < 1 << bits);
            prop_assert!(bytes <= (labels.len() * bits.unwrap()).div_ceil(8));
            prop_assert_eq!(out, labels);
        }
    }

    #[test]
    fn an_organ_on_background_takes_a_few_runs() {
        // Longer than the longest run.
        let mut labels = Array2::zeros((300, 400));
        labels.slice_mut(ndarray::s![100..110, 50..90]).fill(3);
        let (out, bytes) = unpacked(&labels);
        assert_eq!(out, labels);
        assert_eq!(bytes, 4 * (1 + 2 * 10 + 1));
    }
}
