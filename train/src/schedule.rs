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

    #[test]
    fn it_falls_and_stays_defined() {
        let schedule = PolySchedule::over(7);
        for epoch in 0..7 {
            assert!(schedule.rate(epoch) > schedule.rate(epoch + 1));
        }
        assert_eq!(PolySchedule::over(0).rate(0), 0.0);
    }
}
