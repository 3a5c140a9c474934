//! The eleven datasets: what each images, and the little that each labels.

use super::anatomy::{BRAIN_LESIONS, HEAD, Layer, Lesion, TRUNK, TRUNK_LESIONS};
use super::protocol::View;
use super::scan::Modality;
use super::tissue::Tissue::{self, *};

/// A dataset of the phantom.
pub struct PhantomTask {
    /// Number of the dataset's folder; the task's id plus one.
    pub number: usize,
    /// Name of the task.
    pub name: &'static str,
    /// What every case id starts with; the case's number follows.
    pub case_stem: &'static str,
    pub(super) channels: &'static [(&'static str, Modality)],
    pub(super) labels: &'static [(&'static str, &'static [Tissue])],
    pub(super) view: View,
    /// Lesions that no case lacks, because a case without would have no label at all.
    pub(super) certain: &'static [Tissue],
}

impl PhantomTask {
    /// Name of the dataset's folder.
    pub fn dataset(&self) -> String {
        format!("Dataset{:03}_{}", self.number, self.name)
    }

    /// Name of a case.
    pub fn case_id(&self, case: usize) -> String {
        format!("{}{case:03}", self.case_stem)
    }

    /// Modality of each image channel.
    pub fn channel_names(&self) -> impl Iterator<Item = &'static str> {
        self.channels.iter().map(|(name, _)| *name)
    }

    /// Names of the labels from value 1 on.
    pub fn label_names(&self) -> impl Iterator<Item = &'static str> {
        self.labels.iter().map(|(name, _)| *name)
    }

    /// The label of a tissue; 0 is everything that this dataset does not label.
    pub fn label_of(&self, tissue: Tissue) -> u16 {
        let found = self
            .labels
            .iter()
            .position(|(_, tissues)| tissues.contains(&tissue));
        found.map_or(0, |index| index as u16 + 1)
    }

    /// The task of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TASKS.iter().find(|task| task.name == name)
    }

    /// Whether it images the head instead of the trunk.
    pub(super) fn is_head(&self) -> bool {
        self.channels
            .iter()
            .any(|(_, modality)| matches!(modality, Modality::Brain(_)))
    }

    /// Whether all it images is CT: such tasks share their patients.
    pub(super) fn is_ct(&self) -> bool {
        self.channels
            .iter()
            .all(|(_, modality)| *modality == Modality::Ct)
    }

    pub(super) fn body(&self) -> (&'static [Layer], &'static [Lesion]) {
        if self.is_head() {
            (HEAD, BRAIN_LESIONS)
        } else {
            (TRUNK, TRUNK_LESIONS)
        }
    }
}

const CT: &[(&str, Modality)] = &[("CT", Modality::Ct)];

const KIDNEY: &[Tissue] = &[Kidney, KidneyMedulla, KidneyCyst];
const TUMOURS: &[Tissue] = &[
    LiverTumour,
    KidneyTumour,
    PancreasTumour,
    ColonTumour,
    LungTumour,
    NodeTumour,
];

/// As most archives store trunk CT; a few are coronal.
const AXIAL: &[&str] = &[
    "LPS", "LAS", "RAS", "LPS", "RPS", "LAI", "LPS", "LAS", "LSP",
];
/// Spine scans are as often sagittal.
const SPINAL: &[&str] = &["LPS", "PIR", "RAS", "ASL"];

const fn trunk(height: f64, field: f64, orientations: &'static [&'static str]) -> View {
    View {
        centre: [0.0, -10.0, height],
        field: [390.0, field],
        slices: 1.0,
        orientations,
        oblique: (0.12, 7.0),
    }
}

/// What all CT tasks see when they share scans.
pub(super) const SHARED_VIEW: View = trunk(20.0, 350.0, AXIAL);

const fn ct(
    number: usize,
    name: &'static str,
    case_stem: &'static str,
    labels: &'static [(&'static str, &'static [Tissue])],
    view: View,
) -> PhantomTask {
    PhantomTask {
        number,
        name,
        case_stem,
        channels: CT,
        labels,
        view,
        certain: &[],
    }
}

