//! What a body is made of, and how bright each tissue is in each modality: one row a tissue.

/// How bright a tissue is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signal {
    /// Hounsfield units without contrast agent.
    pub hu: f64,
    /// Hounsfield units added by contrast agent: arterial, venous.
    pub contrast: [f64; 2],
    /// Unevenness, in Hounsfield units; other modalities take a share of it.
    pub texture: f64,
    /// T2-weighted MR of the trunk, fluid = 1.
    pub t2: f64,
    /// Standardised uptake value in PET.
    pub suv: f64,
    /// Brain MR: T1, T1 with contrast agent, T2, FLAIR.
    pub brain: [f64; 4],
}

macro_rules! tissues {
    ($($tissue:ident $name:literal: $hu:literal $contrast:tt $texture:literal $t2:literal $suv:literal $brain:tt,)*) => {
        /// A tissue: the finest thing that a phantom tells apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Tissue {
            $(#[doc = $name] $tissue,)*
        }

        impl Tissue {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Tissue] = &[$(Tissue::$tissue),*];

            /// In words.
            pub fn name(self) -> &'static str {
                match self { $(Self::$tissue => $name),* }
            }

            pub(super) fn signal(self) -> Signal {
                match self {
                    $(Self::$tissue => Signal {
                        hu: $hu, contrast: $contrast, texture: $texture, t2: $t2, suv: $suv,
                        brain: $brain,
                    },)*
                }
            }
        }
    };
}

const NONE: [f64; 2] = [0.0; 2];
/// Not in the head's table: the skull is stripped.
const NOT: [f64; 4] = [0.0; 4];

// One tissue a line:  HU, [arterial, venous] enhancement, texture; T2; SUV; brain [T1, T1ce, T2, FLAIR]
#[rustfmt::skip]
tissues! {
    Air "air":                               -1000.0 NONE            0.0  0.00  0.0  NOT,
    Couch "couch":                            -650.0 NONE           20.0  0.00  0.0  NOT,
    Fat "fat under the skin":                 -102.0 NONE            7.0  0.85  0.25 NOT,
    VisceralFat "fat between the organs":     -105.0 NONE            9.0  0.90  0.35 NOT,
    Muscle "muscle":                            48.0 [5.0, 12.0]     8.0  0.22  0.6  NOT,
    Lung "lung":                              -830.0 [5.0, 10.0]    28.0  0.05  0.45 NOT,
    LungVessel "vessel in the lung":            40.0 [110.0, 90.0]   8.0  0.08  1.3  NOT,
    Airway "airway":                          -985.0 NONE            4.0  0.00  0.4  NOT,
    Heart "heart":                              44.0 [130.0, 95.0]  10.0  0.20  3.0  NOT,
    GreatVessel "great vessel":                 42.0 [220.0, 115.0]  5.0  0.08  1.6  NOT,
    Bone "bone":                               470.0 NONE           90.0  0.35  0.9  NOT,
    Vertebra "vertebra":                       250.0 [0.0, 10.0]    55.0  0.40  1.2  NOT,
    Disc "disc":                                85.0 NONE            8.0  0.55  0.6  NOT,
    Cord "spinal canal":                        30.0 NONE            5.0  0.80  1.1  NOT,
    Liver "liver":                              57.0 [12.0, 55.0]    8.0  0.30  2.3  NOT,
    HepaticVessel "vessel in the liver":        40.0 [50.0, 128.0]   5.0  0.10  1.8  NOT,
    Gallbladder "gallbladder":                   8.0 NONE            3.0  0.95  0.4  NOT,
    Spleen "spleen":                            49.0 [70.0, 66.0]    7.0  0.45  1.9  NOT,
    Stomach "stomach wall":                     42.0 [20.0, 40.0]    8.0  0.35  1.6  NOT,
    StomachContent "content of the stomach":    14.0 NONE           22.0  0.80  0.5  NOT,
    Kidney "cortex of the kidney":              34.0 [140.0, 135.0]  8.0  0.55  3.2  NOT,
    KidneyMedulla "medulla of the kidney":      32.0 [55.0, 115.0]   9.0  0.70  4.0  NOT,
    KidneySinus "sinus of the kidney":         -60.0 NONE           20.0  0.80  3.0  NOT,
    KidneyCyst "cyst of the kidney":             5.0 NONE            3.0  1.00  0.4  NOT,
    Pancreas "pancreas":                        42.0 [55.0, 52.0]   12.0  0.40  1.7  NOT,
    Bowel "small bowel":                        25.0 [15.0, 40.0]   22.0  0.50  1.3  NOT,
    Colon "wall of the colon":                  40.0 [18.0, 42.0]    8.0  0.35  1.4  NOT,
    ColonContent "content of the colon":         5.0 NONE           40.0  0.45  0.8  NOT,
    ColonGas "gas in the colon":              -930.0 NONE           15.0  0.02  0.3  NOT,
    Bladder "bladder":                           6.0 NONE            3.0  1.00  12.0 NOT,
    ProstatePeripheral "peripheral zone of the prostate": 38.0 [10.0, 25.0] 7.0 0.64 1.3 NOT,
    ProstateCentral "central gland of the prostate": 42.0 [15.0, 32.0] 11.0 0.42 1.5  NOT,
    LiverTumour "tumour of the liver":          44.0 [18.0, 20.0]   11.0  0.50  8.0  NOT,
    KidneyTumour "tumour of the kidney":        36.0 [65.0, 50.0]   16.0  0.55  7.0  NOT,
    PancreasTumour "tumour of the pancreas":    38.0 [10.0, 20.0]    9.0  0.55  7.0  NOT,
    ColonTumour "tumour of the colon":          45.0 [30.0, 55.0]    9.0  0.45  10.0 NOT,
    LungTumour "tumour of the lung":            36.0 [15.0, 35.0]   12.0  0.50  9.0  NOT,
    NodeTumour "tumour of a lymph node":        40.0 [15.0, 35.0]    8.0  0.55  9.0  NOT,
    Csf "cerebrospinal fluid":                   8.0 NONE            3.0  1.00  0.5  [0.20, 0.22, 1.00, 0.12],
    GreyMatter "grey matter":                   38.0 NONE            5.0  0.60  8.0  [0.55, 0.57, 0.60, 0.64],
    WhiteMatter "white matter":                 29.0 NONE            4.0  0.45  4.0  [0.80, 0.82, 0.42, 0.48],
    DeepGrey "deep grey matter":                39.0 NONE            4.0  0.50  8.0  [0.63, 0.66, 0.50, 0.57],
    Edema "edema":                              22.0 NONE            6.0  0.85  3.0  [0.52, 0.54, 0.86, 0.96],
    NonEnhancing "non-enhancing tumour":        20.0 NONE           10.0  0.75  3.0  [0.34, 0.37, 0.74, 0.58],
    Enhancing "enhancing tumour":               45.0 NONE           10.0  0.65  10.0 [0.58, 1.20, 0.66, 0.76],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_order_agree() {
        for (number, tissue) in Tissue::ALL.iter().enumerate() {
            assert_eq!(*tissue as usize, number, "{}", tissue.name());
        }
    }
}
