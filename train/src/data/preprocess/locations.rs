use ndarray::ArrayView3;

use crate::data::cache::Locations;
use crate::data::random::{Random, Selection};

/// Voxels that are remembered of a label, unless 1 % of it is more.
pub(super) const MOST: u64 = 10_000;
/// One voxel in so many is remembered at least.
pub(super) const LEAST_SHARE: u64 = 100;
/// nnU-Net's seed. The generator is not numpy's, so neither is the choice.
pub(super) const SEED: u64 = 1234;

/// Voxels of each label that occurs, background excluded, for foreground oversampling.
///
/// Source: nnU-Net v1, `GenericPreprocessor._run_internal` (`class_locations`).
pub(super) fn sample(label: ArrayView3<'_, i16>, labels: usize) -> Locations {
    let mut counts = vec![0_u64; labels];
    for value in label {
        if let Some(count) = usize::try_from(*value)
            .ok()
            .and_then(|value| counts.get_mut(value))
        {
            *count += 1;
        }
    }
    let mut random = Random::new(SEED);
    let mut chosen: Vec<Option<(Selection, Vec<[u32; 3]>)>> = Vec::new();
    for (value, &count) in counts.iter().enumerate() {
        let wanted = MOST.max(count.div_ceil(LEAST_SHARE));
        let stream = Random::new(random.next());
        let selection = (value > 0 && count > 0).then(|| Selection::new(stream, count, wanted));
        chosen.push(selection.map(|selection| (selection, Vec::new())));
    }
    for ((z, y, x), value) in label.indexed_iter().filter(|(_, value)| **value > 0) {
        if let Some(Some((selection, voxels))) = chosen.get_mut(value.cast_unsigned() as usize)
            && selection.take()
        {
            // A grid's sizes are far below u32's.
            voxels.push([z as u32, y as u32, x as u32]);
        }
    }
    let found = chosen.into_iter().enumerate();
    found
        .filter_map(|(value, row)| row.map(|(_, voxels)| (value as u16, voxels)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn small_labels_are_whole_and_large_ones_sampled() {
        let label = Array3::from_shape_fn((20, 60, 60), |(z, y, x)| match (z, y, x) {
            (0, _, _) => -1,
            (1, 5, 0..7) => 2,
            (z, ..) if z >= 5 => 1,
            _ => 0,
        });
        let rows = sample(label.view(), 4);
        assert_eq!(
            rows.iter().map(|(label, _)| *label).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!((rows[0].1.len(), rows[1].1.len()), (10_000, 7));
        for (value, voxels) in &rows {
            let at = |[z, y, x]: [u32; 3]| label[[z as usize, y as usize, x as usize]];
            assert!(voxels.iter().all(|voxel| at(*voxel) == *value as i16));
            assert!(voxels.is_sorted_by(|a, b| a < b), "each once");
        }
        assert_eq!(rows, sample(label.view(), 4));
        // Every slice has its share.
        let slices: std::collections::BTreeSet<u32> = rows[0].1.iter().map(|v| v[0]).collect();
        assert_eq!(slices.len(), 15);
    }

    #[test]
    fn one_in_a_hundred_is_remembered_at_least() {
        let label = Array3::from_elem((105, 100, 100), 1);
        assert_eq!(sample(label.view(), 2)[0].1.len(), 10_500);
    }
}
