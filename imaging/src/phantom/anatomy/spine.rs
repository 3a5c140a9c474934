//! What repeats along the spine.

use super::super::random::{Random, key_of};
use super::super::shape::{Ellipsoid, Shape, Structure};
use super::super::space::{Point, rotation};
use super::super::tissue::Tissue;

/// Lowest and highest vertebra, and their distance, in millimetres along z.
const LOWEST: f64 = -138.0;
const COUNT: usize = 15;
const PITCH: f64 = 33.0;

/// Curve of the spine: how far forward its middle lies at a height.
fn curve(z: f64) -> f64 {
    -57.0 + 7.0 * (z / 95.0).cos()
}

fn part(tissue: Tissue, shape: Shape, lumps: f64, key: u64) -> Structure {
    Structure {
        tissue,
        shape,
        inset: 0.0,
        lumps: [lumps, 8.0],
        key,
        over: &[],
    }
}

fn capsule(tissue: Tissue, ends: [Point; 2], radii: [f64; 2], key: u64) -> Structure {
    part(tissue, Shape::Capsule(ends, radii), 0.5, key)
}

/// Discs, vertebrae with their arches and processes, and the canal through them.
pub(super) fn vertebrae(patient: u64, out: &mut Vec<Structure>) {
    let key = key_of(patient, "spine");
    let mut random = Random::keyed(key);
    let height = |index: usize| LOWEST + PITCH * index as f64;
    let middle = |z: f64| -> Point { [0.0, curve(z), z] };
    let canal = |z: f64| -> Point { [0.0, curve(z) - 25.0, z] };
    // Discs show only where no vertebra lies over them.
    for index in 0..COUNT {
        let (z, next) = (height(index) - 0.5 * PITCH, height(index) + 0.5 * PITCH);
        out.push(capsule(
            Tissue::Disc,
            [middle(z), middle(next)],
            [16.0; 2],
            key,
        ));
    }
    for index in 0..COUNT {
        let z = height(index);
        let size = (1.08 - 0.022 * index as f64) * (1.0 + 0.05 * random.signed());
        let [x, y, _] = middle(z);
        let at = |dx: f64, dy: f64, dz: f64| [x + dx * size, y + dy * size, z + dz * size];
        // Two flattened balls make a vertebral body with a waist.
        let plate = |dz| Ellipsoid {
            centre: at(0.0, 0.0, dz),
            radii: [22.0 * size, 17.0 * size, 10.0 * size],
            turn: rotation([0.0; 3]),
        };
        let body = Shape::Balls(vec![plate(-5.5), plate(5.5)], 6.0);
        out.push(part(Tissue::Vertebra, body, 1.0, key));
        for side in [-1.0, 1.0] {
            let bones = [
                (
                    [at(13.0 * side, -12.0, 2.0), at(11.0 * side, -30.0, 0.0)],
                    [5.5, 6.0],
                ),
                (
                    [at(11.0 * side, -30.0, 0.0), at(0.0, -38.0, -4.0)],
                    [5.5, 5.5],
                ),
                (
                    [at(12.0 * side, -28.0, 2.0), at(36.0 * side, -33.0, 4.0)],
                    [5.5, 4.0],
                ),
            ];
            for (ends, radii) in bones {
                out.push(capsule(Tissue::Vertebra, ends, radii, key));
            }
        }
        let spine = [at(0.0, -38.0, -3.0), at(0.0, -57.0, -10.0)];
        out.push(capsule(Tissue::Vertebra, spine, [5.0, 4.0], key));
    }
    for index in 0..COUNT {
        let (z, next) = (height(index) - 0.5 * PITCH, height(index) + 0.5 * PITCH);
        out.push(capsule(
            Tissue::Cord,
            [canal(z), canal(next)],
            [8.0; 2],
            key,
        ));
    }
}

/// Ten ribs on either side, falling to the front, and the breastbone.
pub(super) fn ribs(out: &mut Vec<Structure>) {
    const RIBS: usize = 10;
    /// Corners of a rib; between them it is straight.
    const CORNERS: usize = 7;
    for index in 0..RIBS {
        let z = 30.0 + 24.0 * index as f64;
        // The cage narrows to the top.
        let narrow = 1.0 - 0.045 * (index as f64 - 5.0).max(0.0).powf(1.4);
        for side in [-1.0, 1.0] {
            let corner = |step: usize| {
                let share = step as f64 / (CORNERS - 1) as f64;
                let angle = (-68.0 + 128.0 * share).to_radians();
                [
                    side * 144.0 * narrow * angle.cos(),
                    95.0 * narrow * angle.sin(),
                    z - 45.0 * share,
                ]
            };
            out.extend(
                (1..CORNERS).map(|step| {
                    capsule(Tissue::Bone, [corner(step - 1), corner(step)], [5.0; 2], 0)
                }),
            );
        }
    }
    let breastbone = Ellipsoid {
        centre: [0.0, 94.0, 130.0],
        radii: [17.0, 6.0, 70.0],
        turn: rotation([-4.0, 0.0, 0.0]),
    };
    out.push(part(
        Tissue::Bone,
        Shape::Balls(vec![breastbone], 0.0),
        0.5,
        0,
    ));
}
