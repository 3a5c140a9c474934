//! Pictures of a segmentation: three orthogonal slices, labels in colour over the image.

use std::io::Cursor;
use std::path::Path;

use anyhow::Context;
use image::{ImageFormat, Rgb, RgbImage};
use uniseg_imaging::Volume;
use uniseg_imaging::ndarray::{ArrayView2, ArrayView3, Axis};
use uniseg_onnx::{Normalization, Task};
use uniseg_runtime::Segmentation;

use crate::atomic;

/// Longest side of a slice, in pixels.
const SLICE_PIXELS: f64 = 480.0;
/// The same for slices of which there are two of each.
#[cfg(feature = "train")]
const PAIR_PIXELS: f64 = 320.0;
const GAP: u32 = 8;
/// How much of a label's colour covers the image inside its outline.
const FILL: f32 = 0.35;

const PALETTE: [(&str, [u8; 3]); 8] = [
    ("red", [230, 60, 60]),
    ("green", [70, 200, 90]),
    ("blue", [80, 130, 250]),
    ("yellow", [240, 210, 60]),
    ("magenta", [220, 90, 220]),
    ("cyan", [70, 210, 220]),
    ("orange", [245, 150, 50]),
    ("white", WHITE),
];
const WHITE: [u8; 3] = [240, 240, 240];

/// Name and value of a label's colour.
pub(crate) fn colour(label: u16) -> (&'static str, [u8; 3]) {
    PALETTE[(usize::from(label).max(1) - 1) % PALETTE.len()]
}

/// Writes the picture; the file is complete or absent.
///
/// Each slice goes through the middle of what is labelled. Pixels are square in
/// millimetres, and slices are turned as radiologists look at them: head and front up, the
/// patient's right on the left.
pub(crate) fn write(
    path: &Path,
    image: &Volume<f32>,
    segmentation: &Segmentation,
) -> anyhow::Result<()> {
    let labels = segmentation.labels.view();
    let sheet = Sheet {
        image,
        slices: [0, 1, 2].map(|axis| central(labels, axis)),
        range: window(image, &segmentation.task),
        pixels: SLICE_PIXELS,
    };
    atomic::write(path, &png(&sheet.draw(labels, None))?)
}

/// Truth and prediction as a PNG: above the truth, below the prediction with the truth's outline
/// in white.
///
/// Image and labels are on one grid (z, y, x). Slices go through the middle of the truth, or of
/// the prediction where the truth is empty. The image's window is that of the task's first
/// channel.
#[cfg(feature = "train")]
pub(crate) fn pair(
    image: &Volume<f32>,
    task: &Task,
    truth: ArrayView3<'_, u16>,
    prediction: ArrayView3<'_, u16>,
) -> anyhow::Result<Vec<u8>> {
    let extent = image.voxels().dim();
    anyhow::ensure!(
        truth.dim() == extent && prediction.dim() == extent,
        "cannot draw labels of {:?} and {:?} voxels over an image of {extent:?}",
        truth.dim(),
        prediction.dim()
    );
    let middle = if truth.iter().any(|label| *label != 0) {
        truth
    } else {
        prediction
    };
    let sheet = Sheet {
        image,
        slices: [0, 1, 2].map(|axis| central(middle, axis)),
        range: window(image, task),
        pixels: PAIR_PIXELS,
    };
    let (above, below) = (sheet.draw(truth, None), sheet.draw(prediction, Some(truth)));
    let mut both = RgbImage::new(above.width(), above.height() + below.height() - GAP);
    image::imageops::replace(&mut both, &above, 0, 0);
    let under = i64::from(above.height() - GAP);
    image::imageops::replace(&mut both, &below, 0, under);
    png(&both)
}

fn png(picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .context("cannot encode a picture")?;
    Ok(bytes.into_inner())
}

