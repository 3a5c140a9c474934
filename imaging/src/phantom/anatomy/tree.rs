//! Vessels that branch inside an organ.

use super::super::random::{Random, key_of};
use super::super::shape::{Shape, Structure};
use super::super::space::{Point, plus, times, unit};
use super::super::tissue::Tissue::{self, *};

/// A row of a vessel table: where a trunk starts and how it goes on.
pub(in super::super) struct Tree {
    name: &'static str,
    tissue: Tissue,
    root: Point,
    towards: Point,
    /// Millimetres of the first piece; each next is shorter.
    length: f64,
    /// Millimetres of the first piece; each next is thinner.
    radius: f64,
    generations: u32,
    over: &'static [Tissue],
}

/// Portal and hepatic veins.
pub(super) const LIVER: &[Tree] = &[
    liver("portal right", [46.0, 6.0, 16.0], [1.0, 0.0, 0.1], 5),
    liver("portal left", [46.0, 10.0, 20.0], [-0.7, 0.8, 0.5], 4),
    liver("hepatic right", [22.0, 0.0, 76.0], [1.0, -0.2, -0.5], 4),
    liver("hepatic middle", [22.0, 6.0, 74.0], [0.4, 0.9, -0.5], 4),
];

/// From both hila.
pub(super) const LUNG: &[Tree] = &[
    lung(
        "lung vessels right low",
        [32.0, -12.0, 145.0],
        [1.0, -0.2, -0.8],
    ),
    lung(
        "lung vessels right high",
        [32.0, -12.0, 155.0],
        [0.8, 0.1, 1.0],
    ),
    lung(
        "lung vessels left low",
        [-34.0, -12.0, 145.0],
        [-1.0, -0.3, -0.8],
    ),
    lung(
        "lung vessels left high",
        [-34.0, -12.0, 155.0],
        [-0.8, 0.1, 1.0],
    ),
];

const fn liver(name: &'static str, root: Point, towards: Point, generations: u32) -> Tree {
    Tree {
        name,
        tissue: HepaticVessel,
        root,
        towards,
        length: 30.0,
        radius: 6.0,
        generations,
        over: &[Liver],
    }
}

const fn lung(name: &'static str, root: Point, towards: Point) -> Tree {
    Tree {
        name,
        tissue: LungVessel,
        root,
        towards,
        length: 34.0,
        radius: 5.5,
        generations: 5,
        over: &[Lung],
    }
}

impl Tree {
    /// The tree of one patient.
    pub(super) fn grow(&self, patient: u64, out: &mut Vec<Structure>) {
        let key = key_of(patient, self.name);
        let mut random = Random::keyed(key);
        // (root, direction, length, radius, generations left)
        let start = (
            self.root,
            unit(self.towards),
            self.length,
            self.radius,
            self.generations,
        );
        let mut shoots = vec![start];
        while let Some((from, towards, length, radius, left)) = shoots.pop() {
            let to = plus(from, times(towards, length));
            let thinner = 0.84 * radius;
            out.push(Structure {
                tissue: self.tissue,
                shape: Shape::Capsule([from, to], [radius, thinner]),
                inset: 0.0,
                lumps: [0.0, 1.0],
                key,
                over: self.over,
            });
            if left > 1 {
                for _ in 0..2 {
                    let towards = unit(plus(towards, times(random.signed3(), 0.75)));
                    let length = length * random.between(0.7, 0.95);
                    let radius = thinner * random.between(0.72, 0.95);
                    shoots.push((to, towards, length, radius, left - 1));
                }
            }
        }
    }
}
