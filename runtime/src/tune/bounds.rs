//! How far a result may be from the reference.

use serde::{Deserialize, Serialize};

use crate::{Accuracy, Precision};

/// How far a result may be from the reference on a random patch; on images, f32's logits.
///
/// A random patch is harder than an image: most of its voxels are near-ties between two labels, so
/// that small differences flip many more of them than they would in a patient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// Largest difference of two logits, divided by the largest logit.
    pub max_rel: f64,
    /// Largest share of voxels whose label differs.
    pub flipped: f64,
}

impl Bounds {
    /// The bounds for a precision: f32 differs by the order of sums only; the others keep eight to
    /// eleven bits of each product, so that labels, not logits, are what must agree.
    pub fn of(precision: Precision) -> Bounds {
        match precision {
            Precision::F32 | Precision::Auto => Bounds {
                max_rel: 1e-3,
                flipped: 1e-3,
            },
            Precision::Tf32 | Precision::Bf16 | Precision::F16 | Precision::Int8 => Bounds {
                max_rel: 0.1,
                flipped: 5e-3,
            },
        }
    }
}

/// The label that is least like the reference's, on real images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeastLabel {
    /// The task's name.
    pub task: String,
    /// The label's name.
    pub label: String,
    /// Voxels that have it by the reference.
    pub voxels: u64,
    /// Voxels that only one of the two gives it.
    pub differing: u64,
    /// Dice with the reference.
    pub dice: f64,
}

impl LeastLabel {
    /// A label of fewer voxels may differ in as many as one of this many: Dice tells little of it.
    pub const FEW: u64 = 500;

    /// Of all labels that either of the two finds; none if they find none.
    pub(super) fn of(rows: &[Accuracy]) -> Option<LeastLabel> {
        let labels = rows.iter().flat_map(|row| {
            let found = row
                .labels
                .iter()
                .filter(|row| row.voxels + row.differing > 0);
            found.map(|label| LeastLabel {
                task: row.task.clone(),
                label: label.name.clone(),
                voxels: label.voxels,
                differing: label.differing,
                dice: label.dice,
            })
        });
        labels.min_by(|a, b| a.counted().total_cmp(&b.counted()))
    }

    /// Dice, but that a few voxels of a small label count as of a larger one.
    fn counted(&self) -> f64 {
        let least = 1.0 - self.differing as f64 / (2 * Self::FEW) as f64;
        self.dice.max(least)
    }

    /// The least Dice for a precision. A label of fewer than [`LeastLabel::FEW`] voxels may differ
    /// in as many voxels as one of so many.
    ///
    /// It is that of windows by themselves. A case averages several at each voxel, so that less of
    /// it differs: the reference network's least Dice in bf16 was 0.991 in windows and 0.996 in
    /// whole cases.
    pub fn bound(precision: Precision) -> f64 {
        match precision {
            Precision::F32 | Precision::Auto => 0.999,
            Precision::Tf32 | Precision::Bf16 | Precision::F16 | Precision::Int8 => 0.99,
        }
    }

    /// Why a result in `precision` is too far from the reference, if it is.
    pub(super) fn too_far(&self, precision: Precision) -> Option<String> {
        let bound = Self::bound(precision);
        // Rounding: one voxel in a thousand is 0.999.
        if self.counted() + 1e-9 >= bound {
            return None;
        }
        Some(format!(
            "too far from the cpu's result: {} ({}) has a Dice of {:.4} (bound {bound}), its {} \
             voxels differ in {}",
            self.label, self.task, self.dice, self.voxels, self.differing
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(voxels: u64, differing: u64) -> LeastLabel {
        LeastLabel {
            task: "liver".to_owned(),
            label: "tumour".to_owned(),
            voxels,
            differing,
            dice: 1.0 - differing as f64 / (2 * voxels) as f64,
        }
    }

    #[test]
    fn a_label_of_few_voxels_may_differ_in_as_many_as_a_larger_one() {
        for (voxels, most) in [(400, 10), (500, 10), (50_000, 1_000)] {
            assert_eq!(label(voxels, most).too_far(Precision::Bf16), None);
            let said = label(voxels, most + 1).too_far(Precision::Bf16).unwrap();
            assert!(said.contains("tumour (liver) has a Dice of 0.9"), "{said}");
        }
        // One that the reference does not have at all is a label, too.
        let more = LeastLabel {
            dice: 0.0,
            ..label(0, 11)
        };
        assert!(more.too_far(Precision::Bf16).is_some());
        assert_eq!(label(400, 1).too_far(Precision::F32), None);
        assert!(label(400, 2).too_far(Precision::F32).is_some());
    }
}
