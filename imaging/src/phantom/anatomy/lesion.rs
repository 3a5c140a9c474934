//! What may grow in whom.

use super::super::random::{Random, key_of};
use super::super::shape::{Ellipsoid, Shape, Structure};
use super::super::space::{Point, rotation, times};
use super::super::tissue::Tissue::{self, *};

/// A row of a lesion table.
pub(in super::super) struct Lesion {
    /// Where it starts.
    hosts: &'static [Tissue],
    /// Heights at which it starts, in millimetres: where the datasets look.
    heights: [f64; 2],
    /// What it replaces.
    over: &'static [Tissue],
    /// Share of patients that have it.
    probability: f64,
    /// Most that one patient has.
    most: usize,
    /// Smallest and largest radius, in millimetres.
    radius: [f64; 2],
    /// From the outside in: tissue, share of the radius, probability.
    layers: &'static [(Tissue, f64, f64)],
}

/// Lesions of the trunk.
pub(in super::super) const TRUNK_LESIONS: &[Lesion] = &[
    Lesion {
        hosts: &[Liver],
        heights: [-100.0, 150.0],
        over: &[Liver, HepaticVessel],
        probability: 0.75,
        most: 4,
        radius: [9.0, 26.0],
        layers: &[(LiverTumour, 1.0, 1.0)],
    },
    Lesion {
        hosts: &[Kidney],
        heights: [-120.0, 50.0],
        over: &[Kidney, KidneyMedulla, KidneySinus, VisceralFat],
        probability: 0.5,
        most: 3,
        radius: [7.0, 18.0],
        layers: &[(KidneyCyst, 1.0, 1.0)],
    },
    Lesion {
        hosts: &[Kidney],
        heights: [-120.0, 50.0],
        over: &[Kidney, KidneyMedulla, KidneySinus, KidneyCyst, VisceralFat],
        probability: 0.7,
        most: 2,
        radius: [11.0, 25.0],
        layers: &[(KidneyTumour, 1.0, 1.0)],
    },
    Lesion {
        hosts: &[Pancreas],
        heights: [-100.0, 80.0],
        over: &[Pancreas, VisceralFat],
        probability: 0.7,
        most: 1,
        radius: [9.0, 17.0],
        layers: &[(PancreasTumour, 1.0, 1.0)],
    },
    Lesion {
        hosts: &[Colon, ColonContent, ColonGas],
        heights: [-160.0, 20.0],
        over: &[Colon, ColonContent, ColonGas, VisceralFat],
        probability: 0.4,
        most: 1,
        radius: [14.0, 24.0],
        layers: &[(ColonTumour, 1.0, 1.0)],
    },
    Lesion {
        hosts: &[Lung],
        heights: [70.0, 195.0],
        over: &[Lung, LungVessel],
        probability: 0.5,
        most: 3,
        radius: [8.0, 24.0],
        layers: &[(LungTumour, 1.0, 1.0)],
    },
    Lesion {
        hosts: &[VisceralFat],
        heights: [-180.0, 180.0],
        over: &[VisceralFat, Muscle],
        probability: 0.25,
        most: 4,
        radius: [7.0, 14.0],
        layers: &[(NodeTumour, 1.0, 1.0)],
    },
];

/// Gliomas: edema around a core that mostly enhances at its rim.
pub(in super::super) const BRAIN_LESIONS: &[Lesion] = &[Lesion {
    hosts: &[WhiteMatter],
    heights: [-30.0, 45.0],
    over: &[GreyMatter, WhiteMatter, DeepGrey],
    probability: 1.0,
    most: 1,
    radius: [22.0, 36.0],
    layers: &[
        (Edema, 1.0, 1.0),
        (Enhancing, 0.66, 0.85),
        (NonEnhancing, 0.42, 1.0),
    ],
}];

impl Lesion {
    /// The lesions of one patient in these organs.
    pub(super) fn grow(
        &self,
        patient: u64,
        organs: &[Structure],
        certain: &[Tissue],
        out: &mut Vec<Structure>,
    ) {
        let Some((outermost, ..)) = self.layers.first() else {
            return;
        };
        let mut random = Random::keyed(key_of(patient, outermost.name()));
        // Both are drawn whatever comes of it, so that forcing a lesion changes nothing else.
        let occurs = random.chance(self.probability) || certain.contains(outermost);
        let count = random.integer(1, self.most);
        let hosts: Vec<&Structure> = organs
            .iter()
            .filter(|organ| self.hosts.contains(&organ.tissue))
            .collect();
        if !occurs || hosts.is_empty() {
            return;
        }
        for index in 0..count {
            let key = key_of(patient, outermost.name()).wrapping_add(index as u64 + 1);
            let Some(centre) = self.site(organs, &hosts, &mut random) else {
                continue;
            };
            // The first is the largest: a task that needs the lesion finds it.
            let share = if index == 0 {
                random.between(0.35, 1.0)
            } else {
                random.between(0.0, 0.7)
            };
            let radius = self.radius[0] + share * (self.radius[1] - self.radius[0]);
            let stretch = random.signed3().map(|s| 1.0 + 0.22 * s);
            let turn = rotation(times(random.signed3(), 90.0));
            for (depth, (tissue, part, probability)) in self.layers.iter().enumerate() {
                let wobble = random.between(0.88, 1.12);
                if !random.chance(*probability) {
                    continue;
                }
                let size = radius * part * if depth == 0 { 1.0 } else { wobble };
                let ball = Ellipsoid {
                    centre,
                    radii: stretch.map(|s| s * size),
                    turn,
                };
                out.push(Structure {
                    tissue: *tissue,
                    shape: Shape::Balls(vec![ball], 0.0),
                    inset: 0.0,
                    lumps: [0.18 * size, 0.6 * radius],
                    key,
                    over: if depth == 0 {
                        self.over
                    } else {
                        &[Edema, Enhancing]
                    },
                });
            }
        }
    }

    /// A place in a host that no other organ hides; `None` after many tries.
    fn site(
        &self,
        organs: &[Structure],
        hosts: &[&Structure],
        random: &mut Random,
    ) -> Option<Point> {
        const TRIES: usize = 400;
        (0..TRIES).find_map(|_| {
            let host = hosts.get(random.integer(0, hosts.len().saturating_sub(1)))?;
            let point = host.interior_point(random);
            let visible = (self.heights[0]..self.heights[1]).contains(&point[2])
                && self.hosts.contains(&tissue_at(organs, point));
            visible.then_some(point)
        })
    }
}

/// What is painted at a point in the end.
fn tissue_at(structures: &[Structure], point: Point) -> Tissue {
    structures.iter().fold(Air, |below, structure| {
        let paints = structure.over.is_empty() || structure.over.contains(&below);
        if paints && structure.contains(point) {
            structure.tissue
        } else {
            below
        }
    })
}
