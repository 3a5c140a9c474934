//! Which elements of an axis make an element of a resampled one, and how much of each: known at
//! compile time, since sizes are.

/// A matrix, one row for each new element.
pub(super) struct Weights {
    pub(super) rows: usize,
    columns: usize,
    /// Row after row.
    pub(super) values: Vec<f64>,
}

impl Weights {
    fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            values: vec![0.0; rows * columns],
        }
    }

    fn row(&mut self, row: usize) -> &mut [f64] {
        &mut self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// Column after column.
    pub(super) fn transposed(&self) -> Vec<f64> {
        (0..self.columns)
            .flat_map(|column| (0..self.rows).map(move |row| (row, column)))
            .map(|(row, column)| self.values[row * self.columns + column])
            .collect()
    }
}

/// The nearest elements. burn's older rule (`offset` 0) takes the one at or before the new
/// element's beginning, its exact one (`offset` 0.5) the one under its middle.
pub(super) fn nearest(from: usize, to: usize, offset: f64) -> Vec<i64> {
    let ratio = from as f64 / to as f64;
    let last = from.saturating_sub(1);
    (0..to)
        .map(|place| ((place as f64 + offset) * ratio).floor() as usize)
        .map(|place| place.min(last) as i64)
        .collect()
}

/// Means of the elements that a new one covers, wholly or partly, as PyTorch and burn have it.
pub(super) fn adaptive(from: usize, to: usize) -> Weights {
    let mut weights = Weights::zeros(to, from);
    for place in 0..to {
        let (start, end) = (place * from / to, ((place + 1) * from).div_ceil(to));
        weights.row(place)[start..end].fill(1.0 / (end - start) as f64);
    }
    weights
}

/// Lanczos' kernel of radius 3; what lies outside is left out and the rest made to sum to 1.
pub(super) fn lanczos3(from: usize, to: usize, align_corners: bool) -> Weights {
    let mut weights = Weights::zeros(to, from);
    for place in 0..to {
        let coordinate = match align_corners {
            true => place as f64 * (from as f64 - 1.0) / (to.max(2) - 1) as f64,
            false => (place as f64 + 0.5) * (from as f64 / to as f64) - 0.5,
        };
        let row = weights.row(place);
        for (index, weight) in row.iter_mut().enumerate() {
            let distance = coordinate - index as f64;
            // The six elements around the coordinate.
            if (-3.0..3.0).contains(&(index as f64 - coordinate.floor() - 0.5)) {
                *weight = kernel(distance);
            }
        }
        let sum: f64 = row.iter().sum();
        if sum != 0.0 {
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
    }
    weights
}

fn kernel(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    if x.abs() >= 3.0 {
        return 0.0;
    }
    let x = std::f64::consts::PI * x;
    3.0 * x.sin() * (x / 3.0).sin() / (x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_element_is_the_one_before_or_the_one_below_the_middle() {
        assert_eq!(nearest(3, 6, 0.0), [0, 0, 1, 1, 2, 2]);
        assert_eq!(nearest(4, 2, 0.0), [0, 2]);
        assert_eq!(nearest(4, 2, 0.5), [1, 3]);
        assert_eq!(nearest(2, 5, 0.5), [0, 0, 1, 1, 1]);
    }

    #[test]
    fn every_new_element_is_a_mean() {
        for (from, to) in [(5, 3), (3, 5), (7, 7), (1, 4), (4, 1)] {
            for mut weights in [adaptive(from, to), lanczos3(from, to, false)] {
                for row in 0..to {
                    let sum: f64 = weights.row(row).iter().sum();
                    assert!(
                        (sum - 1.0).abs() < 1e-12,
                        "{from} to {to}, row {row}: {sum}"
                    );
                }
            }
        }
    }
}
