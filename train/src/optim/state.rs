use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::ModuleOptimizer;
use burn::prelude::*;
use burn::tensor::{Bytes, DType, Shape, TensorData};
use burn_pack::{Reader, Scalar, Writer};

use crate::TrainError;

/// burn's name of the one tensor of state that SGD has for each parameter, after the parameter's
/// id.
const VELOCITY: &str = ".momentum.velocity";

/// What an optimiser made by [`Sgd::init`](super::Sgd::init) remembers: a velocity for each
/// parameter that has had a gradient.
///
/// burn's own optimiser record names parameters by ids that are drawn anew whenever a network is
/// built, and skips what it does not recognise. This one names them by their path in the network
/// (`decoder.levels.0.up.weight`), so that it fits the network of another process, and what does
/// not fit is an error. Restored, an optimiser makes bit for bit the same steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptimizerState {
    velocities: BTreeMap<String, TensorData>,
}

impl OptimizerState {
    /// Copies the state of an optimiser.
    ///
    /// Errors: [`TrainError::InvalidState`] if it is not an SGD with momentum in f32.
    pub fn of(optimizer: &ModuleOptimizer) -> Result<Self, TrainError> {
        let bytes = optimizer.into_bytes().map_err(invalid)?;
        let reader = Reader::from_bytes(bytes).map_err(invalid)?;
        let paths = reader.metadata().clone();
        let mut velocities = BTreeMap::new();
        for (name, velocity) in tensors(reader)? {
            let path = name.strip_suffix(VELOCITY).and_then(|id| paths.get(id));
            let path = path.ok_or_else(|| invalid(format!("'{name}' is not SGD's")))?;
            velocities.insert(path.clone(), velocity);
        }
        Ok(Self { velocities })
    }

    /// Gives this state to a new optimiser for `model`.
    ///
    /// Errors: [`TrainError::InvalidState`] if a velocity belongs to no parameter of `model`, or
    /// has another shape.
    pub fn restore<M: Module>(
        &self,
        optimizer: ModuleOptimizer,
        model: &M,
    ) -> Result<ModuleOptimizer, TrainError> {
        let parameters = Parameters::of(model);
        let mut findings = Vec::new();
        let mut packed = Vec::new();
        for (path, velocity) in &self.velocities {
            match parameters.get(path) {
                None => findings.push(format!("'{path}' is no parameter of the network")),
                Some((_, shape)) if shape != velocity.shape() => findings.push(format!(
                    "'{path}' has shape {}, but the network's is {shape}",
                    velocity.shape()
                )),
                Some((id, _)) => packed.push((path, id.val(), velocity)),
            }
        }
        if !findings.is_empty() {
            return Err(TrainError::InvalidState {
                what: WHAT,
                findings,
            });
        }

        let tensors = packed
            .iter()
            .map(|(_, id, velocity)| pack(format!("{id}{VELOCITY}"), Some(*id), velocity))
            .collect();
        let record = packed
            .iter()
            .fold(Writer::new(tensors), |writer, (path, id, velocity)| {
                writer
                    .with_metadata(&id.to_string(), path)
                    .with_scalar(&format!("{id}.__rank"), Scalar::from(velocity.rank()))
            });
        let bytes = record.into_bytes().map_err(invalid)?;
        let restored = optimizer.from_bytes(bytes).map_err(invalid)?;
        // burn leaves out what it cannot use without a word.
        match restored.to_record().len() {
            taken if taken == self.velocities.len() => Ok(restored),
            taken => Err(invalid(format!(
                "the optimiser took {taken} of {} velocities: it is no SGD with momentum",
                self.velocities.len()
            ))),
        }
    }

    /// The state as one burnpack, for a checkpoint. The same state gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrainError> {
        let tensors = self
            .velocities
            .iter()
            .map(|(path, velocity)| pack(path.clone(), None, velocity))
            .collect();
        Ok(Writer::new(tensors).into_bytes().map_err(invalid)?.to_vec())
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// Errors: [`TrainError::InvalidState`] if it is torn or something else. A changed number is
    /// not noticed here: whoever stores the bytes stores a digest too.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, TrainError> {
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(invalid)?;
        Ok(Self {
            velocities: tensors(reader)?.into_iter().collect(),
        })
    }

    /// Parameters that have a velocity.
    pub fn len(&self) -> usize {
        self.velocities.len()
    }

    /// Whether no step has been made.
    pub fn is_empty(&self) -> bool {
        self.velocities.is_empty()
    }
}

const WHAT: &str = "optimiser";

fn invalid(reason: impl ToString) -> TrainError {
    TrainError::InvalidState {
        what: WHAT,
        findings: vec![reason.to_string()],
    }
}

fn pack(name: String, id: Option<u64>, data: &TensorData) -> burn_pack::Tensor {
    let (bytes, shape, dtype) = data.clone().into_parts();
    burn_pack::Tensor::new(name, dtype, shape, id, bytes)
}

/// All tensors of a pack by name, f32 and as long as their shape says.
fn tensors(reader: Reader) -> Result<Vec<(String, TensorData)>, TrainError> {
    let unpack = |tensor: burn_pack::Tensor| {
        let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(invalid)?;
        if dtype != DType::F32 {
            return Err(invalid(format!("'{name}' is {dtype:?}, not F32")));
        }
        let elements = shape
            .iter()
            .try_fold(size_of::<f32>(), |length, size| length.checked_mul(*size));
        if elements != Some(bytes.len()) {
            return Err(invalid(format!(
                "'{name}' has {} bytes for {shape}",
                bytes.len()
            )));
        }
        Ok((name, TensorData::from_bytes(bytes, shape, dtype)))
    };
    reader
        .into_tensors()
        .map_err(invalid)?
        .into_iter()
        .map(unpack)
        .collect()
}

