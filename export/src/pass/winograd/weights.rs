use super::AXIS;
use crate::types::Constant;

/// What weights along the axis become, for the points 0, 1, -1, 2, -2 and infinity (`G` of F(4, 3)).
const TRANSFORM: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// The six kernels of a kernel `[out, in, 3, ..]`, each `[out, in, 1, ..]`; `None` if it is none.
pub(super) fn transformed(weight: &Constant) -> Option<[Constant; 6]> {
    let mut shape = weight.shape.clone();
    let size = shape.get_mut(AXIS)?;
    if *size != 3 {
        return None;
    }
    *size = 1;
    let inner: usize = weight.shape.get(AXIS + 1..)?.iter().product();
    let values = weight.as_f32()?;
    Some(TRANSFORM.map(|row| {
        let kernels = values.chunks_exact(3 * inner);
        let kernels = kernels.flat_map(|kernel| {
            (0..inner).map(move |at| {
                let along = (0..3).map(|plane| f64::from(kernel[plane * inner + at]));
                along.zip(row).map(|(value, by)| value * by).sum::<f64>() as f32
            })
        });
        Constant::f32(&shape, &kernels.collect::<Vec<f32>>())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_values_of_a_polynomial() {
        // 1 + 2 t + 4 t^2 at 0, 1, -1, 2, -2, each over its factor, and its highest coefficient.
        let weight = Constant::f32(&[1, 1, 3], &[1.0, 2.0, 4.0]);
        let found = transformed(&weight).unwrap();
        let found: Vec<f32> = found
            .iter()
            .flat_map(|kernel| kernel.as_f32().unwrap())
            .collect();
        let expected = [
            1.0 / 4.0,
            7.0 / -6.0,
            3.0 / -6.0,
            21.0 / 24.0,
            13.0 / 24.0,
            4.0,
        ];
        let same = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
        assert!(found.iter().zip(&expected).all(same), "{found:?}");
        assert_eq!(transformed(&Constant::f32(&[1, 1, 2], &[1.0, 2.0])), None);
    }
}
