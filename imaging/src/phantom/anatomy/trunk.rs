//! Organs between pelvis and neck.

use super::super::tissue::Tissue::{self, *};
use super::{Organ, balls, tube};

/// Ellipsoids of skin, and with an inset those of fat's and muscle's inner faces.
const BODY: &[[[f64; 3]; 3]] = &[
    [[0.0, 0.0, -190.0], [176.0, 112.0, 170.0], [0.0; 3]],
    [[0.0, 0.0, -30.0], [162.0, 112.0, 220.0], [0.0; 3]],
    [[0.0, 0.0, 150.0], [168.0, 114.0, 175.0], [0.0; 3]],
    [[0.0, -8.0, 255.0], [188.0, 88.0, 70.0], [0.0; 3]],
    [[0.0, -8.0, 340.0], [62.0, 64.0, 130.0], [0.0; 3]],
    [[88.0, 0.0, -330.0], [82.0, 92.0, 200.0], [0.0; 3]],
    [[-88.0, 0.0, -330.0], [82.0, 92.0, 200.0], [0.0; 3]],
];
const CAVITY: &[[[f64; 3]; 3]] = &[
    [[0.0, 14.0, -80.0], [132.0, 78.0, 130.0], [0.0; 3]],
    [[0.0, 8.0, 30.0], [138.0, 88.0, 90.0], [0.0; 3]],
    [[0.0, 4.0, 140.0], [134.0, 86.0, 130.0], [0.0; 3]],
    [[0.0, 6.0, -215.0], [72.0, 66.0, 62.0], [0.0; 3]],
];

/// From the skin inwards.
pub(super) const WALL: &[Organ] = &[
    balls(
        "couch",
        Couch,
        &[[[0.0, -136.0, 0.0], [215.0, 9.0, 4000.0], [0.0; 3]]],
        0.0,
    )
    .sway(0.0, 0.0)
    .lumps(0.0, 1.0),
    balls("body", Fat, BODY, 40.0)
        .sway(0.0, 0.0)
        .lumps(2.0, 40.0),
    balls("body", Muscle, BODY, 40.0)
        .sway(0.0, 0.0)
        .lumps(4.0, 35.0)
        .inset(17.0),
    balls("cavity", VisceralFat, CAVITY, 20.0)
        .sway(0.0, 0.02)
        .lumps(3.0, 30.0),
    tube(
        "psoas right",
        Muscle,
        &[
            [36.0, -52.0, 10.0, 10.0],
            [46.0, -46.0, -90.0, 20.0],
            [70.0, -8.0, -190.0, 16.0],
        ],
    ),
    tube(
        "psoas left",
        Muscle,
        &[
            [-36.0, -52.0, 10.0, 10.0],
            [-46.0, -46.0, -90.0, 20.0],
            [-70.0, -8.0, -190.0, 16.0],
        ],
    ),
];

