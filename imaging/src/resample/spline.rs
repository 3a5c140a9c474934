//! B-spline coefficients of many lines at once.

/// Lines processed side by side, so that the recursion along them runs in vector registers.
pub(super) const LINES: usize = 32;

/// One sample of each line.
pub(super) type Row = [f64; LINES];

/// Pole of the cubic B-spline: sqrt(3) - 2.
const POLE: f64 = -0.267_949_192_431_122_7;

/// Makes samples into the coefficients of the cubic B-spline that passes through them.
///
/// Lines are mirrored about their outer faces, as in scipy for `mode="nearest"`.
/// Source: `scipy/ndimage/src/ni_splines.c` (Unser's recursive filter).
pub(super) fn prefilter(rows: &mut [Row]) {
    let n = rows.len();
    if n < 2 {
        return;
    }
    let gain = (1.0 - POLE) * (1.0 - 1.0 / POLE);
    rows.iter_mut().flatten().for_each(|v| *v *= gain);

    let pole_n = POLE.powi(n as i32);
    let mut sum = [0.0; LINES];
    let mut power = POLE;
    for i in 0..n {
        if power.abs() < 1e-30 {
            break;
        }
        let mirrored = &rows[n - 1 - i];
        for ((sum, near), far) in sum.iter_mut().zip(&rows[i]).zip(mirrored) {
            *sum += power * (near + pole_n * far);
        }
        power *= POLE;
    }
    let scale = 1.0 / (1.0 - pole_n * pole_n);
    rows[0]
        .iter_mut()
        .zip(sum)
        .for_each(|(v, sum)| *v += scale * sum);

    let mut previous = rows[0];
    for row in &mut rows[1..] {
        for (v, previous) in row.iter_mut().zip(&mut previous) {
            *v += POLE * *previous;
            *previous = *v;
        }
    }
    let mut next = rows[n - 1].map(|v| v * POLE / (POLE - 1.0));
    rows[n - 1] = next;
    for row in rows[..n - 1].iter_mut().rev() {
        for (v, next) in row.iter_mut().zip(&mut next) {
            *v = POLE * (*next - *v);
            *next = *v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spline_passes_through_the_samples() {
        for n in [2, 3, 25, 60, 200] {
            let sample = |i: usize, line: usize| ((i * i + 7 * line) % 23) as f64 - 11.0;
            let mut rows: Vec<Row> = (0..n)
                .map(|i| std::array::from_fn(|line| sample(i, line)))
                .collect();
            prefilter(&mut rows);
            for (i, row) in rows.iter().enumerate() {
                // Mirrored about the outer faces, coefficients repeat at the border.
                let (below, above) = (rows[i.saturating_sub(1)], rows[(i + 1).min(n - 1)]);
                for (line, centre) in row.iter().enumerate() {
                    let value = (below[line] + 4.0 * centre + above[line]) / 6.0;
                    assert!((value - sample(i, line)).abs() < 1e-10, "{n} {i} {line}");
                }
            }
        }
    }
}
