use burn::prelude::*;
use burn::tensor::FloatDType;

/// One plane for each class, 1 where the label is that class and 0 elsewhere.
///
/// Shapes: `labels` [batch, 1, z, y, x]; returns [batch, classes, z, y, x], f32. A label that is no
/// class has no plane: it counts as nothing.
pub fn one_hot(labels: Tensor<5, Int>, classes: usize) -> Tensor<5> {
    // Comparing with a number, not with a broadcast range, works for every integer type.
    let planes = (0..classes)
        .map(|class| {
            labels
                .clone()
                .equal_elem(class as i64)
                .float()
                .cast(FloatDType::F32)
        })
        .collect();
    Tensor::cat(planes, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voxel_is_one_class_and_strangers_are_none() {
        let labels = Tensor::<1, Int>::from_ints([2, 0, -1, 1], &Device::flex());
        let planes = one_hot(labels.reshape([1, 1, 1, 2, 2]), 3);
        assert_eq!(planes.dims(), [1, 3, 1, 2, 2]);
        let values: Vec<f32> = planes.into_data().iter().collect();
        let expected = [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]];
        assert_eq!(
            values,
            expected
                .concat()
                .into_iter()
                .map(|v| v as f32)
                .collect::<Vec<_>>()
        );
    }
}
