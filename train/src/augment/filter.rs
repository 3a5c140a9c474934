//! Gaussian smoothing of a volume, one axis after the other.
//!
//! Numbers equal those of `scipy.ndimage.gaussian_filter`: kernels reach 4 standard deviations.

/// What lies beyond the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    /// The volume, mirrored about its faces (`mode="reflect"`).
    Mirror,
    /// Nothing (`mode="constant"`).
    Zero,
}

/// Smooths row-major voxels of an extent (z, y, x); `sigma` is in voxels.
pub(super) fn gaussian(voxels: &mut [f32], extent: [usize; 3], sigma: f64, border: Border) {
    let kernel = kernel(sigma);
    let [z, y, x] = extent;
    let mut from = vec![0.0; voxels.len()];
    for (lines, inner) in [(z, y * x), (y, x), (x, 1)] {
        if voxels.is_empty() || lines < 2 && border == Border::Mirror {
            continue;
        }
        from.copy_from_slice(voxels);
        let blocks = from.chunks_exact(lines * inner);
        for (from, to) in blocks.zip(voxels.chunks_exact_mut(lines * inner)) {
            if inner == 1 {
                smooth_line(from, to, &kernel, border);
            } else {
                smooth_rows(from, to, inner, &kernel, border);
            }
        }
    }
}

/// Weights from -radius to radius.
fn kernel(sigma: f64) -> Vec<f32> {
    let radius = (4.0 * sigma + 0.5) as i64;
    let weights = (-radius..=radius).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp());
    let sum: f64 = weights.clone().sum();
    weights.map(|weight| (weight / sum) as f32).collect()
}

/// The sample that stands for sample `index` of a line of `n`.
fn source(index: isize, n: usize, border: Border) -> Option<usize> {
    if (0..n as isize).contains(&index) {
        return Some(index as usize);
    }
    let at = index.rem_euclid(2 * n as isize) as usize;
    (border == Border::Mirror).then_some(at.min(2 * n - 1 - at))
}

/// Rows of `inner` voxels, weighted with the rows before and behind them.
fn smooth_rows(from: &[f32], to: &mut [f32], inner: usize, kernel: &[f32], border: Border) {
    let (n, radius) = (from.len() / inner, kernel.len() / 2);
    for (index, out) in to.chunks_exact_mut(inner).enumerate() {
        out.fill(0.0);
        for (k, weight) in kernel.iter().enumerate() {
            let at = index as isize + k as isize - radius as isize;
            if let Some(row) = source(at, n, border) {
                add(out, &from[row * inner..(row + 1) * inner], *weight);
            }
        }
    }
}

/// One row, weighted along itself.
fn smooth_line(from: &[f32], to: &mut [f32], kernel: &[f32], border: Border) {
    let (n, radius) = (from.len(), kernel.len() / 2);
    let extended: Vec<f32> = (0..n + 2 * radius)
        .map(|at| source(at as isize - radius as isize, n, border).map_or(0.0, |at| from[at]))
        .collect();
    to.fill(0.0);
    for (shifted, weight) in extended.windows(n).zip(kernel) {
        add(to, shifted, *weight);
    }
}

fn add(out: &mut [f32], row: &[f32], weight: f32) {
    out.iter_mut()
        .zip(row)
        .for_each(|(out, v)| *out += weight * v);
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [(f64, Border, [f32; 24]); 4] = [
        (
            0.5,
            Border::Mirror,
            [
                -1.959_282_9,
                2.972_642_7,
                -1.001_614_5,
                0.927_120_1,
                -0.551_92,
                -0.268_963_6,
                0.438_002_3,
                -1.460_273_9,
                3.487_73,
                -2.131_556,
                -0.826_518_9,
                -2.555_580_1,
                3.661_038_6,
                -0.720_598,
                0.640_791,
                0.050_669_6,
                -0.399_532_9,
                0.541_570_1,
                -1.118_340_3,
                3.712_743_8,
                -2.453_573,
                -0.816_787_1,
                -2.210_928_4,
                4.043_162,
            ],
        ),
        (
            1.0,
            Border::Mirror,
            [
                0.168_218_9,
                0.380_906_2,
                0.235_671_7,
                0.257_770_5,
                0.106_484_8,
                -0.062_198_4,
                -0.180_105_4,
                -0.057_255_1,
                0.314_313_4,
                -0.451_740_6,
                -0.703_428_2,
                -0.464_782_1,
                0.874_960_9,
                0.462_565_1,
                0.298_707_9,
                0.569_914_9,
                0.062_532_8,
                -0.117_642_7,
                0.092_008_9,
                0.860_078_7,
                -0.567_021_9,
                -0.722_861_2,
                -0.270_485_5,
                0.913_386_3,
            ],
        ),
        (
            3.0,
            Border::Mirror,
            [
                0.080_795_6,
                0.084_618_5,
                0.090_090_6,
                0.093_959_4,
                0.076_627_4,
                0.080_525_0,
                0.086_102_9,
                0.090_046_8,
                0.072_459_5,
                0.076_430_7,
                0.082_112_9,
                0.086_130_8,
                0.080_809_6,
                0.084_634_0,
                0.090_108_3,
                0.093_978_6,
                0.076_641_3,
                0.080_540_5,
                0.086_120_6,
                0.090_066_0,
                0.072_473_3,
                0.076_446_1,
                0.082_130_5,
                0.086_150_1,
            ],
        ),
        (
            1.0,
            Border::Zero,
            [
                0.075_038_3,
                0.144_108_5,
                0.077_157_6,
                0.064_524_9,
                0.014_637_3,
                -0.046_929_3,
                -0.086_697_8,
                -0.008_096_1,
                0.012_837_0,
                -0.208_302_1,
                -0.259_517_2,
                -0.111_453,
                0.196_335_5,
                0.143_764_2,
                0.099_182_1,
                0.161_324_1,
                0.002_964_0,
                -0.069_534_3,
                0.003_757_0,
                0.256_137_3,
                -0.150_767_2,
                -0.269_780_5,
                -0.149_722,
                0.181_457_2,
            ],
        ),
    ];

    fn pattern(extent: [usize; 3]) -> Vec<f32> {
        let [z, y, x] = extent;
        let voxel = |i: usize| (i * i * 7 + i * 3) % 11;
        (0..z * y * x).map(|i| voxel(i) as f32 - 4.0).collect()
    }

    /// `scipy.ndimage.gaussian_filter` of scipy 1.13.1, order 0, on f64.
    #[test]
    fn smoothing_equals_scipy() {
        for (sigma, border, expected) in EXPECTED {
            let mut voxels = pattern([2, 3, 4]);
            gaussian(&mut voxels, [2, 3, 4], sigma, border);
            for (found, expected) in voxels.iter().zip(expected) {
                assert!((found - expected).abs() < 2e-6, "{border:?} {voxels:?}");
            }
        }
    }
}
