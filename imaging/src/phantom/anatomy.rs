//! Bodies as ordered lists of parts: what is painted later lies over what was painted earlier.
//!
//! Coordinates are RAS+ millimetres: x grows to the patient's right, y to the front, z to the
//! head. The trunk's origin lies in front of the first lumbar vertebra, the head's in its middle.
//! Members of the family are rows of tables: an organ is data, only what repeats (spine, ribs,
//! branching vessels, lesions) has a rule.

mod head;
mod lesion;
mod spine;
mod tree;
mod trunk;

pub(super) use lesion::{BRAIN_LESIONS, Lesion, TRUNK_LESIONS};

use super::random::{Random, key, key_of, smooth_noise};
use super::shape::{Ellipsoid, Shape, Structure};
use super::space::{Matrix, Point, apply, minus, plus, product, rotation, times, transposed};
use super::tissue::Tissue;
use tree::Tree;

/// Something to paint.
pub(super) enum Layer {
    /// Organs, each a row.
    Organs(&'static [Organ]),
    /// Branching vessels, each a row.
    Trees(&'static [Tree]),
    /// Vertebrae, discs and the spinal canal.
    Spine,
    /// Ribs and breastbone.
    Ribs,
}

/// All of a trunk, from the pelvis to the neck.
pub(super) const TRUNK: &[Layer] = &[
    Layer::Organs(trunk::WALL),
    Layer::Organs(trunk::CHEST),
    Layer::Trees(tree::LUNG),
    Layer::Ribs,
    Layer::Organs(trunk::PELVIS),
    Layer::Spine,
    Layer::Organs(trunk::ABDOMEN),
    Layer::Trees(tree::LIVER),
];

/// A brain without its skull.
pub(super) const HEAD: &[Layer] = &[Layer::Organs(head::BRAIN)];

/// A row of an organ table.
pub(super) struct Organ {
    /// Rows of one name move and grow together.
    name: &'static str,
    tissue: Tissue,
    form: Form,
    /// Millimetres taken off all around: a lumen in a wall, a medulla in a cortex.
    inset: f64,
    /// Height and distance of the surface's lumps, in millimetres.
    lumps: [f64; 2],
    /// Largest shift in millimetres, and largest change of size.
    sway: [f64; 2],
    over: &'static [Tissue],
}

/// The form of an organ.
enum Form {
    /// Ellipsoids melted together over some millimetres: (centre, radii, degrees about x, y, z).
    Balls(&'static [[Point; 3]], f64),
    /// A tube through points (x, y, z, radius).
    Tube(&'static [[f64; 4]]),
}

const fn balls(
    name: &'static str,
    tissue: Tissue,
    balls: &'static [[Point; 3]],
    blend: f64,
) -> Organ {
    organ(name, tissue, Form::Balls(balls, blend))
}

const fn tube(name: &'static str, tissue: Tissue, nodes: &'static [[f64; 4]]) -> Organ {
    organ(name, tissue, Form::Tube(nodes))
}

const fn organ(name: &'static str, tissue: Tissue, form: Form) -> Organ {
    Organ {
        name,
        tissue,
        form,
        inset: 0.0,
        lumps: [1.5, 16.0],
        sway: [5.0, 0.1],
        over: &[],
    }
}

impl Organ {
    const fn inset(self, inset: f64) -> Self {
        Self { inset, ..self }
    }

    const fn lumps(self, height: f64, grain: f64) -> Self {
        Self {
            lumps: [height, grain],
            ..self
        }
    }

    const fn sway(self, shift: f64, size: f64) -> Self {
        Self {
            sway: [shift, size],
            ..self
        }
    }

    const fn over(self, tissues: &'static [Tissue]) -> Self {
        Self {
            over: tissues,
            ..self
        }
    }

    /// The organ of one patient.
    fn pose(&self, patient: u64, out: &mut Vec<Structure>) {
        let key = key_of(patient, self.name);
        let mut random = Random::keyed(key);
        let shift = times(random.signed3(), self.sway[0]);
        let size = random.signed3().map(|s| 1.0 + self.sway[1] * s);
        let about = self.form.centre();
        let place = |point: Point| -> Point {
            let own = minus(point, about);
            let grown = std::array::from_fn(|axis| own[axis] * size[axis]);
            plus(plus(about, grown), shift)
        };
        let thickness = (size[0] * size[1] * size[2]).cbrt();
        let structure = |shape| Structure {
            tissue: self.tissue,
            shape,
            inset: self.inset,
            lumps: self.lumps,
            key: key_of(key, "lumps"),
            over: self.over,
        };
        match &self.form {
            Form::Balls(balls, blend) => {
                let tilt = rotation(times(random.signed3(), 60.0 * self.sway[1]));
                let ellipsoid = |[centre, radii, degrees]: &[Point; 3]| Ellipsoid {
                    centre: place(*centre),
                    radii: std::array::from_fn(|axis| radii[axis] * size[axis]),
                    // The table turns the ellipsoid; the shape wants the way back.
                    turn: transposed(&product(&tilt, &rotation(*degrees))),
                };
                let balls = balls.iter().map(ellipsoid).collect();
                out.push(structure(Shape::Balls(balls, *blend)));
            }
            Form::Tube(nodes) => out.extend(nodes.windows(2).map(|pair| {
                let ends = [0, 1].map(|end| place([pair[end][0], pair[end][1], pair[end][2]]));
                structure(Shape::Capsule(
                    ends,
                    [0, 1].map(|end| pair[end][3] * thickness),
                ))
            })),
        }
    }
}

impl Form {
    fn centre(&self) -> Point {
        let mean = |points: Vec<Point>| {
            let sum = points.iter().copied().fold([0.0; 3], plus);
            times(sum, 1.0 / points.len().max(1) as f64)
        };
        match self {
            Self::Balls(balls, _) => mean(balls.iter().map(|[centre, ..]| *centre).collect()),
            Self::Tube(nodes) => mean(nodes.iter().map(|[x, y, z, _]| [*x, *y, *z]).collect()),
        }
    }
}

/// A person: organs and lesions in the body's coordinates, and how the body lies in space.
pub(super) struct Patient {
    pub structures: Vec<Structure>,
    /// World to body, without the warp.
    pub into_body: Matrix,
    /// Key, height and grain of the smooth warp that makes nobody symmetric.
    pub warp: (u64, f64, f64),
    /// Key of everything that is this patient's alone.
    pub key: u64,
}

impl Patient {
    /// A patient with these lesions; those in `certain` are never missing.
    pub(super) fn new(
        key: u64,
        layers: &'static [Layer],
        lesions: &'static [Lesion],
        certain: &[Tissue],
    ) -> Self {
        let mut structures = Vec::new();
        for layer in layers {
            match layer {
                Layer::Organs(rows) => rows.iter().for_each(|row| row.pose(key, &mut structures)),
                Layer::Trees(rows) => rows.iter().for_each(|row| row.grow(key, &mut structures)),
                Layer::Spine => spine::vertebrae(key, &mut structures),
                Layer::Ribs => spine::ribs(&mut structures),
            }
        }
        let healthy = structures.len();
        for lesion in lesions {
            let (organs, grown) = structures.split_at(healthy);
            let mut grown = grown.to_vec();
            lesion.grow(key, organs, certain, &mut grown);
            structures.truncate(healthy);
            structures.append(&mut grown);
        }
        let mut random = Random::keyed(key_of(key, "pose"));
        let lie = rotation(times(random.signed3(), 4.0));
        let size = random.signed3();
        let grow = |axis: usize, by: f64| 1.0 / (1.0 + by * size[axis]);
        let shrink = [
            [grow(0, 0.08), 0.0, 0.0],
            [0.0, grow(1, 0.09), 0.0],
            [0.0, 0.0, grow(2, 0.06)],
        ];
        Self {
            structures,
            into_body: product(&shrink, &lie),
            warp: (key_of(key, "warp"), 5.0, 75.0),
            key,
        }
    }

    /// A point of space in the body's coordinates.
    pub(super) fn locate(&self, world: Point) -> Point {
        let body = apply(&self.into_body, world);
        let (warp, height, grain) = self.warp;
        let at = times(body, 1.0 / grain);
        let push = [0u64, 1, 2].map(|axis| height * smooth_noise(key(warp, axis), at));
        plus(body, push)
    }
}