/// The values shown as black and as white. Where the model clips the image, that is the range
/// that matters; a CT is mostly air.
fn window(image: &Volume<f32>, task: &Task) -> [f32; 2] {
    match task.channels.first().map(|channel| channel.normalization) {
        Some(Normalization::ClipRescale { lower, upper }) => [lower as f32, upper as f32],
        _ => contrast(image.voxels()),
    }
}

/// How a slice is shown.
struct View {
    flip_rows: bool,
    flip_columns: bool,
    /// Millimetres between rows and between columns.
    spacing: [f64; 2],
}

/// Three slices of an image and how they are shown.
struct Sheet<'a> {
    image: &'a Volume<f32>,
    /// Index of the slice along each axis.
    slices: [usize; 3],
    range: [f32; 2],
    /// Longest side of a slice.
    pixels: f64,
}

impl Sheet<'_> {
    /// The slices beside each other under `labels`, and the outline of `other` labels in white.
    fn draw(&self, labels: ArrayView3<'_, u16>, other: Option<ArrayView3<'_, u16>>) -> RgbImage {
        let geometry = self.image.geometry();
        let (spacing, extent) = (geometry.spacing.zyx(), geometry.extent.zyx());
        // One letter for each of x, y, z: the direction in which its index grows.
        let directions: Vec<char> = geometry.affine.orientation().chars().rev().collect();
        let longest = (0..3)
            .map(|axis| extent[axis] as f64 * spacing[axis])
            .fold(0.0, f64::max);
        let scale = self.pixels / longest.max(f64::MIN_POSITIVE);
        let slices: Vec<RgbImage> = (0..3)
            .map(|axis| {
                let [rows, columns] = [[1, 2], [0, 2], [0, 1]][axis];
                let view = View {
                    // Up is head or front; left is the patient's right, or front.
                    flip_rows: matches!(directions.get(rows), Some('S' | 'A')),
                    flip_columns: matches!(directions.get(columns), Some('R' | 'A')),
                    spacing: [spacing[rows], spacing[columns]],
                };
                let index = self.slices[axis];
                let cut = |map: ArrayView3<'_, u16>| map.index_axis(Axis(axis), index).to_owned();
                let (mask, other) = (cut(labels), other.map(cut));
                let plane = self.image.voxels();
                view.draw(
                    plane.index_axis(Axis(axis), index),
                    mask.view(),
                    other.as_ref().map(|other| other.view()),
                    scale,
                    self.range,
                )
            })
            .collect();
        let width = slices.iter().map(|slice| slice.width() + GAP).sum::<u32>() + GAP;
        let height = slices.iter().map(RgbImage::height).max().unwrap_or(0) + 2 * GAP;
        let mut picture = RgbImage::new(width, height);
        let mut left = GAP;
        for slice in &slices {
            image::imageops::replace(&mut picture, slice, i64::from(left), i64::from(GAP));
            left += slice.width() + GAP;
        }
        picture
    }
}

impl View {
    fn draw(
        &self,
        plane: ArrayView2<'_, f32>,
        mask: ArrayView2<'_, u16>,
        other: Option<ArrayView2<'_, u16>>,
        scale: f64,
        [low, high]: [f32; 2],
    ) -> RgbImage {
        let (rows, columns) = plane.dim();
        let pixels =
            |count: usize, mm: f64| ((count as f64 * mm * scale).round() as u32).clamp(1, 4096);
        let (height, width) = (
            pixels(rows, self.spacing[0]),
            pixels(columns, self.spacing[1]),
        );
        let voxel = |pixel: u32, pixels: u32, count: usize, flip: bool| {
            let at = ((f64::from(pixel) + 0.5) / f64::from(pixels) * count as f64) as usize;
            let at = at.min(count - 1);
            if flip { count - 1 - at } else { at }
        };
        let place = |x: u32, y: u32| {
            (
                voxel(y, height, rows, self.flip_rows),
                voxel(x, width, columns, self.flip_columns),
            )
        };
        // Whether a pixel is of a label and one beside it is of another.
        let outline = |mask: &ArrayView2<'_, u16>, x: u32, y: u32| {
            let label = mask[place(x, y)];
            let differs = |x, y| mask[place(x, y)] != label;
            label != 0
                && [(1, 0), (0, 1)].into_iter().any(|(dx, dy)| {
                    (x >= dx && y >= dy && differs(x - dx, y - dy))
                        || (x + dx < width && y + dy < height && differs(x + dx, y + dy))
                })
        };
        RgbImage::from_fn(width, height, |x, y| {
            if other.as_ref().is_some_and(|other| outline(other, x, y)) {
                return Rgb(WHITE);
            }
            let at = place(x, y);
            let grey = ((plane[at] - low) / (high - low)).clamp(0.0, 1.0) * 255.0;
            let label = mask[at];
            if label == 0 {
                return Rgb([grey as u8; 3]);
            }
            let share = if outline(&mask, x, y) { 1.0 } else { FILL };
            Rgb(colour(label)
                .1
                .map(|c| (f32::from(c) * share + grey * (1.0 - share)) as u8))
        })
    }
}

