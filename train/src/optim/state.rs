use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::ModuleOptimizer;
use burn::prelude::*;
use burn::tensor::{Bytes, DType, Shape, TensorData};
use burn_pack::{Reader, Scalar, Writer};

use crate::TrainError;

/// Between a parameter's path and the name of a part of its state; in neither of them.
const SEPARATOR: char = ':';

/// What an optimiser remembers of each parameter that has had a gradient: SGD's velocity, AdamW's
/// moments and step count.
///
/// burn's own optimiser record names parameters by ids that are drawn anew whenever a network is
/// built, and skips what it does not recognise. This one names them by their path in the network
/// (`decoder.levels.0.up.weight`), so that it fits the network of another process, and what does
/// not fit is an error. Restored, an optimiser makes bit for bit the same steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptimizerState {
    /// By path and name, `decoder.levels.0.up.weight:momentum.velocity`; each of the parameter's
    /// shape.
    tensors: BTreeMap<String, TensorData>,
    /// By path and name, such as AdamW's count of steps.
    scalars: BTreeMap<String, Scalar>,
}

impl OptimizerState {
    /// Copies the state of an optimiser.
    ///
    /// Errors: [`TrainError::InvalidState`] if it is not in f32.
    pub fn of(optimizer: &ModuleOptimizer) -> Result<Self, TrainError> {
        let bytes = optimizer.into_bytes().map_err(invalid)?;
        let reader = Reader::from_bytes(bytes).map_err(invalid)?;
        let paths = reader.metadata().clone();
        // burn's names begin with the parameter's id.
        let rename = |name: &str| {
            let (id, part) = name.split_once('.')?;
            Some(format!("{}{SEPARATOR}{part}", paths.get(id)?))
        };
        let renamed = |name: &str| {
            rename(name).ok_or_else(|| invalid(format!("'{name}' is of no parameter")))
        };
        let scalars = reader.scalars().clone();
        Ok(Self {
            tensors: tensors(reader)?
                .into_iter()
                .map(|(name, data)| Ok((renamed(&name)?, data)))
                .collect::<Result<_, TrainError>>()?,
            scalars: scalars
                .into_iter()
                .map(|(name, value)| Ok((renamed(&name)?, value)))
                .collect::<Result<_, TrainError>>()?,
        })
    }

    /// Gives this state to a new optimiser for `model`.
    ///
    /// Errors: [`TrainError::InvalidState`] if a part belongs to no parameter of `model`, has
    /// another shape, or is of another kind of optimiser.
    pub fn restore<M: Module>(
        &self,
        optimizer: ModuleOptimizer,
        model: &M,
    ) -> Result<ModuleOptimizer, TrainError> {
        let parameters = Parameters::of(model);
        let mut findings = Vec::new();
        let mut packed = Vec::new();
        let mut ids = BTreeMap::new();
        for (name, data) in &self.tensors {
            let (path, part) = split(name)?;
            match parameters.get(path) {
                None => findings.push(format!("'{path}' is no parameter of the network")),
                Some((_, shape)) if shape != data.shape() => findings.push(format!(
                    "'{path}' has shape {}, but the network's is {shape}",
                    data.shape()
                )),
                Some((id, _)) => {
                    ids.insert(path, id.val());
                    packed.push(pack(format!("{}.{part}", id.val()), Some(id.val()), data));
                }
            }
        }
        if !findings.is_empty() {
            return Err(TrainError::InvalidState {
                what: WHAT,
                findings,
            });
        }

        let mut record = Writer::new(packed);
        for (path, id) in &ids {
            record = record.with_metadata(&id.to_string(), path);
        }
        for (name, value) in &self.scalars {
            let (path, part) = split(name)?;
            // A scalar without tensors says nothing that a step would need.
            if let Some(id) = ids.get(path) {
                record = record.with_scalar(&format!("{id}.{part}"), *value);
            }
        }
        let bytes = record.into_bytes().map_err(invalid)?;
        let restored = optimizer.from_bytes(bytes).map_err(invalid)?;
        // burn leaves out what it cannot use without a word.
        match restored.to_record().len() {
            taken if taken == self.tensors.len() => Ok(restored),
            taken => Err(invalid(format!(
                "the optimiser took {taken} of {} tensors: the state is another optimiser's",
                self.tensors.len()
            ))),
        }
    }

    /// The state as one burnpack, for a checkpoint. The same state gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrainError> {
        let tensors = self
            .tensors
            .iter()
            .map(|(name, data)| pack(name.clone(), None, data))
            .collect();
        let mut record = Writer::new(tensors);
        for (name, value) in &self.scalars {
            record = record.with_scalar(name, *value);
        }
        Ok(record.into_bytes().map_err(invalid)?.to_vec())
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// Errors: [`TrainError::InvalidState`] if it is torn or something else. A changed number is
    /// not noticed here: whoever stores the bytes stores a digest too.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, TrainError> {
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(invalid)?;
        let scalars = reader.scalars().clone();
        Ok(Self {
            tensors: tensors(reader)?.into_iter().collect(),
            scalars,
        })
    }

    /// Tensors of state: one for each parameter and moment.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether no step has been made.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}

const WHAT: &str = "optimiser";

/// Path of the parameter, and which part of its state.
fn split(name: &str) -> Result<(&str, &str), TrainError> {
    name.split_once(SEPARATOR)
        .ok_or_else(|| invalid(format!("'{name}' names no part of a parameter's state")))
}

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
    use crate::optim::{AdamW, Sgd};
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
        check_resume(|| Sgd::default().init(), 2);
        check_resume(|| AdamW::default().init(), 4);
    }

    #[track_caller]
    fn check_resume(init: impl Fn() -> ModuleOptimizer, tensors: usize) {
        let (mut original, mut optimizer) = (model(3), init());
        for _ in 0..3 {
            original = step(original, &mut optimizer);
        }
        let state = OptimizerState::of(&optimizer).unwrap();
        assert_eq!(state.len(), tensors, "the unused parameter has no state");
        let bytes = state.to_bytes().unwrap();
        assert_eq!(bytes, state.to_bytes().unwrap());
        let read = OptimizerState::from_bytes(bytes).unwrap();
        assert_eq!(read, state);

        let mut resumed = with_values_of(&original);
        assert_ne!(resumed.parts[0].id, original.parts[0].id);
        let mut restored = read.restore(init(), &resumed).unwrap();
        let mut forgetful = step(with_values_of(&original), &mut init());
        for _ in 0..3 {
            original = step(original, &mut optimizer);
            resumed = step(resumed, &mut restored);
            assert_eq!(values(&original), values(&resumed));
            assert_ne!(values(&original), values(&forgetful));
            forgetful = step(forgetful, &mut init());
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
        let velocity = state.tensors["parts.1:momentum.velocity"].clone();
        state
            .tensors
            .insert("parts.7:momentum.velocity".into(), velocity);
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
        assert!(error.contains("took 0 of 2 tensors"), "{error}");
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
