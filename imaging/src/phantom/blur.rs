//! A scanner's point spread: a separable Gaussian.

use ndarray::{Array3, Axis};
use rayon::prelude::*;

/// Blurs in place with a Gaussian of these widths in voxels (z, y, x); edge voxels are repeated.
pub(super) fn blur(voxels: &mut Array3<f32>, sigma: [f64; 3]) {
    for (axis, sigma) in sigma.into_iter().enumerate() {
        let taps = taps(sigma);
        if taps.len() > 1 && voxels.len_of(Axis(axis)) > 1 {
            // Sheets that hold whole lines along the axis.
            let across = Axis(if axis == 0 { 1 } else { 0 });
            let sheets: Vec<_> = voxels.axis_iter_mut(across).collect();
            let along = Axis(if axis == 2 { 1 } else { 0 });
            sheets.into_par_iter().for_each(|mut sheet| {
                let mut line = Vec::new();
                for mut lane in sheet.lanes_mut(along) {
                    line.clear();
                    line.extend(lane.iter().copied());
                    for (index, voxel) in lane.iter_mut().enumerate() {
                        *voxel = weighted(&line, index, &taps);
                    }
                }
            });
        }
    }
}

/// Weights of a Gaussian to three widths, summing to one.
fn taps(sigma: f64) -> Vec<f64> {
    let reach = (3.0 * sigma).round().max(0.0) as i64;
    let raw: Vec<f64> = (-reach..=reach)
        .map(|k| (-0.5 * (k as f64 / sigma.max(1e-9)).powi(2)).exp())
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|weight| weight / sum).collect()
}

fn weighted(line: &[f32], index: usize, taps: &[f64]) -> f32 {
    let (reach, last) = (taps.len() / 2, line.len() - 1);
    let sum: f64 = taps
        .iter()
        .enumerate()
        .map(|(tap, weight)| {
            let at = (index + tap).saturating_sub(reach).min(last);
            weight * f64::from(line[at])
        })
        .sum();
    sum as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_spreads_as_wide_as_asked_and_keeps_its_sum() {
        let mut voxels = Array3::zeros((15, 15, 15));
        voxels[[7, 7, 7]] = 1.0;
        blur(&mut voxels, [1.0, 0.0, 1.5]);
        assert!((voxels.sum() - 1.0).abs() < 1e-5);
        let width = |of: &dyn Fn((usize, usize, usize)) -> usize| {
            let square: f32 = voxels
                .indexed_iter()
                .map(|(at, v)| v * (of(at) as f32 - 7.0).powi(2))
                .sum();
            square.sqrt()
        };
        assert!((width(&|(z, _, _)| z) - 1.0).abs() < 0.05);
        assert_eq!(width(&|(_, y, _)| y), 0.0);
        assert!((width(&|(_, _, x)| x) - 1.5).abs() < 0.05);
    }
}
