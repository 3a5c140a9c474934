//! How training descends: the paper's SGD or AdamW, clipping by global norm, and the optimiser's
//! state.
//!
//! The steps are burn's; burn's own gradient clipping is not used, because it takes the norm of
//! each tensor on its own where the recipe (and PyTorch) takes that of all gradients together.

mod adamw;
mod clip;
mod state;

pub use adamw::AdamW;
pub use clip::{ClippedGradients, clip_global_norm};
pub use state::OptimizerState;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

/// Norm of all gradients together beyond which they are shortened.
pub const MAX_GRADIENT_NORM: f64 = 12.0;

/// SGD with Nesterov momentum and weight decay; [`Default`] is the paper's.
///
/// Source: uniseg recipe, section 5.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Share of the velocity that is kept.
    pub momentum: f64,
    /// L2 penalty on every parameter, biases, norms and the prompt included.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            momentum: 0.99,
            weight_decay: 3e-5,
        }
    }
}

impl Sgd {
    /// An optimiser without state, whose steps are those of PyTorch's
    /// `SGD(momentum, nesterov=True, weight_decay)`.
    ///
    /// With p a parameter, g its gradient, v its velocity and m the momentum, both do
    /// `g += decay * p`, then `v = g` in the first step of that parameter and `v = m * v + g` in
    /// later ones, then `p -= rate * (g + m * v)`. A parameter without a gradient (the stem of
    /// another channel count) is left alone entirely.
    pub fn init(&self) -> ModuleOptimizer {
        let momentum = MomentumConfig {
            momentum: self.momentum,
            // burn's default is 0.1, PyTorch's 0; burn too dampens from the second step on only.
            dampening: 0.0,
            nesterov: true,
        };
        SgdConfig::new()
            .with_momentum(Some(momentum))
            .with_weight_decay(Some(WeightDecayConfig {
                penalty: self.weight_decay as f32,
            }))
            .init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::{Module, Param};
    use burn::optim::GradientsParams;
    use burn::prelude::*;

    #[derive(Module, Debug)]
    struct Two {
        used: Param<Tensor<1>>,
        unused: Param<Tensor<1>>,
    }

    /// Three steps against PyTorch's rule written out in f64; the unused parameter does not decay.
    #[test]
    fn steps_are_pytorchs() {
        let device = Device::flex().autodiff();
        let parameter = || Param::from_tensor(Tensor::<1>::from_floats([0.5, -2.0], &device));
        let mut model = Two {
            used: parameter(),
            unused: parameter(),
        };
        let sgd = Sgd {
            momentum: 0.9,
            weight_decay: 0.1,
        };
        let mut optimizer = sgd.init();
        let (mut expected, mut velocity) = ([0.5_f64, -2.0], [None; 2]);
        for rate in [0.1, 0.2, 0.05] {
            // The gradient of the sum of cubes is three times the square.
            let loss = model.used.val().powi_scalar(3).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(rate, model, gradients);
            for (value, velocity) in expected.iter_mut().zip(&mut velocity) {
                let gradient = 3.0 * *value * *value + 0.1 * *value;
                let new = velocity.map_or(gradient, |old: f64| 0.9 * old + gradient);
                *velocity = Some(new);
                *value -= rate * (gradient + 0.9 * new);
            }
            let found: Vec<f32> = model.used.val().into_data().iter().collect();
            for (found, expected) in found.into_iter().zip(expected) {
                let gap = (f64::from(found) - expected).abs();
                assert!(gap < 1e-5 * expected.abs().max(1.0), "{found} {expected}");
            }
        }
        let unused: Vec<f32> = model.unused.val().into_data().iter().collect();
        assert_eq!(unused, [0.5, -2.0]);
    }
}