/// Id and shape of every parameter, by its path.
#[derive(Default)]
struct Parameters {
    found: BTreeMap<String, (ParamId, Shape)>,
    path: Vec<String>,
}

impl Parameters {
    fn of<M: Module>(model: &M) -> BTreeMap<String, (ParamId, Shape)> {
        let mut parameters = Self::default();
        model.visit(&mut parameters);
        parameters.found
    }
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found
            .insert(self.path.join("."), (param.id, param.lazy_shape()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Sgd;
    use burn::optim::{AdamConfig, GradientsParams};

    #[derive(Module, Debug)]
    struct Model {
        parts: Vec<Param<Tensor<2>>>,
        unused: Param<Tensor<1>>,
    }

    /// The same values each time, but other parameter ids, as in another process.
    fn model(width: usize) -> Model {
        let device = Device::flex().autodiff();
        let part = |index: usize| {
            let values = Tensor::<1, Int>::arange(0..2 * width as i64, &device).float();
            Param::from_tensor((values * 0.1 + index as f64).reshape([2, width]))
        };
        Model {
            parts: (0..2).map(part).collect(),
            unused: Param::from_tensor(Tensor::ones([3], &device)),
        }
    }

    fn step(model: Model, optimizer: &mut ModuleOptimizer) -> Model {
        let [first, second] = [0, 1].map(|index| model.parts[index].val());
        let loss = (first.sin() * second).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        optimizer.step(0.01, model, gradients)
    }

    fn values(model: &Model) -> Vec<u32> {
        let parts = model.parts.iter().map(|part| part.val().into_data());
        parts
            .flat_map(|data| data.iter::<f32>().map(f32::to_bits).collect::<Vec<_>>())
            .collect()
    }

    fn with_values_of(other: &Model) -> Model {
        let mut copy = model(other.parts[0].dims()[1]);
        for (part, other) in copy.parts.iter_mut().zip(&other.parts) {
            let data = Tensor::from_data(other.val().into_data(), &Device::flex().autodiff());
            *part = Param::from_tensor(data);
        }
        copy
    }

    fn message(error: TrainError) -> String {
        error.to_string()
    }

    #[test]
    fn restored_for_a_network_with_other_ids_it_makes_the_same_steps() {
        let (mut original, mut optimizer) = (model(3), Sgd::default().init());
        for _ in 0..3 {
            original = step(original, &mut optimizer);
        }
        let state = OptimizerState::of(&optimizer).unwrap();
        assert_eq!(state.len(), 2, "the unused parameter has no velocity");
        let bytes = state.to_bytes().unwrap();
        assert_eq!(bytes, state.to_bytes().unwrap());
        let read = OptimizerState::from_bytes(bytes).unwrap();
        assert_eq!(read, state);

        let mut resumed = with_values_of(&original);
        assert_ne!(resumed.parts[0].id, original.parts[0].id);
        let mut restored = read.restore(Sgd::default().init(), &resumed).unwrap();
        let mut forgetful = step(with_values_of(&original), &mut Sgd::default().init());
        for _ in 0..3 {
            original = step(original, &mut optimizer);
            resumed = step(resumed, &mut restored);
            assert_eq!(values(&original), values(&resumed));
            assert_ne!(values(&original), values(&forgetful));
            forgetful = step(forgetful, &mut Sgd::default().init());
        }
    }

    #[test]
    fn without_a_step_it_is_empty() {
        let state = OptimizerState::of(&Sgd::default().init()).unwrap();
        assert!(state.is_empty());
        let read = OptimizerState::from_bytes(state.to_bytes().unwrap()).unwrap();
        read.restore(Sgd::default().init(), &model(3)).unwrap();
    }

    #[test]
    fn another_network_is_refused_by_name_and_shape() {
        let mut optimizer = Sgd::default().init();
        step(model(3), &mut optimizer);
        let mut state = OptimizerState::of(&optimizer).unwrap();
        let error = message(
            state
                .restore(Sgd::default().init(), &model(4))
                .err()
                .unwrap(),
        );
        assert!(error.contains("'parts.0' has shape [2, 3]"), "{error}");
        let velocity = state.velocities["parts.1"].clone();
        state.velocities.insert("parts.7".into(), velocity);
        let error = message(
            state
                .restore(Sgd::default().init(), &model(3))
                .err()
                .unwrap(),
        );
        assert!(
            error.contains("'parts.7' is no parameter of the network"),
            "{error}"
        );
    }

    #[test]
    fn another_optimiser_is_refused() {
        let mut sgd = Sgd::default().init();
        step(model(3), &mut sgd);
        let state = OptimizerState::of(&sgd).unwrap();
        let error = message(
            state
                .restore(AdamConfig::new().init(), &model(3))
                .err()
                .unwrap(),
        );
        assert!(error.contains("took 0 of 2 velocities"), "{error}");

        let mut adam = AdamConfig::new().init();
        step(model(3), &mut adam);
        assert!(message(OptimizerState::of(&adam).err().unwrap()).contains("is not SGD's"));
    }

    #[test]
    fn torn_bytes_are_an_error() {
        let mut optimizer = Sgd::default().init();
        step(model(3), &mut optimizer);
        let bytes = OptimizerState::of(&optimizer).unwrap().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(
                OptimizerState::from_bytes(bytes[..length].to_vec()).is_err(),
                "{length}"
            );
        }
    }
}
