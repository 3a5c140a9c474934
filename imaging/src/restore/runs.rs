//! Labels that wait: most of a slice is background, and the rest a few organs.

use ndarray::{ArrayView2, ArrayViewMut2};

/// One slice of labels, in whichever form takes the least memory.
#[derive(Debug)]
pub(super) enum PackedSlice {
    /// Label and length of each run of equal labels, row after row.
    Runs(Vec<(u16, u16)>),
    /// Label by label, where runs are short.
    Bytes(Vec<u8>),
    /// The same for labels beyond a byte.
    Words(Vec<u16>),
}

impl PackedSlice {
    /// Packs labels (y, x).
    pub(super) fn of(labels: ArrayView2<'_, u16>) -> PackedSlice {
        // More of them would take more than the labels as bytes.
        let most = labels.len() / size_of::<(u16, u16)>();
        if let Some(runs) = runs(labels, most) {
            return PackedSlice::Runs(runs);
        }
        let bytes = labels.iter().map(|label| u8::try_from(*label));
        match bytes.collect() {
            Ok(bytes) => PackedSlice::Bytes(bytes),
            Err(_) => PackedSlice::Words(labels.iter().copied().collect()),
        }
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
            PackedSlice::Bytes(labels) => {
                for (out, label) in out.iter_mut().zip(labels) {
                    *out = u16::from(*label);
                }
            }
            PackedSlice::Words(labels) => {
                for (out, label) in out.iter_mut().zip(labels) {
                    *out = *label;
                }
            }
        }
    }

    /// Bytes that the labels take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            PackedSlice::Runs(runs) => size_of_val(runs.as_slice()),
            PackedSlice::Bytes(labels) => labels.len(),
            PackedSlice::Words(labels) => size_of_val(labels.as_slice()),
        }
    }
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
            let beyond = labels.iter().any(|label| *label > 255);
            prop_assert!(bytes <= labels.len() * (1 + usize::from(beyond)));
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
