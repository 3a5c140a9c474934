//! B-spline coefficients of many lines at once.

/// Lines processed side by side, so that the recursion along them runs in vector registers.
pub(crate) const LINES: usize = 32;

/// One sample of each line.
pub(crate) type Row = [f64; LINES];

/// How a line goes on beyond its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Border {
    /// Mirrored about the outer face of the last voxel (b a | a b), as in scipy for
    /// `mode="nearest"`.
    Face,
    /// Mirrored about the centre of the last voxel (c b | a b c), as in scipy for
    /// `mode="constant"`.
    Centre,
}

/// Pole of the cubic B-spline: sqrt(3) - 2.
const POLE: f64 = -0.267_949_192_431_122_7;

/// Makes samples into the coefficients of the cubic B-spline that passes through them.
///
/// Source: `scipy/ndimage/src/ni_splines.c` (Unser's recursive filter).
pub(crate) fn prefilter(rows: &mut [Row], border: Border) {
    let n = rows.len();
    if n < 2 {
        return;
    }
    let gain = (1.0 - POLE) * (1.0 - 1.0 / POLE);
    rows.iter_mut().flatten().for_each(|v| *v *= gain);
    match border {
        Border::Face => start_at_face(rows),
        Border::Centre => start_at_centre(rows),
    }
    let mut previous = rows[0];
    for row in &mut rows[1..] {
        for (v, previous) in row.iter_mut().zip(&mut previous) {
            *v += POLE * *previous;
            *previous = *v;
        }
    }
    let mut next = rows[n - 1];
    for (last, before) in next.iter_mut().zip(rows[n - 2]) {
        *last = match border {
            Border::Face => *last * POLE / (POLE - 1.0),
            Border::Centre => (*last + POLE * before) * POLE / (POLE * POLE - 1.0),
        };
    }
    rows[n - 1] = next;
    for row in rows[..n - 1].iter_mut().rev() {
        for (v, next) in row.iter_mut().zip(&mut next) {
            *v = POLE * (*next - *v);
            *next = *v;
        }
    }
}

/// Powers of the pole below this add nothing to a sum in f64.
const NEGLIGIBLE: f64 = 1e-30;

/// The recursion's first value: the geometric sum over the line and all its mirror images.
fn start_at_face(rows: &mut [Row]) {
    let n = rows.len();
    let pole_n = POLE.powi(n as i32);
    let mut sum = [0.0; LINES];
    let mut power = POLE;
    for i in 0..n {
        if power.abs() < NEGLIGIBLE {
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
}

/// The same where the line is mirrored about its first sample, which then counts once.
fn start_at_centre(rows: &mut [Row]) {
    let period = 2 * (rows.len() - 1);
    let mut sum = [0.0; LINES];
    let mut power = 1.0_f64;
    for i in 0..period {
        if power.abs() < NEGLIGIBLE {
            break;
        }
        for (sum, v) in sum.iter_mut().zip(&rows[i.min(period - i)]) {
            *sum += power * v;
        }
        power *= POLE;
    }
    let scale = 1.0 / (1.0 - POLE.powi(period as i32));
    rows[0] = sum.map(|sum| scale * sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spline_passes_through_the_samples() {
        for (n, border) in [2, 3, 25, 60, 200]
            .into_iter()
            .flat_map(|n| [(n, Border::Face), (n, Border::Centre)])
        {
            let sample = |i: usize, line: usize| ((i * i + 7 * line) % 23) as f64 - 11.0;
            let mut rows: Vec<Row> = (0..n)
                .map(|i| std::array::from_fn(|line| sample(i, line)))
                .collect();
            prefilter(&mut rows, border);
            for (i, row) in rows.iter().enumerate() {
                let (below, above) = match border {
                    Border::Face => (i.saturating_sub(1), (i + 1).min(n - 1)),
                    Border::Centre => (i.abs_diff(1), n - 1 - (n - 1).abs_diff(i + 1)),
                };
                for (line, centre) in row.iter().enumerate() {
                    let value = (rows[below][line] + 4.0 * centre + rows[above][line]) / 6.0;
                    assert!((value - sample(i, line)).abs() < 1e-10, "{n} {i} {line}");
                }
            }
        }
    }
}
