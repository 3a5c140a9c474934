//! Points and 3 x 3 matrices over (x, y, z): just what placing shapes needs.

/// A point or direction (x, y, z), in millimetres.
pub(super) type Point = [f64; 3];

/// Rows of a 3 x 3 matrix.
pub(super) type Matrix = [[f64; 3]; 3];

pub(super) fn plus(a: Point, b: Point) -> Point {
    std::array::from_fn(|axis| a[axis] + b[axis])
}

pub(super) fn minus(a: Point, b: Point) -> Point {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

pub(super) fn times(a: Point, by: f64) -> Point {
    a.map(|v| v * by)
}

pub(super) fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn length(a: Point) -> f64 {
    dot(a, a).sqrt()
}

/// Length one; `x` if there is no direction.
pub(super) fn unit(a: Point) -> Point {
    let size = length(a);
    if size > 0.0 {
        times(a, 1.0 / size)
    } else {
        [1.0, 0.0, 0.0]
    }
}

pub(super) fn apply(matrix: &Matrix, point: Point) -> Point {
    matrix.map(|row| dot(row, point))
}

/// `a` after `b`.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let column = |j: usize| [b[0][j], b[1][j], b[2][j]];
    a.map(|row| std::array::from_fn(|j| dot(row, column(j))))
}

pub(super) fn transposed(a: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

/// Turns by degrees about x, then y, then z.
pub(super) fn rotation(degrees: Point) -> Matrix {
    let [(sx, cx), (sy, cy), (sz, cz)] = degrees.map(|d| d.to_radians().sin_cos());
    let x = [[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]];
    let y = [[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]];
    let z = [[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]];
    product(&z, &product(&y, &x))
}

/// The inverse of a matrix with a determinant other than zero.
pub(super) fn inverse(a: &Matrix) -> Matrix {
    let cofactor = |i: usize, j: usize| {
        let [r0, r1] = [(i + 1) % 3, (i + 2) % 3];
        let [c0, c1] = [(j + 1) % 3, (j + 2) % 3];
        a[r0][c0] * a[r1][c1] - a[r0][c1] * a[r1][c0]
    };
    let determinant: f64 = (0..3).map(|j| a[0][j] * cofactor(0, j)).sum();
    std::array::from_fn(|i| std::array::from_fn(|j| cofactor(j, i) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_and_inverses_undo() {
        let turn = rotation([20.0, -35.0, 80.0]);
        let skewed = product(&turn, &[[2.0, 0.1, 0.0], [0.0, 3.0, 0.5], [0.0, 0.0, 0.7]]);
        let point = [1.0, -2.0, 3.0];
        for there_and_back in [
            apply(&transposed(&turn), apply(&turn, point)),
            apply(&inverse(&skewed), apply(&skewed, point)),
        ] {
            assert!(length(minus(there_and_back, point)) < 1e-12);
        }
        let quarter = apply(&rotation([0.0, 0.0, 90.0]), [1.0, 0.0, 0.0]);
        assert!(length(minus(quarter, [0.0, 1.0, 0.0])) < 1e-12);
    }
}
