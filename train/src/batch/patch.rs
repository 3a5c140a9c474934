use crate::data::random::Random;

/// Where along an axis a block may begin, both ends included.
///
/// Blocks are larger than patches, so that a rotated patch finds its corners; they may reach beyond
/// the case by half of what is missing. Source: nnU-Net v1, `DataLoader3D.generate_train_batch`.
fn bounds(block: usize, patch: usize, extent: usize) -> (isize, isize) {
    let (block, extent) = (block as isize, extent as isize);
    // What the block has more than the patch, or than the case.
    let margin = (block - patch as isize).max(block - extent);
    let low = -((margin + 1).div_euclid(2));
    let high = extent + margin.div_euclid(2) + margin.rem_euclid(2) - block;
    (low, high.max(low))
}

/// Draws where a block begins, (z, y, x): around `centre`, or anywhere without one.
///
/// A block around a voxel is held at the lower bound only, as in nnU-Net: beyond the upper end
/// there is padding.
pub(super) fn draw_start(
    block: [usize; 3],
    patch: [usize; 3],
    extent: [usize; 3],
    centre: Option<[usize; 3]>,
    random: &mut Random,
) -> [isize; 3] {
    std::array::from_fn(|axis| {
        let (low, high) = bounds(block[axis], patch[axis], extent[axis]);
        // Drawn in any case, so that what follows does not depend on the case's labels.
        let anywhere = low + random.below((high - low + 1) as u64) as isize;
        match centre {
            Some(centre) => (centre[axis] as isize - (block[axis] / 2) as isize).max(low),
            None => anywhere,
        }
    })
}

/// Whether patch number `index` of a batch is centred on foreground.
///
/// Source: nnU-Net v1, `get_do_oversample`: the last ones of a batch are.
pub(super) fn is_foreground(index: usize, batch: usize, share: f64) -> bool {
    index >= (batch as f64 * (1.0 - share)).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From the official loader's own lines, run in Python.
    #[test]
    fn bounds_are_nnu_nets() {
        assert_eq!(bounds(178, 64, 100), (-57, -21));
        assert_eq!(bounds(64, 64, 100), (0, 36));
        assert_eq!(bounds(64, 64, 41), (-12, -11));
        assert_eq!(bounds(64, 64, 64), (0, 0));
    }

    #[test]
    fn of_the_papers_batch_the_second_is_foreground() {
        let batch = |size: usize| -> Vec<bool> {
            (0..size)
                .map(|index| is_foreground(index, size, 0.33))
                .collect()
        };
        assert_eq!(batch(2), [false, true]);
        assert_eq!(batch(1), [false]);
        assert_eq!(batch(4), [false, false, false, true]);
        assert!(is_foreground(0, 1, 1.0));
    }

    proptest! {
        /// Every voxel of the case can be in a patch, and the patch's centre is over the case.
        #[test]
        fn patches_overlap_the_case(
            patch in 1_usize..40, more in 0_usize..40, extent in 1_usize..90, seed in 0_u64..1000,
        ) {
            let block = patch + more;
            let start = draw_start([block; 3], [patch; 3], [extent; 3], None, &mut Random::new(seed));
            let middle = start[0] + (block / 2) as isize;
            prop_assert!(middle >= 0 && middle <= extent as isize, "{middle} of {extent}");
        }

        #[test]
        fn a_centre_is_in_the_middle_or_the_block_at_its_bound(
            extent in 1_usize..90, at in 0_usize..90, seed in 0_u64..100,
        ) {
            let at = at % extent;
            let random = &mut Random::new(seed);
            let start = draw_start([24; 3], [16; 3], [extent; 3], Some([at; 3]), random)[0];
            prop_assert!(start <= at as isize && (at as isize) < start + 24);
        }
    }
}