/// The slice through the middle of what is labelled, or the middle one if nothing is.
fn central(labels: ArrayView3<'_, u16>, axis: usize) -> usize {
    let (sum, count) = labels
        .axis_iter(Axis(axis))
        .map(|plane| plane.iter().filter(|&&label| label != 0).count() as f64)
        .enumerate()
        .fold((0.0, 0.0), |(sum, all), (index, count)| {
            (sum + count * index as f64, all + count)
        });
    if count > 0.0 {
        (sum / count).round() as usize
    } else {
        labels.shape()[axis] / 2
    }
}

/// The values shown as black and as white: all but the outer percent of the image.
fn contrast(voxels: ArrayView3<'_, f32>) -> [f32; 2] {
    // A sample is enough for a percentile and keeps a large CT from being sorted.
    let step = (voxels.len() / 100_000).max(1);
    let mut sample: Vec<f32> = voxels
        .iter()
        .step_by(step)
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    sample.sort_by(f32::total_cmp);
    let at = |share: f64| {
        let index = (sample.len().saturating_sub(1) as f64 * share).round() as usize;
        sample.get(index).copied().unwrap_or(0.0)
    };
    let [low, high] = [at(0.01), at(0.995)];
    if high > low {
        [low, high]
    } else {
        [low, low + 1.0]
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use uniseg_imaging::ndarray::Array3;
    use uniseg_imaging::{Extent, Geometry, SpacingMm};

    #[test]
    fn a_pair_shows_the_truth_twice_and_refuses_other_grids() {
        let spacing = SpacingMm::from_zyx([2.0, 1.0, 1.0]).unwrap();
        let geometry = Geometry::axis_aligned(Extent::from_zyx([10, 20, 20]), spacing);
        let image = Volume::new(Array3::zeros((10, 20, 20)), geometry).unwrap();
        let cube = |shift: usize| {
            Array3::from_shape_fn((10, 20, 20), |(z, y, x)| {
                u16::from((3..7).contains(&z) && (5..15).contains(&y) && x >= 5 + shift && x < 15)
            })
        };
        let task = uniseg_onnx::sample::tiny_manifest().tasks[0].clone();
        let (truth, found) = (cube(0), cube(4));
        let bytes = pair(&image, &task, truth.view(), found.view()).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
        let (above, below) = (
            0..picture.height() / 2,
            picture.height() / 2..picture.height(),
        );
        let count = |rows: std::ops::Range<u32>, colour: [u8; 3]| {
            rows.flat_map(|y| (0..picture.width()).map(move |x| (x, y)))
                .filter(|(x, y)| picture.get_pixel(*x, *y).0 == colour)
                .count()
        };
        assert_eq!(count(above.clone(), WHITE), 0);
        // The truth's outline is red above and white below.
        assert_eq!(count(above, colour(1).1), count(below, WHITE));
        let other = Array3::zeros((10, 20, 21));
        assert!(pair(&image, &task, truth.view(), other.view()).is_err());
    }
}
