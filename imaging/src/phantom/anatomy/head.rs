//! A brain, its skull stripped.

use super::super::tissue::Tissue::*;
use super::{Organ, balls, tube};

const BRAIN_BALLS: &[[[f64; 3]; 3]] = &[
    [[21.0, -4.0, 4.0], [44.0, 72.0, 54.0], [0.0; 3]],
    [[-21.0, -4.0, 4.0], [44.0, 72.0, 54.0], [0.0; 3]],
    [[0.0, 0.0, 0.0], [44.0, 84.0, 48.0], [0.0; 3]],
];
const CEREBELLUM: &[[[f64; 3]; 3]] = &[
    [[20.0, -50.0, -48.0], [28.0, 28.0, 20.0], [0.0; 3]],
    [[-20.0, -50.0, -48.0], [28.0, 28.0, 20.0], [0.0; 3]],
];

/// Later rows lie over earlier ones.
pub(super) const BRAIN: &[Organ] = &[
    balls("brain", Csf, BRAIN_BALLS, 10.0)
        .inset(-1.0)
        .lumps(2.0, 30.0)
        .sway(2.0, 0.05),
    balls("cerebellum", Csf, CEREBELLUM, 8.0)
        .inset(-3.0)
        .lumps(1.0, 20.0)
        .sway(2.0, 0.05),
    tube(
        "stem",
        WhiteMatter,
        &[
            [0.0, -14.0, -20.0, 15.0],
            [0.0, -26.0, -56.0, 13.0],
            [0.0, -32.0, -84.0, 8.0],
        ],
    )
    .sway(2.0, 0.05),
    balls("brain", GreyMatter, BRAIN_BALLS, 10.0)
        .inset(4.0)
        .lumps(5.0, 9.0)
        .sway(2.0, 0.05),
    balls("brain", WhiteMatter, BRAIN_BALLS, 10.0)
        .inset(13.0)
        .lumps(6.0, 9.0)
        .sway(2.0, 0.05)
        .over(&[GreyMatter]),
    balls(
        "fissure",
        Csf,
        &[[[0.0, 2.0, 52.0], [1.6, 84.0, 36.0], [0.0; 3]]],
        0.0,
    )
    .lumps(1.0, 12.0)
    .sway(1.0, 0.02)
    .over(&[GreyMatter, WhiteMatter]),
    balls("cerebellum", GreyMatter, CEREBELLUM, 8.0)
        .lumps(2.0, 6.0)
        .sway(2.0, 0.05),
    balls("cerebellum", WhiteMatter, CEREBELLUM, 8.0)
        .inset(9.0)
        .lumps(3.0, 7.0)
        .sway(2.0, 0.05),
    balls(
        "basal right",
        DeepGrey,
        &[[[24.0, 8.0, 4.0], [7.0, 20.0, 12.0], [0.0, 0.0, 14.0]]],
        0.0,
    )
    .sway(2.0, 0.1),
    balls(
        "basal left",
        DeepGrey,
        &[[[-24.0, 8.0, 4.0], [7.0, 20.0, 12.0], [0.0, 0.0, -14.0]]],
        0.0,
    )
    .sway(2.0, 0.1),
    balls(
        "thalamus right",
        DeepGrey,
        &[[[11.0, -14.0, 4.0], [8.0, 14.0, 9.0], [0.0; 3]]],
        0.0,
    )
    .sway(2.0, 0.1),
    balls(
        "thalamus left",
        DeepGrey,
        &[[[-11.0, -14.0, 4.0], [8.0, 14.0, 9.0], [0.0; 3]]],
        0.0,
    )
    .sway(2.0, 0.1),
    tube(
        "ventricle right",
        Csf,
        &[
            [11.0, 34.0, 14.0, 5.0],
            [11.0, -6.0, 20.0, 6.0],
            [22.0, -40.0, 10.0, 7.0],
            [32.0, -14.0, -14.0, 3.5],
        ],
    )
    .sway(2.0, 0.25),
    tube(
        "ventricle left",
        Csf,
        &[
            [-11.0, 34.0, 14.0, 5.0],
            [-11.0, -6.0, 20.0, 6.0],
            [-22.0, -40.0, 10.0, 7.0],
            [-32.0, -14.0, -14.0, 3.5],
        ],
    )
    .sway(2.0, 0.25),
    balls(
        "third ventricle",
        Csf,
        &[[[0.0, -8.0, 2.0], [2.5, 14.0, 9.0], [0.0; 3]]],
        0.0,
    )
    .sway(1.0, 0.2),
];
