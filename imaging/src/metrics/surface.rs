//! Distances between the surfaces of two label maps.

use std::ops::Range;

use ndarray::{Array3, ArrayView3, Zip, s};

use super::edt::squared_distances;
use crate::geometry::SpacingMm;

/// What the distance measures count where one map has the label and the other has not, in
/// millimetres; beyond any body. Source: the evaluation of UniSeg.
pub const MISSING_SURFACE_MM: f64 = 998.0;

/// How far the surface of a label in one map is from its surface in another, in millimetres.
///
/// A surface is the label's voxels of which at least one of the six neighbours is not of the
/// label, or lies outside the map; a distance is that of voxel centres, from every surface voxel
/// of one map to the nearest of the other, both ways. That is medpy's definition, which nnU-Net
/// uses: no surface areas, no positions between voxels.
///
/// | | both maps have the label | neither has | one has |
/// |---|---|---|---|
/// | [`hd95_mm`](Self::hd95_mm) | millimetres | 0 | 998 |
/// | [`average_mm`](Self::average_mm) | millimetres | 0 | 998 |
/// | [`normalized_dice`](Self::normalized_dice) | 0 to 1 | 1 | 0 |
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceDistances {
    /// From each map's surface voxels, in ascending order.
    from: [Vec<f32>; 2],
}

impl SurfaceDistances {
    /// Measures one label of two maps (z, y, x) on one grid.
    ///
    /// Works on the box around both surfaces, with 6 bytes a voxel of it at most.
    ///
    /// Panics if the shapes differ: comparing maps of different grids is a programming error.
    pub fn new(
        a: ArrayView3<'_, u16>,
        b: ArrayView3<'_, u16>,
        label: u16,
        spacing: SpacingMm,
    ) -> Self {
        assert_eq!(a.dim(), b.dim(), "two maps on two grids");
        let Some([z, y, x]) = bounds(a, b, label) else {
            return Self {
                from: [Vec::new(), Vec::new()],
            };
        };
        // Outside the box there is none of the label, as outside the map.
        let surfaces =
            [a, b].map(|map| surface(map.slice(s![z.clone(), y.clone(), x.clone()]), label));
        let [in_a, in_b] = &surfaces;
        Self {
            from: [
                distances(in_a, in_b, spacing),
                distances(in_b, in_a, spacing),
            ],
        }
    }

    /// 95th percentile of all distances of both ways together, interpolated linearly between
    /// neighbours as numpy does.
    pub fn hd95_mm(&self) -> f64 {
        self.or_missing(0.0, MISSING_SURFACE_MM, || {
            let mut all = self.from.concat();
            all.sort_unstable_by(f32::total_cmp);
            percentile(&all, 0.95)
        })
    }

    /// Mean of the two ways' mean distances (medpy's average symmetric surface distance).
    pub fn average_mm(&self) -> f64 {
        self.or_missing(0.0, MISSING_SURFACE_MM, || {
            let mean =
                |all: &Vec<f32>| all.iter().map(|v| f64::from(*v)).sum::<f64>() / all.len() as f64;
            self.from.iter().map(mean).sum::<f64>() / 2.0
        })
    }

    /// Share of surface voxels of both maps whose distance is at most the tolerance.
    ///
    /// Voxels are counted. DeepMind's surface Dice weighs them by the area of the surface through
    /// them; on smooth organs the two differ by little.
    pub fn normalized_dice(&self, tolerance_mm: f64) -> f64 {
        self.or_missing(1.0, 0.0, || {
            let near = |all: &Vec<f32>| all.partition_point(|v| f64::from(*v) <= tolerance_mm);
            let near: usize = self.from.iter().map(near).sum();
            let all: usize = self.from.iter().map(Vec::len).sum();
            near as f64 / all as f64
        })
    }

    fn or_missing(&self, neither: f64, one: f64, both: impl FnOnce() -> f64) -> f64 {
        match [self.from[0].is_empty(), self.from[1].is_empty()] {
            [true, true] => neither,
            [false, false] => both(),
            _ => one,
        }
    }
}

/// The box around a label in both maps, `None` if neither has it.
fn bounds(a: ArrayView3<'_, u16>, b: ArrayView3<'_, u16>, label: u16) -> Option<[Range<usize>; 3]> {
    let mut low = [usize::MAX; 3];
    let mut high = [0; 3];
    Zip::indexed(a).and(b).for_each(|(z, y, x), a, b| {
        if *a == label || *b == label {
            for (axis, at) in [z, y, x].into_iter().enumerate() {
                low[axis] = low[axis].min(at);
                high[axis] = high[axis].max(at + 1);
            }
        }
    });
    (high[0] > 0).then(|| std::array::from_fn(|axis| low[axis]..high[axis]))
}

/// Voxels of the label with a neighbour that is not of it.
fn surface(map: ArrayView3<'_, u16>, label: u16) -> Array3<bool> {
    let inside = |z: usize, y: usize, x: usize| map.get([z, y, x]) == Some(&label);
    Array3::from_shape_fn(map.dim(), |(z, y, x)| {
        // Below zero wraps around to an index that no map has.
        let (above, below) = (|n: usize| n.wrapping_add(1), |n: usize| n.wrapping_sub(1));
        inside(z, y, x)
            && !(inside(above(z), y, x)
                && inside(below(z), y, x)
                && inside(z, above(y), x)
                && inside(z, below(y), x)
                && inside(z, y, above(x))
                && inside(z, y, below(x)))
    })
}