/// All of them, in the order of the task ids of UniSeg.
///
/// Source of names, order, label values and the first letters of case ids: UniSeg's released code.
pub const TASKS: &[PhantomTask] = &[
    ct(
        1,
        "liver",
        "liver_",
        &[
            ("liver", &[Liver, HepaticVessel]),
            ("tumour", &[LiverTumour]),
        ],
        trunk(25.0, 260.0, AXIAL),
    ),
    ct(
        2,
        "kidney",
        "kidney_",
        &[("kidney", KIDNEY), ("tumour", &[KidneyTumour])],
        trunk(-30.0, 260.0, AXIAL),
    ),
    ct(
        3,
        "hepatic_vessel",
        "hepaticvessel_",
        &[("vessel", &[HepaticVessel]), ("tumour", &[LiverTumour])],
        trunk(25.0, 240.0, AXIAL),
    ),
    ct(
        4,
        "pancreas",
        "pancreas_",
        &[("pancreas", &[Pancreas]), ("tumour", &[PancreasTumour])],
        trunk(0.0, 260.0, AXIAL),
    ),
    PhantomTask {
        certain: &[ColonTumour],
        ..ct(
            5,
            "colon",
            "colon_",
            &[("tumour", &[ColonTumour])],
            trunk(-50.0, 300.0, AXIAL),
        )
    },
    PhantomTask {
        certain: &[LungTumour],
        ..ct(
            6,
            "lung",
            "lung_",
            &[("tumour", &[LungTumour])],
            trunk(130.0, 270.0, AXIAL),
        )
    },
    ct(
        7,
        "spleen",
        "spleen_",
        &[("spleen", &[Spleen])],
        trunk(25.0, 250.0, AXIAL),
    ),
    ct(
        8,
        "vertebrae",
        "sub-verse",
        &[("vertebrae", &[Vertebra])],
        trunk(20.0, 330.0, SPINAL),
    ),
    PhantomTask {
        number: 9,
        name: "prostate",
        case_stem: "prostate_",
        channels: &[("MR", Modality::T2)],
        labels: &[("prostate", &[ProstatePeripheral, ProstateCentral])],
        view: View {
            centre: [0.0, 0.0, -232.0],
            field: [170.0, 96.0],
            // Thick slices: five times as far apart as pixels are.
            slices: 0.4,
            orientations: &["LPS", "LAS", "LPS", "LPI"],
            oblique: (0.5, 12.0),
        },
        certain: &[],
    },
    PhantomTask {
        number: 10,
        name: "brain",
        case_stem: "BraTS2021_",
        channels: &[
            ("T1", Modality::Brain(0)),
            ("T1ce", Modality::Brain(1)),
            ("T2", Modality::Brain(2)),
            ("FLAIR", Modality::Brain(3)),
        ],
        labels: &[
            ("edema", &[Edema]),
            ("non_enhancing", &[NonEnhancing]),
            ("enhancing", &[Enhancing]),
        ],
        view: View {
            centre: [0.0, -4.0, -8.0],
            field: [200.0, 165.0],
            slices: 1.0,
            orientations: &["LPS", "RAS", "LAS"],
            oblique: (0.1, 8.0),
        },
        certain: &[],
    },
    PhantomTask {
        number: 11,
        name: "whole_body",
        case_stem: "PETCT_",
        channels: &[("CT", Modality::Ct), ("PET", Modality::Pet)],
        labels: &[("tumour", TUMOURS)],
        view: trunk(15.0, 600.0, &["LPS", "RAS", "LAS"]),
        certain: &[LungTumour],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_keeps_the_recipes_order_prefixes_and_classes() {
        let prefixes = [
            "live", "kidn", "hepa", "panc", "colo", "lung", "sple", "sub-", "pros", "BraT", "PETC",
        ];
        let classes = [3, 3, 3, 3, 2, 2, 2, 2, 2, 4, 2];
        assert_eq!(TASKS.len(), prefixes.len());
        for (index, task) in TASKS.iter().enumerate() {
            assert_eq!(task.number, index + 1);
            assert_eq!(&task.case_id(7)[..4], prefixes[index]);
            assert_eq!(task.labels.len() + 1, classes[index], "{}", task.name);
            assert!(!task.view.orientations.is_empty());
        }
        assert_eq!(TASKS[7].case_id(12), "sub-verse012");
        assert_eq!(TASKS[0].dataset(), "Dataset001_liver");
    }
}
