use super::*;

/// Scale, image and label of [`SpatialCase::block`] turned by 20, -25 and 15 degrees.
struct SpatialCase {
    factor: f64,
    image: [f32; 60],
    label: [u8; 60],
}

const LARGER: SpatialCase = SpatialCase {
    factor: 1.3,
    image: [
        -0.926_480_4,
        -9.765_048,
        -4.354_255,
        -5.512_380_6,
        0.0,
        6.478_195,
        1.220_796_7,
        -6.893_254_3,
        2.502_036,
        -6.938_399,
        10.083_775,
        7.343_324,
        7.750_818_7,
        -9.698_6,
        -2.721_888_3,
        7.995_444_3,
        -0.957_521_5,
        0.0,
        0.0,
        0.0,
        9.868_245,
        3.199_129_3,
        11.476_521,
        3.460_326_7,
        4.074_558_7,
        -1.445_513_7,
        -3.800_107_2,
        -7.308_06,
        0.199_146_1,
        -1.213_771_1,
        -8.839_35,
        1.456_181_8,
        8.952_574,
        1.255_527_7,
        3.384_808_3,
        -8.847_239_5,
        3.815_41,
        -7.434_643_3,
        0.0,
        0.0,
        -5.698_293,
        10.759_561,
        -4.170_132_6,
        -0.001_531_1,
        0.0,
        1.351_819_3,
        0.908_280_8,
        -9.677_059,
        -5.046_067_7,
        0.0,
        10.688_108,
        -3.652_639,
        6.186_039_4,
        3.041_152_5,
        0.0,
        -4.651_241,
        3.142_57,
        0.558_408,
        -8.584_006,
        0.0,
    ],
    label: [
        1, 1, 0, 1, 0, 2, 2, 0, 1, 1, 0, 2, 0, 0, 2, 1, 0, 0, 0, 0, 0, 2, 2, 0, 2, 1, 0, 0, 0, 2,
        1, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2, 0, 1, 0,
    ],
};

const SMALLER: SpatialCase = SpatialCase {
    factor: 0.7,
    image: [
        -3.994_763,
        -4.961_319,
        -3.479_783_3,
        0.304_053_5,
        -5.309_969,
        -0.788_191_5,
        -9.223_791,
        -9.899_034,
        -2.612_421,
        -5.687_481,
        5.219_477_7,
        -2.285_031,
        -0.409_912_8,
        -7.497_317_3,
        -10.244_145,
        -1.563_890_3,
        -2.289_626_4,
        6.837_026,
        -1.349_901,
        -1.693_513_3,
        -3.090_950_7,
        -3.206_339_1,
        -4.491_418_4,
        4.393_265_2,
        4.287_577,
        -1.514_831_9,
        -3.731_791,
        -5.294_378,
        -0.545_754_1,
        -2.698_022_4,
        4.875_592,
        1.265_480_8,
        5.851_843_4,
        2.082_717,
        -0.601_632_4,
        -3.539_783_7,
        -1.181_957_1,
        7.756_774,
        2.709_900_6,
        -0.057_653_6,
        4.460_833,
        1.024_785_4,
        -7.730_701,
        4.850_693,
        8.490_414,
        1.346_917_5,
        1.108_730_7,
        -0.515_621,
        2.533_918_4,
        -3.435_409_8,
        3.708_492_5,
        2.454_61,
        11.129_146,
        9.045_418,
        0.348_522_5,
        0.604_442_2,
        5.912_822_7,
        10.126_814,
        6.054_49,
        1.916_097_3,
    ],
    label: [
        0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    ],
};

impl SpatialCase {
    const PATCH: [usize; 3] = [3, 4, 5];

    fn block() -> Block {
        let extent = [6, 7, 8];
        Block {
            image: pattern(extent).insert_axis(Axis(0)),
            label: Array3::from_shape_fn(extent, |(z, y, x)| {
                ((z / 2 + y / 3 + 2 * (x / 3)) % 4) as i16 - 1
            }),
        }
    }
}

fn pattern(extent: [usize; 3]) -> Array3<f32> {
    Array3::from_shape_fn(extent, |(z, y, x)| {
        ((z * 31 + y * 17 + x * 7 + 3 * z * y * x) % 23) as f32 - 11.0
    })
}

