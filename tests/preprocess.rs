//! Preprocessing and its inverse against the official pipeline's output.

use std::error::Error;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use uniseg_imaging::ndarray::{Array4, Axis};
use uniseg_imaging::{
    BoundingBox, Extent, Normalization, Preprocessed, Recipe, SpacingMm, Volume, ZScoreScope,
    read_nifti,
};

type Outcome = Result<(), Box<dyn Error>>;

/// Rounding of intermediate images to 32 bits, against 64 in the reference.
const SAME_MATH: f32 = 1e-3;

/// Share of voxels that may differ because the reference probabilities are stored in 16 bits.
const LABELS_EQUAL: f64 = 0.999;

fn golden_folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("UNISEG_GOLDEN") {
        Some(folder) => PathBuf::from(folder),
        // This file is compiled for the root package.
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden"),
    };
    folder.is_dir().then_some(folder)
}

struct Golden {
    folder: PathBuf,
    cases: Value,
    tensors: Vec<u8>,
}

struct Case {
    name: String,
    row: Value,
    volume: Volume<f32>,
    result: Preprocessed,
}

impl Golden {
    /// `None`, said aloud, where the golden files are absent.
    fn open(test: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(folder) = golden_folder() else {
            eprintln!("SKIPPED (golden files absent): {test}");
            return Ok(None);
        };
        let cases = std::fs::read(folder.join("preprocess/preprocess.json"))?;
        let tensors = std::fs::read(folder.join("preprocess/preprocess.safetensors"))?;
        Ok(Some(Self {
            folder,
            cases: serde_json::from_slice(&cases)?,
            tensors,
        }))
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
        let image = read_nifti(&self.folder.join(file))?;
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
    let Some(golden) = Golden::open("five_cases_equal_the_official_preprocessing")? else {
        return Ok(());
    };
    let tensors = SafeTensors::deserialize(&golden.tensors)?;
    let cases = golden.cases()?;
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

        let expected = array(&tensors.tensor(&name)?)?;
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
    let Some(golden) = Golden::open("probabilities_become_the_official_label_maps")? else {
        return Ok(());
    };
    let tensors = SafeTensors::deserialize(&golden.tensors)?;
    let mut compared = 0;
    for Case { name, result, .. } in golden.cases()? {
        let Ok(probabilities) = tensors.tensor(&format!("{name}.probabilities")) else {
            continue;
        };
        let labels = result.restore.labels(array(&probabilities)?.view())?;
        let file = golden
            .folder
            .join(format!("preprocess/{name}.labels.nii.gz"));
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
    let Some(golden) = Golden::open("channels_are_cropped_together_and_normalised_apart")? else {
        return Ok(());
    };
    let image = read_nifti(&golden.folder.join("data/zero_border.nii.gz"))?.volume;
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

/// A stored f32 or f16 array of four axes.
fn array(tensor: &TensorView<'_>) -> Result<Array4<f32>, Box<dyn Error>> {
    let values: Vec<f32> = match tensor.dtype() {
        Dtype::F32 => {
            let (values, _) = tensor.data().as_chunks::<4>();
            values
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect()
        }
        Dtype::F16 => {
            let (values, _) = tensor.data().as_chunks::<2>();
            values
                .iter()
                .map(|bytes| half_to_f32(u16::from_le_bytes(*bytes)))
                .collect()
        }
        other => return Err(format!("golden array of {other:?}").into()),
    };
    let [a, b, c, d] = tensor.shape() else {
        return Err("golden array is not 4-D".into());
    };
    Ok(Array4::from_shape_vec((*a, *b, *c, *d), values)?)
}

/// IEEE 754 binary16, finite values.
fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f32::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        _ => sign * (1024.0 + fraction) * 2_f32.powi(exponent - 25),
    }
}
