//! Ranges that settings are drawn from, as `[low, high]`.

use super::Random;
use crate::TrainError;

/// A range of settings.
pub(super) type Range = [f64; 2];

/// Uniform over the range.
pub(super) fn draw(range: Range, random: &mut Random) -> f64 {
    random.uniform(range[0], range[1])
}

/// Of a range about 1: below and above 1 are as likely, whatever their shares of the range.
///
/// Two numbers are drawn in any case. Source: batchgenerators 0.21, where contrast, gamma and
/// scale are drawn so, although nnU-Net's paper calls them uniform.
pub(super) fn draw_about_one([low, high]: Range, random: &mut Random) -> f64 {
    let below = random.chance(0.5) && low < 1.0;
    let (low, high) = match below {
        true => (low, high.min(1.0)),
        false => (low.max(1.0).min(high), high),
    };
    random.uniform(low, high)
}

/// Errors unless `low <= high` and both lie within `bounds`.
pub(super) fn check(
    field: &'static str,
    [low, high]: Range,
    [least, most]: Range,
) -> Result<(), TrainError> {
    if least <= low && low <= high && high <= most {
        return Ok(());
    }
    Err(TrainError::InvalidAugmentation {
        field: field.into(),
        found: format!("[{low}, {high}]"),
        expected: format!("a range [low, high] within [{least}, {most}] is needed"),
    })
}

/// Errors unless a probability is one.
pub(super) fn check_probability(field: &'static str, found: f64) -> Result<(), TrainError> {
    check_number(field, found, [0.0, 1.0])
}

/// Errors unless a number lies within `bounds`.
pub(super) fn check_number(
    field: &'static str,
    found: f64,
    [least, most]: Range,
) -> Result<(), TrainError> {
    if least <= found && found <= most {
        return Ok(());
    }
    Err(TrainError::InvalidAugmentation {
        field: field.into(),
        found: found.to_string(),
        expected: format!("a number from {least} to {most} is needed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_about_one_are_drawn_by_halves() {
        let mut random = Random::new(3);
        let draws: Vec<f64> = (0..4000)
            .map(|_| draw_about_one([0.7, 1.5], &mut random))
            .collect();
        assert!(draws.iter().all(|v| (0.7..1.5).contains(v)));
        let below = draws.iter().filter(|v| **v < 1.0).count();
        // 4 standard deviations of a binomial.
        assert!(below.abs_diff(2000) < 127, "{below}");
        // A quarter below 0.85, which is the middle of the lower half.
        let low = draws.iter().filter(|v| **v < 0.85).count();
        assert!(low.abs_diff(1000) < 110, "{low}");
        for range in [[0.2, 0.6], [1.3, 1.5], [1.0, 1.0]] {
            for _ in 0..100 {
                let drawn = draw_about_one(range, &mut random);
                assert!(range[0] <= drawn && drawn <= range[1], "{range:?} {drawn}");
            }
        }
    }
}
