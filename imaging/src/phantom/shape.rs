//! Solids by their distance in millimetres: blended ellipsoids and tapered capsules.

use super::random::{Random, smooth_noise};
use super::space::{Matrix, Point, apply, dot, length, minus, plus, times, transposed};
use super::tissue::Tissue;

/// An ellipsoid.
#[derive(Debug, Clone)]
pub(super) struct Ellipsoid {
    pub centre: Point,
    pub radii: Point,
    /// From the body's axes to the ellipsoid's own.
    pub turn: Matrix,
}

/// What is filled.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Ellipsoids, melted together over so many millimetres.
    Balls(Vec<Ellipsoid>, f64),
    /// A straight piece of a tube: its two ends and their radii.
    Capsule([Point; 2], [f64; 2]),
}

/// A shape in the body and what it is made of.
#[derive(Debug, Clone)]
pub(super) struct Structure {
    pub tissue: Tissue,
    pub shape: Shape,
    /// Millimetres taken off all around.
    pub inset: f64,
    /// Height of the lumps of the surface, and their distance, in millimetres.
    pub lumps: [f64; 2],
    /// Key of the lumps.
    pub key: u64,
    /// Only these tissues are replaced; any if there are none.
    pub over: &'static [Tissue],
}

impl Structure {
    /// Whether a point is inside.
    pub(super) fn contains(&self, point: Point) -> bool {
        let [height, grain] = self.lumps;
        let distance = self.shape.distance(point) + self.inset;
        // Noise costs more than all the rest and matters near the surface only.
        if distance.abs() > height {
            return distance <= 0.0;
        }
        distance + height * smooth_noise(self.key, times(point, 1.0 / grain)) <= 0.0
    }

    /// Corners of a box around the structure.
    pub(super) fn bounds(&self) -> [Point; 2] {
        let margin = self.lumps[0] - self.inset + self.shape.melt();
        let spread = |of: &dyn Fn(usize) -> [f64; 2]| {
            let each: [[f64; 2]; 3] = std::array::from_fn(of);
            [
                each.map(|[low, _]| low - margin),
                each.map(|[_, high]| high + margin),
            ]
        };
        match &self.shape {
            Shape::Balls(balls, _) => spread(&|axis| {
                balls
                    .iter()
                    .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], ball| {
                        let reach = ball.reach(axis);
                        let centre = ball.centre[axis];
                        [low.min(centre - reach), high.max(centre + reach)]
                    })
            }),
            Shape::Capsule([a, b], [ra, rb]) => spread(&|axis| {
                let low = (a[axis] - ra).min(b[axis] - rb);
                [low, (a[axis] + ra).max(b[axis] + rb)]
            }),
        }
    }

    /// A random point well inside.
    pub(super) fn interior_point(&self, random: &mut Random) -> Point {
        match &self.shape {
            Shape::Balls(balls, _) => {
                let Some(ball) = balls.get(random.integer(0, balls.len().saturating_sub(1))) else {
                    return [0.0; 3];
                };
                let inside: Point = loop {
                    let candidate = random.signed3();
                    if length(candidate) <= 1.0 {
                        break times(candidate, 0.7);
                    }
                };
                let own = std::array::from_fn(|axis| inside[axis] * ball.radii[axis]);
                plus(ball.centre, apply(&transposed(&ball.turn), own))
            }
            Shape::Capsule([a, b], [ra, rb]) => {
                let share = random.unit();
                let middle = plus(*a, times(minus(*b, *a), share));
                plus(
                    middle,
                    times(random.signed3(), 0.4 * (ra + (rb - ra) * share)),
                )
            }
        }
    }
}

impl Shape {
    /// About how far a point is outside, negative inside.
    fn distance(&self, point: Point) -> f64 {
        match self {
            Self::Balls(balls, blend) => balls
                .iter()
                .map(|ball| ball.distance(point))
                .reduce(|a, b| smooth_minimum(a, b, *blend))
                .unwrap_or(f64::INFINITY),
            Self::Capsule([a, b], [ra, rb]) => {
                let along = minus(*b, *a);
                let share = dot(minus(point, *a), along) / dot(along, along).max(1e-9);
                let share = share.clamp(0.0, 1.0);
                let nearest = plus(*a, times(along, share));
                length(minus(point, nearest)) - (ra + (rb - ra) * share)
            }
        }
    }

    /// How far melting may push the surface out.
    fn melt(&self) -> f64 {
        match self {
            Self::Balls(balls, blend) if balls.len() > 1 => *blend,
            _ => 0.0,
        }
    }
}

impl Ellipsoid {
    /// First-order distance: exact on the surface and for spheres.
    fn distance(&self, point: Point) -> f64 {
        let own = apply(&self.turn, minus(point, self.centre));
        let scaled: Point = std::array::from_fn(|axis| own[axis] / self.radii[axis]);
        let slope: Point = std::array::from_fn(|axis| scaled[axis] / self.radii[axis]);
        let [level, slope] = [length(scaled), length(slope)];
        if slope > 0.0 {
            level * (level - 1.0) / slope
        } else {
            -self.radii.iter().copied().fold(f64::INFINITY, f64::min)
        }
    }

    /// Half the size along an axis of the body.
    fn reach(&self, axis: usize) -> f64 {
        let parts = (0..3).map(|own| self.turn[own][axis] * self.radii[own]);
        parts.map(|part| part * part).sum::<f64>().sqrt()
    }
}

/// Quilez's polynomial minimum: rounds the seam where two distances are within `blend`.
fn smooth_minimum(a: f64, b: f64, blend: f64) -> f64 {
    let near = (blend - (a - b).abs()).max(0.0);
    let dip = if blend > 0.0 {
        near * near / (4.0 * blend)
    } else {
        0.0
    };
    a.min(b) - dip
}

#[cfg(test)]
mod tests {
    use super::super::space::rotation;
    use super::*;

    fn structures() -> Vec<Structure> {
        let ball = |centre, radii, turn| Ellipsoid {
            centre,
            radii,
            turn: rotation(turn),
        };
        let balls = vec![
            ball([5.0, 0.0, 0.0], [30.0, 12.0, 20.0], [20.0, 40.0, 60.0]),
            ball([-20.0, 10.0, 4.0], [10.0, 22.0, 14.0], [0.0; 3]),
        ];
        let capsule = Shape::Capsule([[0.0, 0.0, 0.0], [20.0, -30.0, 10.0]], [9.0, 4.0]);
        [Shape::Balls(balls, 8.0), capsule]
            .map(|shape| Structure {
                tissue: Tissue::Liver,
                shape,
                inset: 1.0,
                lumps: [3.0, 9.0],
                key: 4,
                over: &[],
            })
            .to_vec()
    }

    #[test]
    fn nothing_sticks_out_of_the_bounds() {
        for structure in structures() {
            let [low, high] = structure.bounds();
            let mut random = Random::keyed(1);
            let mut inside = 0;
            for _ in 0..50_000 {
                let point = times(random.signed3(), 60.0);
                if structure.contains(point) {
                    inside += 1;
                    assert!(
                        (0..3).all(|a| low[a] <= point[a] && point[a] <= high[a]),
                        "{point:?}"
                    );
                }
            }
            assert!(inside > 100, "{inside}");
        }
    }

    #[test]
    fn interior_points_are_inside() {
        for structure in structures() {
            let mut random = Random::keyed(2);
            for _ in 0..200 {
                assert!(structure.contains(structure.interior_point(&mut random)));
            }
        }
    }
}