/// Lungs, heart, airways; the abdomen's organs rise into the lungs from below.
pub(super) const CHEST: &[Organ] = &[
    balls(
        "lung right",
        Lung,
        &[
            [[70.0, -4.0, 130.0], [60.0, 78.0, 95.0], [0.0; 3]],
            [[62.0, -10.0, 190.0], [46.0, 58.0, 80.0], [0.0; 3]],
        ],
        20.0,
    ),
    balls(
        "lung left",
        Lung,
        &[
            [[-72.0, -8.0, 130.0], [56.0, 74.0, 95.0], [0.0; 3]],
            [[-62.0, -10.0, 190.0], [46.0, 58.0, 80.0], [0.0; 3]],
        ],
        20.0,
    ),
    balls(
        "mediastinum",
        VisceralFat,
        &[[[0.0, 12.0, 150.0], [30.0, 66.0, 110.0], [0.0; 3]]],
        0.0,
    ),
    balls(
        "heart",
        Heart,
        &[[[-22.0, 30.0, 112.0], [50.0, 42.0, 48.0], [0.0, 20.0, -25.0]]],
        0.0,
    ),
    tube(
        "airway right",
        Airway,
        &[
            [0.0, -10.0, 360.0, 8.0],
            [0.0, -14.0, 185.0, 8.0],
            [34.0, -14.0, 150.0, 6.0],
        ],
    )
    .lumps(0.0, 1.0),
    tube(
        "airway left",
        Airway,
        &[[0.0, -14.0, 185.0, 8.0], [-36.0, -14.0, 148.0, 6.0]],
    )
    .lumps(0.0, 1.0),
    tube(
        "arch",
        GreatVessel,
        &[
            [-4.0, 30.0, 140.0, 14.0],
            [4.0, 30.0, 185.0, 14.0],
            [-8.0, 0.0, 205.0, 13.0],
            [-18.0, -34.0, 185.0, 12.0],
            [-18.0, -36.0, 130.0, 12.0],
        ],
    )
    .lumps(0.0, 1.0)
    .sway(2.0, 0.03),
    tube(
        "vena cava superior",
        GreatVessel,
        &[[22.0, 22.0, 240.0, 8.0], [24.0, 22.0, 140.0, 9.0]],
    )
    .lumps(0.0, 1.0),
];

/// Hips, bladder, prostate.
pub(super) const PELVIS: &[Organ] = &[
    balls(
        "sacrum",
        Bone,
        &[[[0.0, -74.0, -200.0], [48.0, 20.0, 52.0], [-20.0, 0.0, 0.0]]],
        0.0,
    ),
    tube(
        "hip right",
        Bone,
        &[
            [52.0, -70.0, -165.0, 10.0],
            [112.0, -18.0, -120.0, 8.0],
            [104.0, 0.0, -175.0, 10.0],
            [88.0, 4.0, -215.0, 15.0],
            [22.0, 52.0, -238.0, 9.0],
        ],
    )
    .sway(2.0, 0.03),
    tube(
        "hip left",
        Bone,
        &[
            [-52.0, -70.0, -165.0, 10.0],
            [-112.0, -18.0, -120.0, 8.0],
            [-104.0, 0.0, -175.0, 10.0],
            [-88.0, 4.0, -215.0, 15.0],
            [-22.0, 52.0, -238.0, 9.0],
        ],
    )
    .sway(2.0, 0.03),
    tube(
        "ischium right",
        Bone,
        &[
            [84.0, 0.0, -225.0, 13.0],
            [62.0, -32.0, -275.0, 11.0],
            [24.0, 46.0, -250.0, 7.0],
        ],
    )
    .sway(2.0, 0.03),
    tube(
        "ischium left",
        Bone,
        &[
            [-84.0, 0.0, -225.0, 13.0],
            [-62.0, -32.0, -275.0, 11.0],
            [-24.0, 46.0, -250.0, 7.0],
        ],
    )
    .sway(2.0, 0.03),
    tube(
        "femur right",
        Bone,
        &[
            [94.0, 4.0, -222.0, 23.0],
            [122.0, -4.0, -250.0, 15.0],
            [120.0, -4.0, -420.0, 14.0],
        ],
    )
    .sway(2.0, 0.03),
    tube(
        "femur left",
        Bone,
        &[
            [-94.0, 4.0, -222.0, 23.0],
            [-122.0, -4.0, -250.0, 15.0],
            [-120.0, -4.0, -420.0, 14.0],
        ],
    )
    .sway(2.0, 0.03),
    balls(
        "obturator right",
        Muscle,
        &[[[50.0, 2.0, -240.0], [13.0, 38.0, 34.0], [0.0; 3]]],
        0.0,
    ),
    balls(
        "obturator left",
        Muscle,
        &[[[-50.0, 2.0, -240.0], [13.0, 38.0, 34.0], [0.0; 3]]],
        0.0,
    ),
    balls(
        "bladder",
        Bladder,
        &[[[0.0, 26.0, -192.0], [40.0, 32.0, 32.0], [0.0; 3]]],
        0.0,
    )
    .sway(5.0, 0.3),
    balls("prostate", ProstatePeripheral, PROSTATE, 0.0).sway(4.0, 0.25),
    balls(
        "prostate",
        ProstateCentral,
        &[[[0.0, 5.0, -237.0], [17.0, 13.0, 16.0], [0.0; 3]]],
        0.0,
    )
    .sway(4.0, 0.25)
    .over(&[ProstatePeripheral]),
];
const PROSTATE: &[[[f64; 3]; 3]] = &[[[0.0, 2.0, -239.0], [27.0, 20.0, 23.0], [0.0; 3]]];

