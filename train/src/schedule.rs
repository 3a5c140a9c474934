//! The learning rate over time.

use serde::{Deserialize, Serialize};

/// nnU-Net's polynomial decay, set once for each epoch: `initial * (1 - epoch / epochs)^exponent`.
///
/// Source: uniseg recipe, section 5; [`Default`] is the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PolySchedule {
    /// Rate of the first epoch.
    pub initial: f64,
    /// Epochs after which the rate is zero.
    pub epochs: u32,
    /// How the rate bends; 1 is a straight line.
    pub exponent: f64,
}

impl Default for PolySchedule {
    fn default() -> Self {
        Self {
            initial: 0.01,
            epochs: 1000,
            exponent: 0.9,
        }
    }
}

impl PolySchedule {
    /// The paper's rates over another number of epochs.
    pub fn over(epochs: u32) -> Self {
        Self {
            epochs,
            ..Self::default()
        }
    }

    /// The rate of one epoch, counted from 0; zero from `epochs` on.
    pub fn rate(&self, epoch: u32) -> f64 {
        if epoch >= self.epochs {
            return 0.0;
        }
        let left = 1.0 - f64::from(epoch) / f64::from(self.epochs);
        self.initial * left.powf(self.exponent)
    }
}

/// A rule for the learning rate; [`Default`] is the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rate {
    /// [`PolySchedule`] over the epochs of the run.
    Poly {
        /// Rate of the first epoch.
        #[serde(default = "initial")]
        initial: f64,
        /// How the rate bends.
        #[serde(default = "exponent")]
        exponent: f64,
    },
    /// Up to a peak and down to almost nothing, along a cosine each, step by step.
    ///
    /// Source: Smith and Topin 2018, as PyTorch's `OneCycleLR` has it (`div_factor` 25,
    /// `final_div_factor` 1e4); the momentum is left alone.
    OneCycle {
        /// Highest rate.
        peak: f64,
        /// Share of the steps that it takes to get there.
        #[serde(default = "warm_up")]
        warm_up: f64,
    },
}

fn initial() -> f64 {
    PolySchedule::default().initial
}

fn exponent() -> f64 {
    PolySchedule::default().exponent
}

fn warm_up() -> f64 {
    0.3
}

impl Default for Rate {
    fn default() -> Self {
        Self::Poly {
            initial: initial(),
            exponent: exponent(),
        }
    }
}

impl Rate {
    /// One cycle with PyTorch's warm-up.
    pub fn one_cycle(peak: f64) -> Self {
        Self::OneCycle {
            peak,
            warm_up: warm_up(),
        }
    }

    /// The rate of step `iteration`, counted from 0, of `epochs` epochs of `length` steps.
    pub fn at(&self, iteration: u64, length: u32, epochs: u32) -> f64 {
        let length = u64::from(length.max(1));
        match *self {
            Self::Poly { initial, exponent } => {
                let schedule = PolySchedule {
                    initial,
                    epochs,
                    exponent,
                };
                schedule.rate(u32::try_from(iteration / length).unwrap_or(u32::MAX))
            }
            Self::OneCycle { peak, warm_up } => {
                let last = (u64::from(epochs) * length).saturating_sub(1) as f64;
                let top = (warm_up * (last + 1.0) - 1.0).max(0.0);
                let at = (iteration as f64).min(last);
                let (first, final_rate) = (peak / 25.0, peak / 25.0 / 1e4);
                let cosine = |from: f64, to: f64, share: f64| {
                    to + (from - to) * (1.0 + (std::f64::consts::PI * share).cos()) / 2.0
                };
                if at < top {
                    cosine(first, peak, at / top)
                } else {
                    cosine(peak, final_rate, (at - top) / (last - top).max(1.0))
                }
            }
        }
    }

    pub(crate) fn is_sane(&self) -> bool {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        match *self {
            Self::Poly { initial, exponent } => positive(initial) && positive(exponent),
            Self::OneCycle { peak, warm_up } => positive(peak) && (0.0..=1.0).contains(&warm_up),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_rates() {
        let schedule = PolySchedule::default();
        assert_eq!(schedule.rate(0), 0.01);
        // 0.01 * 0.5^0.9 and 0.01 * 0.001^0.9, from Python.
        assert!((schedule.rate(500) - 0.005_358_867_312_681_466).abs() < 1e-15);
        assert!((schedule.rate(999) - 1.995_262_314_968_881e-5).abs() < 1e-15);
        assert_eq!(schedule.rate(1000), 0.0);
        assert_eq!(schedule.rate(u32::MAX), 0.0);
    }

    /// `OneCycleLR(max_lr=3e-3, total_steps=100)`, from PyTorch.
    #[test]
    fn one_cycle_is_pytorchs() {
        let rate = |step| Rate::one_cycle(3e-3).at(step, 20, 5);
        for (step, expected) in [(0, 1.2e-4), (29, 3e-3), (99, 1.2e-8)] {
            assert!(
                (rate(step) - expected).abs() < 1e-12,
                "{step}: {}",
                rate(step)
            );
        }
        assert!(rate(10) < rate(20) && rate(40) > rate(60));
        assert!(rate(1000) > 0.0);
        assert!(Rate::one_cycle(1.0).at(0, 1, 1).is_finite());
    }

    #[test]
    fn the_default_follows_epochs() {
        let rate = Rate::default();
        let poly = PolySchedule::over(10);
        assert_eq!(rate.at(0, 5, 10), rate.at(4, 5, 10));
        assert_eq!(rate.at(29, 5, 10), poly.rate(5));
    }

    #[test]
    fn it_falls_and_stays_defined() {
        let schedule = PolySchedule::over(7);
        for epoch in 0..7 {
            assert!(schedule.rate(epoch) > schedule.rate(epoch + 1));
        }
        assert_eq!(PolySchedule::over(0).rate(0), 0.0);
    }
}