/// Turned by angles in degrees, then scaled.
fn affine(degrees: [f64; 3], factor: f64) -> Spatial {
    let matrix = super::super::rotation::matrix(degrees.map(f64::to_radians));
    Spatial {
        matrix: matrix.map(|row| row.map(|v| v * factor)),
        displacement: None,
    }
}

/// `augment_spatial` of batchgenerators 0.21 on scipy 1.13.1 (order 3 and 1, `mode="constant"`,
/// 0 and -1 beyond the block), where -1 becomes 0 at last. Includes points beyond the block.
#[test]
fn patches_equal_batchgenerators() {
    for case in [LARGER, SMALLER] {
        let spatial = affine([20.0, -25.0, 15.0], case.factor);
        let sample = spatial.resample(SpatialCase::block(), SpatialCase::PATCH);
        for ((at, found), expected) in sample.image.indexed_iter().zip(case.image) {
            assert!(
                (found - expected).abs() < 2e-5,
                "{at:?}: {found} {expected}"
            );
        }
        assert_eq!(sample.label.as_slice().unwrap(), case.label);
    }
}

#[test]
fn what_is_neither_turned_nor_scaled_is_cut_out_as_it_is() {
    let block = SpatialCase::block();
    // Blocks that are odd, even, equal and smaller.
    for (patch, start) in [
        ([2, 3, 4], [2, 2, 2]),
        ([3, 4, 7], [1, 1, 0]),
        ([6, 7, 8], [0, 0, 0]),
    ] {
        let sample = centre_crop(&block, patch);
        let [z, y, x] = [0, 1, 2].map(|axis| start[axis]..start[axis] + patch[axis]);
        let image = block.image.slice(s![.., z.clone(), y.clone(), x.clone()]);
        assert_eq!(sample.image, image);
        assert_eq!(sample.label, block.label.slice(s![z, y, x]).mapv(to_u8));
    }
    let sample = centre_crop(&block, [6, 10, 9]);
    assert_eq!(
        sample.image.slice(s![.., .., 2..9, 1..9]),
        block.image,
        "one more before than behind"
    );
    assert_eq!(sample.image.sum(), block.image.sum());
}

/// Only a part of a large block is fitted: the same values as from all of it.
#[test]
fn the_part_that_is_fitted_is_large_enough() {
    let extent = [64, 60, 70];
    let block = Block {
        image: pattern(extent).insert_axis(Axis(0)),
        label: Array3::zeros(extent),
    };
    let (patch, spatial) = ([9, 8, 11], affine([-10.0, 30.0, 20.0], 0.9));
    let region = spatial.region(patch, extent);
    assert!(region.iter().all(|range| range.len() < 44), "{region:?}");
    let mut whole = block.image.clone().remove_axis(Axis(0));
    fit_spline(whole.view_mut());
    let sample = spatial.resample(block, patch);
    for ((_, z, y, x), found) in sample.image.indexed_iter() {
        let at = spatial.source([z, y, x], patch, extent);
        let tap = CubicTap::at(at, Extent::from_zyx(extent)).unwrap();
        let expected = tap.value(whole.as_slice().unwrap());
        assert!((found - expected).abs() < 2e-5, "{found} {expected}");
    }
}

#[test]
fn displacements_are_turned_and_scaled_with_the_patch() {
    let block = SpatialCase::block();
    let mut spatial = affine([0.0, 0.0, 0.0], 1.0);
    let shift = |z, y, x| Some([z, y, x].map(|v| Array3::from_elem([2, 3, 2], v)));
    // The patch's centre lies on voxel (3, 4, 4).
    spatial.displacement = shift(-0.5, 1.0, 1.5);
    let sample = spatial.resample(block.clone(), [2, 3, 2]);
    let expected = block.image.slice(s![.., 2..4, 4..7, 5..7]);
    for (found, expected) in sample.image.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    // Far beyond the block there is nothing.
    spatial.displacement = shift(1e9, 0.0, 0.0);
    let sample = spatial.resample(block, [2, 3, 2]);
    assert!(sample.image.iter().all(|v| *v == 0.0));
    assert!(sample.label.iter().all(|v| *v == 0));
}
