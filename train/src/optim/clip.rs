use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::FloatDType;

/// Added to the norm before dividing by it, as PyTorch does.
const EPSILON: f64 = 1e-6;

/// Gradients after clipping.
#[derive(Debug)]
pub struct ClippedGradients {
    /// The gradients, of the length allowed.
    pub gradients: GradientsParams,
    /// Their norm before, for the log; not finite if any gradient was not.
    pub norm: f64,
}

/// Shortens all gradients by one factor, so that their norm, taken over all of them together, is
/// at most `max_norm`.
///
/// Gradients that are short enough stay as they are. If the norm is not a number, all gradients
/// become that, as with PyTorch: look at `norm` before using them.
///
/// Source: `torch.nn.utils.clip_grad_norm_`; uniseg recipe, section 5.
pub fn clip_global_norm<M: Module>(
    model: &M,
    gradients: GradientsParams,
    max_norm: f64,
) -> ClippedGradients {
    let mut squares = Squares {
        gradients: &gradients,
        sums: Vec::new(),
    };
    model.visit(&mut squares);
    let norm = match squares.sums {
        sums if sums.is_empty() => 0.0,
        // Added on the device: one number is read, and waited for, not one for each tensor.
        sums => f64::from(Tensor::cat(sums, 0).sum().sqrt().into_scalar::<f32>()),
    };
    let factor = max_norm / (norm + EPSILON);
    // Not `factor < 1`: that is false for NaN too.
    if factor >= 1.0 {
        return ClippedGradients { gradients, norm };
    }
    let mut scale = Scale { gradients, factor };
    model.visit(&mut scale);
    ClippedGradients {
        gradients: scale.gradients,
        norm,
    }
}

/// Gathers the sum of squares of each gradient.
struct Squares<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            // In 16 bits the squares would overflow or lose their digits. One axis first, since the
            // CPU back end adds up numbers one by one, and weights are millions.
            self.sums
                .push(gradient.cast(FloatDType::F32).square().sum_dim(0).sum());
        }
    }
}

/// Multiplies each gradient.
struct Scale {
    gradients: GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient * self.factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Module, Debug)]
    struct Three {
        vector: Param<Tensor<1>>,
        matrix: Param<Tensor<2>>,
        unused: Param<Tensor<1>>,
    }

    fn three() -> Three {
        let device = Device::flex();
        Three {
            vector: Param::from_tensor(Tensor::zeros([1], &device)),
            matrix: Param::from_tensor(Tensor::zeros([1, 2], &device)),
            unused: Param::from_tensor(Tensor::zeros([1], &device)),
        }
    }

    fn clip(vector: f32, matrix: [f32; 2], max_norm: f64) -> (f64, Vec<f32>) {
        let (model, device) = (three(), Device::flex());
        let mut gradients = GradientsParams::new();
        gradients.register(model.vector.id, Tensor::<1>::from_floats([vector], &device));
        gradients.register(model.matrix.id, Tensor::<2>::from_floats([matrix], &device));
        let clipped = clip_global_norm(&model, gradients, max_norm);
        assert_eq!(clipped.gradients.len(), 2);
        let vector = clipped
            .gradients
            .get::<1>(model.vector.id)
            .unwrap()
            .into_data();
        let matrix = clipped
            .gradients
            .get::<2>(model.matrix.id)
            .unwrap()
            .into_data();
        (clipped.norm, vector.iter().chain(matrix.iter()).collect())
    }

    #[test]
    fn the_norm_is_over_all_tensors() {
        // 2, 3 and 6 make 7.
        let (norm, values) = clip(2.0, [3.0, 6.0], 3.5);
        assert!((norm - 7.0).abs() < 1e-6);
        for (found, expected) in values.into_iter().zip([1.0, 1.5, 3.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn short_gradients_stay_as_they_are() {
        let (norm, values) = clip(2.0, [3.0, 6.0], 12.0);
        assert!((norm - 7.0).abs() < 1e-6);
        assert_eq!(values, [2.0, 3.0, 6.0]);
    }

    #[test]
    fn without_gradients_the_norm_is_zero() {
        let clipped = clip_global_norm(&three(), GradientsParams::new(), 12.0);
        assert_eq!(clipped.norm, 0.0);
        assert!(clipped.gradients.is_empty());
    }

    #[test]
    fn what_is_not_a_number_is_told_and_spreads() {
        let (norm, values) = clip(f32::NAN, [3.0, 6.0], 12.0);
        assert!(norm.is_nan());
        assert!(values.iter().all(|value| value.is_nan()));
        let (norm, _) = clip(f32::INFINITY, [3.0, 6.0], 12.0);
        assert!(norm.is_infinite());
    }
}
