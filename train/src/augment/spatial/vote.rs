//! The label of a point between voxels.

/// The highest label whose share of the eight voxels around a point (z, y, x), weighted linearly,
/// is at least one half; background if there is none, or where the point has no voxels around it.
///
/// nnU-Net interpolates every label's mask in rising order, background (0) and outside (-1)
/// included, and later ones overwrite. As outside becomes background in the end, and so does what
/// no label reaches, only the labels of structures need a vote.
pub(super) fn winner(labels: &[i16], at: [f64; 3], extent: [usize; 3]) -> i16 {
    let steps = [extent[1] * extent[2], extent[2], 1];
    let mut first = 0;
    // Along each axis: weights of the voxel below and above, and how far apart they lie.
    let mut weights = [[1.0, 0.0]; 3];
    let mut apart = [0; 3];
    for axis in 0..3 {
        if !(at[axis] >= 0.0 && at[axis] <= extent[axis] as f64 - 1.0) {
            return 0;
        }
        let below = at[axis] as usize;
        let above = at[axis] - below as f64;
        first += below * steps[axis];
        weights[axis] = [1.0 - above, above];
        // On the last voxel there is none above, and its weight is 0.
        apart[axis] = if below + 1 < extent[axis] {
            steps[axis]
        } else {
            0
        };
    }
    let corner = |index: usize| {
        let [z, y, x] = [index >> 2, index >> 1 & 1, index & 1];
        let offset = first + z * apart[0] + y * apart[1] + x * apart[2];
        (
            labels[offset],
            weights[0][z] * weights[1][y] * weights[2][x],
        )
    };
    let corners: [(i16, f64); 8] = std::array::from_fn(corner);
    let label = corners[0].0;
    if corners.iter().all(|(other, _)| *other == label) {
        return label.max(0);
    }
    let mut winner = 0;
    for (label, _) in corners {
        if label > winner {
            let own = corners.iter().filter(|(other, _)| *other == label);
            if own.map(|(_, weight)| weight).sum::<f64>() >= 0.5 {
                winner = label;
            }
        }
    }
    winner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_weight_decides_and_the_higher_label_wins_a_tie() {
        let vote = |labels: &[i16], at| winner(labels, [0.0, 0.0, at], [1, 1, labels.len()]);
        let line = [-1, 2, 0, 1, 3, 3];
        for (at, expected) in [
            (0.0, 0),
            (0.49, 0),
            (0.5, 2),
            (1.0, 2),
            (1.5, 2),
            (1.51, 0),
            (2.5, 1),
            (3.49, 1),
            (3.5, 3),
            (4.7, 3),
            (5.0, 3),
            (5.01, 0),
            (-0.01, 0),
            (f64::NAN, 0),
        ] {
            assert_eq!(vote(&line, at), expected, "{at}");
        }
        // Three labels about a point, none of them with half the weight.
        assert_eq!(winner(&[1, 1, 2, 3], [0.0, 0.55, 0.5], [1, 2, 2]), 0);
        assert_eq!(winner(&[1, 1, 2, 3], [0.0, 0.45, 0.5], [1, 2, 2]), 1);
    }
}
