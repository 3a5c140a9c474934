//! A picture of a segmentation: three orthogonal slices, labels in colour over the image.

use std::path::Path;

use anyhow::Context;
use image::{Rgb, RgbImage};
use uniseg_imaging::Volume;
use uniseg_imaging::ndarray::{ArrayView2, ArrayView3, Axis};
use uniseg_onnx::Normalization;
use uniseg_runtime::Segmentation;

/// Longest side of a slice, in pixels.
const SLICE_PIXELS: f64 = 480.0;
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
    ("white", [240, 240, 240]),
];

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
    // Where the model clips the image, that is the range that matters; a CT is mostly air.
    let range = match segmentation
        .task
        .channels
        .first()
        .map(|channel| channel.normalization)
    {
        Some(Normalization::ClipRescale { lower, upper }) => [lower as f32, upper as f32],
        _ => contrast(image.voxels()),
    };
    let picture = draw(image, segmentation.labels.view(), range);
    let cannot = || format!("cannot write {}", path.display());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let file = tempfile::Builder::new()
        .prefix(".uniseg-")
        .suffix(".png")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .with_context(cannot)?;
    picture
        .save_with_format(file.path(), image::ImageFormat::Png)
        .with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

/// How a slice is shown.
struct View {
    flip_rows: bool,
    flip_columns: bool,
    /// Millimetres between rows and between columns.
    spacing: [f64; 2],
}

fn draw(image: &Volume<f32>, labels: ArrayView3<'_, u16>, range: [f32; 2]) -> RgbImage {
    let voxels = image.voxels();
    let spacing = image.geometry().spacing.zyx();
    let extent = image.geometry().extent.zyx();
    // One letter for each of x, y, z: the direction in which its index grows.
    let directions: Vec<char> = image
        .geometry()
        .affine
        .orientation()
        .chars()
        .rev()
        .collect();
    let longest = (0..3)
        .map(|axis| extent[axis] as f64 * spacing[axis])
        .fold(0.0, f64::max);
    let scale = SLICE_PIXELS / longest.max(f64::MIN_POSITIVE);
    let slices: Vec<RgbImage> = (0..3)
        .map(|axis| {
            let [rows, columns] = [[1, 2], [0, 2], [0, 1]][axis];
            let view = View {
                // Up is head or front; left is the patient's right, or front.
                flip_rows: matches!(directions.get(rows), Some('S' | 'A')),
                flip_columns: matches!(directions.get(columns), Some('R' | 'A')),
                spacing: [spacing[rows], spacing[columns]],
            };
            let index = central(labels, axis);
            let plane = voxels.index_axis(Axis(axis), index);
            let mask = labels.index_axis(Axis(axis), index);
            view.draw(plane, mask, scale, range)
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

impl View {
    fn draw(
        &self,
        plane: ArrayView2<'_, f32>,
        mask: ArrayView2<'_, u16>,
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
        let label_at = |x: u32, y: u32| {
            mask[(
                voxel(y, height, rows, self.flip_rows),
                voxel(x, width, columns, self.flip_columns),
            )]
        };
        RgbImage::from_fn(width, height, |x, y| {
            let row = voxel(y, height, rows, self.flip_rows);
            let column = voxel(x, width, columns, self.flip_columns);
            let grey = ((plane[(row, column)] - low) / (high - low)).clamp(0.0, 1.0) * 255.0;
            let label = label_at(x, y);
            if label == 0 {
                return Rgb([grey as u8; 3]);
            }
            let outline = [(1, 0), (0, 1)].into_iter().any(|(dx, dy)| {
                (x >= dx && y >= dy && label_at(x - dx, y - dy) != label)
                    || (x + dx < width && y + dy < height && label_at(x + dx, y + dy) != label)
            });
            let share = if outline { 1.0 } else { FILL };
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
