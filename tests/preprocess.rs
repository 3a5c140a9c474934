//! Preprocessing and its inverse against the official pipeline's output.

use std::error::Error;

use serde_json::Value;
use uniseg_imaging::ndarray::{Array4, Axis, Ix4};
use uniseg_imaging::{
    BoundingBox, Extent, Normalization, Preprocessed, Recipe, SpacingMm, Volume, ZScoreScope,
    read_nifti,
};

use crate::support::{Golden, golden, golden::Tensors};

type Outcome = Result<(), Box<dyn Error>>;

/// Rounding of intermediate images to 32 bits, against 64 in the reference.
const SAME_MATH: f32 = 1e-3;

/// Share of voxels that may differ because the reference probabilities are stored in 16 bits.
const LABELS_EQUAL: f64 = 0.999;

struct Reference {
    golden: Golden,
    cases: Value,
    tensors: Tensors,
}

struct Case {
    name: String,
    row: Value,
    volume: Volume<f32>,
    result: Preprocessed,
}

impl Reference {
    /// `None`, said aloud, where the golden files are absent.
    fn open(test: &str) -> Option<Self> {
        let golden = golden(test)?;
        Some(Self {
            cases: golden.json("preprocess/preprocess.json"),
            tensors: golden.tensors("preprocess/preprocess.safetensors"),
            golden,
        })
    }

    fn tensor(&self, name: &str) -> Result<Array4<f32>, Box<dyn Error>> {
        Ok(self.tensors.get(name).into_dimensionality::<Ix4>()?)
    }

    fn cases(&self) -> Result<Vec<Case>, Box<dyn Error>> {
        let rows = self
            .cases
            .as_object()
            .ok_or("the case list is not an object")?;
        rows.iter()
            .map(|(name, row)| self.case(name, row))
            .collect()
    }

    fn case(&self, name: &str, row: &Value) -> Result<Case, Box<dyn Error>> {
        let file = row["file"].as_str().ok_or("file")?;
        let image = read_nifti(&self.golden.path(file))?;
        let normalization = match row["modality"].as_str() {
            Some("CT") => Normalization::ClipRescale {
                lower: -325.0,
                upper: 325.0,
            },
            Some("MR") => Normalization::ZScore {
                scope: ZScoreScope::WholeImage,
            },
            other => return Err(format!("{name}: modality {other:?}").into()),
        };
        let spacing: [f64; 3] = serde_json::from_value(row["target_spacing_zyx"].clone())?;
        let spacing = SpacingMm::from_zyx(spacing)?;
        let recipe = Recipe {
            spacing,
            normalizations: vec![normalization],
        };
        let result = recipe.apply(&[&image.volume])?;
        Ok(Case {
            name: name.to_owned(),
            row: row.clone(),
            volume: image.volume,
            result,
        })
    }
}

#[test]
fn five_cases_equal_the_official_preprocessing() -> Outcome {
    let Some(reference) = Reference::open("five_cases_equal_the_official_preprocessing") else {
        return Ok(());
    };
    let cases = reference.cases()?;
    assert_eq!(cases.len(), 5);
    for Case {
        name,
        row,
        volume,
        result,
    } in cases
    {
        let bounds: [[usize; 2]; 3] = serde_json::from_value(row["crop_bbox_zyx"].clone())?;
        let expected = BoundingBox {
            start: bounds.map(|b| b[0]),
            end: bounds.map(|b| b[1]),
        };
        assert_eq!(result.restore.crop(), expected, "{name}");
        let cropped: [usize; 3] = serde_json::from_value(row["size_after_cropping_zyx"].clone())?;
        assert_eq!(
            result.restore.crop().extent(),
            Extent::from_zyx(cropped),
            "{name}"
        );
        let spacing: [f64; 3] = serde_json::from_value(row["original_spacing_zyx"].clone())?;
        assert_eq!(volume.geometry().spacing.zyx(), spacing, "{name}");
        let shape: Vec<usize> = serde_json::from_value(row["shape_after_resampling"].clone())?;
        assert_eq!(result.channels.shape(), shape, "{name}");

        let expected = reference.tensor(&name)?;
        assert_eq!(result.channels.dim(), expected.dim(), "{name}");
        let difference = result
            .channels
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b).abs());
        let worst = difference.fold(0.0, f32::max);
        println!("{name}: max abs difference {worst:.2e}");
        assert!(worst <= SAME_MATH, "{name}: {worst}");
    }
    Ok(())
}

#[test]
fn probabilities_become_the_official_label_maps() -> Outcome {
    let Some(reference) = Reference::open("probabilities_become_the_official_label_maps") else {
        return Ok(());
    };
    let mut compared = 0;
    for Case { name, result, .. } in reference.cases()? {
        let probabilities = format!("{name}.probabilities");
        if !reference.tensors.has(&probabilities) {
            continue;
        }
        let labels = result
            .restore
            .labels(reference.tensor(&probabilities)?.view())?;
        let file = reference
            .golden
            .path(&format!("preprocess/{name}.labels.nii.gz"));
        let expected = read_nifti(&file)?.volume;
        assert_eq!(labels.dim(), expected.voxels().dim(), "{name}");
        let pairs = labels.iter().zip(expected.voxels());
        let equal = pairs
            .filter(|(label, official)| f32::from(**label) == **official)
            .count();
        let share = equal as f64 / labels.len() as f64;
        println!(
            "{name}: {} of {} voxels differ",
            labels.len() - equal,
            labels.len()
        );
        assert!(share >= LABELS_EQUAL, "{name}: {share}");
        assert!(
            labels.iter().any(|label| *label > 0),
            "{name}: only background"
        );
        compared += 1;
    }
    assert_eq!(compared, 4);
    Ok(())
}

#[test]
fn channels_are_cropped_together_and_normalised_apart() -> Outcome {
    let Some(reference) = Reference::open("channels_are_cropped_together_and_normalised_apart")
    else {
        return Ok(());
    };
    let image = read_nifti(&reference.golden.path("data/zero_border.nii.gz"))?.volume;
    let window = Normalization::ClipRescale {
        lower: -100.0,
        upper: 300.0,
    };
    let score = Normalization::ZScore {
        scope: ZScoreScope::NonZero,
    };
    let spacing = SpacingMm::from_zyx([2.0, 1.5, 1.5])?;
    let both = Recipe {
        spacing,
        normalizations: vec![window, score],
    };
    let both = both.apply(&[&image, &image])?;
    for (index, normalization) in [window, score].into_iter().enumerate() {
        let alone = Recipe {
            spacing,
            normalizations: vec![normalization],
        }
        .apply(&[&image])?;
        assert_eq!(alone.restore, both.restore);
        let channel = both.channels.index_axis(Axis(0), index);
        assert_eq!(channel, alone.channels.index_axis(Axis(0), 0));
    }
    Ok(())
}