/// Distances from every voxel of one surface to the other, ascending.
///
/// If the other surface is empty they are infinite.
fn distances(from: &Array3<bool>, to: &Array3<bool>, spacing: SpacingMm) -> Vec<f32> {
    let mut field = to.mapv(|marked| if marked { 0.0 } else { f32::INFINITY });
    squared_distances(&mut field, spacing);
    let mut found: Vec<f32> = from
        .iter()
        .zip(&field)
        .filter(|(on, _)| **on)
        .map(|(_, square)| square.sqrt())
        .collect();
    found.sort_unstable_by(f32::total_cmp);
    found
}

/// A percentile of ascending values, at least one.
fn percentile(ascending: &[f32], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let below = f64::from(ascending[place.floor() as usize]);
    let above = f64::from(ascending[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn measure(a: &Array3<u16>, b: &Array3<u16>, spacing: [f64; 3]) -> SurfaceDistances {
        SurfaceDistances::new(a.view(), b.view(), 1, SpacingMm::from_zyx(spacing).unwrap())
    }

    fn cube(from: usize, to: usize) -> Array3<u16> {
        let inside = from..to;
        Array3::from_shape_fn((12, 12, 12), |(z, y, x)| {
            u16::from(inside.contains(&z) && inside.contains(&y) && inside.contains(&x))
        })
    }

    #[test]
    fn cubes_in_each_other() {
        // Every face voxel of the inner cube is one step from the outer's.
        let found = measure(&cube(3, 8), &cube(2, 9), [1.0; 3]);
        assert_eq!(found.from[0].iter().copied().fold(0.0, f32::max), 1.0);
        assert_eq!(found.from[1].last(), Some(&3.0_f32.sqrt()));
        assert_eq!(found.normalized_dice(2.0), 1.0);
        assert_eq!(found.normalized_dice(0.5), 0.0);
        let same = measure(&cube(3, 8), &cube(3, 8), [2.0, 1.0, 0.5]);
        assert_eq!(
            (same.hd95_mm(), same.average_mm(), same.normalized_dice(0.0)),
            (0.0, 0.0, 1.0)
        );
    }

    #[test]
    fn a_shifted_plane_is_as_far_as_its_spacing_says() {
        let plane = |at: usize| Array3::from_shape_fn((6, 5, 4), |(z, _, _)| u16::from(z == at));
        let found = measure(&plane(1), &plane(4), [2.5, 1.0, 1.0]);
        assert_eq!((found.hd95_mm(), found.average_mm()), (7.5, 7.5));
        assert_eq!(
            (found.normalized_dice(7.4), found.normalized_dice(7.5)),
            (0.0, 1.0)
        );
    }

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([0, 1, 2, 3, 10], 95) == 8.6
        assert!((percentile(&[0.0, 1.0, 2.0, 3.0, 10.0], 0.95) - 8.6).abs() < 1e-9);
        assert_eq!(percentile(&[4.0], 0.95), 4.0);
    }

    #[test]
    fn empty_maps_follow_the_rules() {
        let (none, some) = (cube(0, 0), cube(3, 8));
        let neither = measure(&none, &none, [1.0; 3]);
        let rules = |d: &SurfaceDistances| (d.hd95_mm(), d.average_mm(), d.normalized_dice(3.0));
        assert_eq!(rules(&neither), (0.0, 0.0, 1.0));
        for one in [
            measure(&none, &some, [1.0; 3]),
            measure(&some, &none, [1.0; 3]),
        ] {
            assert_eq!(rules(&one), (998.0, 998.0, 0.0));
        }
    }

    /// All pairs of surface voxels, the whole map at once.
    fn brute_force(a: &Array3<u16>, b: &Array3<u16>, spacing: [f64; 3]) -> [Vec<f64>; 2] {
        let points = |map: &Array3<u16>| -> Vec<[f64; 3]> {
            let marked = surface(map.view(), 1);
            let on = marked.indexed_iter().filter(|(_, on)| **on);
            on.map(|((z, y, x), _)| {
                [
                    z as f64 * spacing[0],
                    y as f64 * spacing[1],
                    x as f64 * spacing[2],
                ]
            })
            .collect()
        };
        let far = |p: &[f64; 3], q: &[f64; 3]| -> f64 {
            (0..3)
                .map(|axis| (p[axis] - q[axis]).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let (a, b) = (points(a), points(b));
        [(&a, &b), (&b, &a)].map(|(from, to)| {
            let nearest = |p| to.iter().map(|q| far(p, q)).fold(f64::INFINITY, f64::min);
            let mut all: Vec<f64> = from.iter().map(nearest).collect();
            all.sort_by(f64::total_cmp);
            all
        })
    }

    proptest! {
        #[test]
        fn equals_brute_force(
            size in prop::array::uniform3(1_usize..8),
            spacing in prop::array::uniform3(0.3_f64..5.0),
            bits in prop::collection::vec((0_u16..2, 0_u16..2), 512),
        ) {
            let shape = (size[0], size[1], size[2]);
            let flat = |z: usize, y: usize, x: usize| (z * size[1] + y) * size[2] + x;
            let a = Array3::from_shape_fn(shape, |(z, y, x)| bits[flat(z, y, x)].0);
            let b = Array3::from_shape_fn(shape, |(z, y, x)| bits[flat(z, y, x)].1);
            let found = measure(&a, &b, spacing);
            let expected = brute_force(&a, &b, spacing);
            for way in 0..2 {
                prop_assert_eq!(found.from[way].len(), expected[way].len());
                for (found, expected) in found.from[way].iter().zip(&expected[way]) {
                    let same = f64::from(*found) == *expected
                        || (f64::from(*found) - expected).abs() <= 1e-5 * expected;
                    prop_assert!(same, "{} {}", found, expected);
                }
            }
        }
    }
}