const STOMACH: &[[[f64; 3]; 3]] = &[
    [[-66.0, 30.0, 38.0], [38.0, 36.0, 42.0], [0.0; 3]],
    [[-30.0, 50.0, 2.0], [40.0, 22.0, 26.0], [0.0, 0.0, -10.0]],
];
const KIDNEY_RIGHT: &[[[f64; 3]; 3]] =
    &[[[66.0, -46.0, -50.0], [30.0, 27.0, 54.0], [0.0, 8.0, 35.0]]];
const KIDNEY_LEFT: &[[[f64; 3]; 3]] = &[[
    [-68.0, -46.0, -36.0],
    [30.0, 27.0, 54.0],
    [0.0, -8.0, -35.0],
]];
const COLON: &[[f64; 4]] = &[
    [92.0, 18.0, -156.0, 24.0],
    [106.0, 0.0, -95.0, 21.0],
    [98.0, 22.0, -62.0, 20.0],
    [40.0, 72.0, -72.0, 19.0],
    [-36.0, 74.0, -64.0, 18.0],
    [-106.0, 20.0, -14.0, 18.0],
    [-112.0, -14.0, -90.0, 16.0],
    [-98.0, 6.0, -152.0, 16.0],
    [-52.0, 18.0, -166.0, 15.0],
    [-6.0, -24.0, -182.0, 15.0],
    [0.0, -40.0, -210.0, 19.0],
    [0.0, -44.0, -275.0, 13.0],
];

/// What the abdomen holds; over spine and lungs where they would overlap.
pub(super) const ABDOMEN: &[Organ] = &[
    balls(
        "bowel",
        Bowel,
        &[[[-8.0, 38.0, -118.0], [74.0, 40.0, 46.0], [0.0; 3]]],
        0.0,
    )
    .lumps(14.0, 20.0)
    .over(&[VisceralFat]),
    tube("colon", Colon, COLON).lumps(4.0, 17.0).over(SOFT),
    tube("colon", ColonContent, COLON)
        .lumps(4.0, 17.0)
        .inset(4.5)
        .over(&[Colon]),
    tube("colon", ColonGas, COLON)
        .lumps(11.0, 40.0)
        .inset(12.0)
        .over(&[ColonContent]),
    balls(
        "spleen",
        Spleen,
        &[[
            [-102.0, -36.0, 36.0],
            [23.0, 44.0, 48.0],
            [0.0, 15.0, -25.0],
        ]],
        0.0,
    )
    .sway(5.0, 0.15)
    .over(MOVABLE),
    balls("stomach", Stomach, STOMACH, 16.0).sway(5.0, 0.15),
    balls("stomach", StomachContent, STOMACH, 16.0)
        .sway(5.0, 0.15)
        .inset(4.5),
    balls("kidney right", Kidney, KIDNEY_RIGHT, 0.0),
    balls("kidney right", KidneyMedulla, KIDNEY_RIGHT, 0.0)
        .inset(8.0)
        .lumps(4.0, 11.0),
    balls(
        "kidney right",
        KidneySinus,
        &[[[54.0, -38.0, -50.0], [16.0, 11.0, 24.0], [0.0, 8.0, 35.0]]],
        0.0,
    )
    .over(&[Kidney, KidneyMedulla]),
    balls("kidney left", Kidney, KIDNEY_LEFT, 0.0),
    balls("kidney left", KidneyMedulla, KIDNEY_LEFT, 0.0)
        .inset(8.0)
        .lumps(4.0, 11.0),
    balls(
        "kidney left",
        KidneySinus,
        &[[
            [-56.0, -38.0, -36.0],
            [16.0, 11.0, 24.0],
            [0.0, -8.0, -35.0],
        ]],
        0.0,
    )
    .over(&[Kidney, KidneyMedulla]),
    tube(
        "aorta",
        GreatVessel,
        &[
            [-18.0, -36.0, 140.0, 11.0],
            [-12.0, -22.0, 0.0, 10.0],
            [-8.0, -20.0, -120.0, 9.0],
        ],
    )
    .lumps(0.0, 1.0)
    .sway(2.0, 0.03),
    tube(
        "aorta",
        GreatVessel,
        &[[-8.0, -20.0, -120.0, 7.0], [44.0, -6.0, -200.0, 6.0]],
    )
    .lumps(0.0, 1.0)
    .sway(2.0, 0.03),
    tube(
        "aorta",
        GreatVessel,
        &[[-8.0, -20.0, -120.0, 7.0], [-50.0, -6.0, -200.0, 6.0]],
    )
    .lumps(0.0, 1.0)
    .sway(2.0, 0.03),
    tube(
        "vena cava",
        GreatVessel,
        &[
            [20.0, -20.0, -125.0, 11.0],
            [20.0, -16.0, 40.0, 12.0],
            [16.0, 0.0, 110.0, 12.0],
        ],
    )
    .lumps(1.0, 12.0)
    .sway(2.0, 0.03),
    balls(
        "liver",
        Liver,
        &[
            [[80.0, 4.0, 34.0], [58.0, 76.0, 62.0], [0.0, 10.0, 0.0]],
            [[86.0, 0.0, -14.0], [40.0, 52.0, 50.0], [0.0; 3]],
            [[8.0, 46.0, 46.0], [70.0, 36.0, 36.0], [0.0, -8.0, 10.0]],
        ],
        26.0,
    )
    .lumps(3.0, 30.0)
    .over(MOVABLE),
    balls(
        "gallbladder",
        Gallbladder,
        &[[[52.0, 44.0, -30.0], [14.0, 21.0, 24.0], [0.0; 3]]],
        0.0,
    )
    .sway(4.0, 0.25),
    tube(
        "pancreas",
        Pancreas,
        &[
            [34.0, 2.0, -48.0, 17.0],
            [24.0, 14.0, -26.0, 15.0],
            [-4.0, 24.0, -16.0, 12.0],
            [-44.0, 4.0, -4.0, 13.0],
            [-84.0, -22.0, 12.0, 10.0],
        ],
    )
    .lumps(3.0, 9.0),
    tube(
        "portal vein",
        GreatVessel,
        &[
            [-4.0, 8.0, -30.0, 7.0],
            [26.0, 4.0, 0.0, 7.5],
            [48.0, 8.0, 22.0, 7.0],
        ],
    )
    .lumps(0.0, 1.0)
    .over(&[VisceralFat, Pancreas, Stomach]),
];

/// What liver and spleen push aside: neither ribs and spine nor the great vessels.
const MOVABLE: &[Tissue] = &[
    VisceralFat,
    Muscle,
    Lung,
    LungVessel,
    Heart,
    Bowel,
    Colon,
    ColonContent,
    ColonGas,
    Stomach,
    StomachContent,
    Kidney,
    KidneyMedulla,
    KidneySinus,
];

/// What the colon may push aside.
const SOFT: &[Tissue] = &[VisceralFat, Muscle, Bowel, Fat];
