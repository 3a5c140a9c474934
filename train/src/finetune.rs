//! Transfer learning: the weights of a universal network for a new task.
//!
//! Encoder and decoder are taken over, prompt and FUSE are left out, heads are new; everything is
//! trained on. Source: uniseg recipe, section 8 (`UniSeg_Trainer_DS` with `UniSeg_Backbone`).

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::TensorData;

use crate::plan::{NetworkConfig, Plan, Variant};
use crate::{Checkpoint, TrainError, UniSeg};

/// The plan of a network for one new task with the trunk of a universal one: its stages, kernels
/// and features, and the new plan's patch, classes and task.
///
/// Errors: [`TrainError::InvalidPlan`] if `target` has not exactly one task, or its patch does not
/// fit the trunk's strides.
pub fn downstream_plan(universal: &Plan, target: &Plan) -> Result<Plan, TrainError> {
    let [task] = target.tasks.as_slice() else {
        return Err(TrainError::InvalidPlan {
            field: "tasks".into(),
            found: format!("{} entries", target.tasks.len()),
            expected: "fine-tuning is for one task: name it".into(),
        });
    };
    let mut stems = universal.network.input_channel_variants.clone();
    stems.push(task.channels.len());
    stems.sort_unstable();
    stems.dedup();
    let network = NetworkConfig {
        variant: Variant::Baseline,
        patch_size: target.network.patch_size,
        num_tasks: 1,
        num_classes: task.labels.len(),
        input_channel_variants: stems,
        ..universal.network.clone()
    };
    Plan {
        network,
        ..target.clone()
    }
    .complete()
}

/// What became of the weights.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transfer {
    /// Tensors that were taken over.
    pub taken: usize,
    /// Tensors of the new network that begin at random.
    pub fresh: Vec<String>,
}

/// A network of `plan` ([`downstream_plan`]) with the weights of a universal one, and random ones,
/// the same for the same seed, where it has none.
///
/// Errors: [`TrainError::WeightsDoNotFit`] if a tensor of the trunk has another shape.
pub fn transfer(
    universal: &Checkpoint,
    plan: Plan,
    seed: u64,
    device: &Device,
) -> Result<(Checkpoint, Transfer), TrainError> {
    let stems = |plan: &Plan| plan.network.input_channel_variants.clone();
    let mut weights = Weights {
        path: Vec::new(),
        found: BTreeMap::new(),
    };
    universal.network.visit(&mut weights);
    let mut take = Take {
        path: Vec::new(),
        weights: weights.found,
        from_stems: stems(&universal.plan),
        to_stems: stems(&plan),
        transfer: Transfer::default(),
        findings: Vec::new(),
    };
    let fresh = Checkpoint::random(plan, seed, device);
    let network: UniSeg = fresh.network.map(&mut take);
    if !take.findings.is_empty() {
        return Err(TrainError::WeightsDoNotFit {
            path: "the universal checkpoint".into(),
            findings: take.findings,
        });
    }
    let checkpoint = Checkpoint {
        network,
        source: universal.source.clone(),
        ..fresh
    };
    Ok((checkpoint, take.transfer))
}

/// Every tensor of a network by its path.
struct Weights {
    path: Vec<String>,
    found: BTreeMap<String, TensorData>,
}

impl ModuleVisitor for Weights {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found
            .insert(self.path.join("."), param.val().into_data());
    }
}

/// Puts weights where they belong.
struct Take {
    path: Vec<String>,
    weights: BTreeMap<String, TensorData>,
    from_stems: Vec<usize>,
    to_stems: Vec<usize>,
    transfer: Transfer,
    findings: Vec<String>,
}

impl Take {
    /// Where the universal network has what belongs at `path`, if it does.
    fn origin(&self, path: &str) -> Option<String> {
        if path.ends_with("head.weight") {
            return None;
        }
        let Some(rest) = path.strip_prefix("encoder.stem.convs.") else {
            return Some(path.to_owned());
        };
        // Stems are told apart by their channels, not by their place in the list.
        let (index, rest) = rest.split_once('.')?;
        let channels = self.to_stems.get(index.parse::<usize>().ok()?)?;
        let index = self.from_stems.iter().position(|known| known == channels)?;
        Some(format!("encoder.stem.convs.{index}.{rest}"))
    }
}

impl ModuleMapper for Take {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let Some(data) = self.origin(&path).and_then(|from| self.weights.get(&from)) else {
            self.transfer.fresh.push(path);
            return param;
        };
        let data = data.clone();
        let (shape, found) = (param.lazy_shape(), data.shape().clone());
        let taken = param.map(|own| {
            let device = own.device();
            let trained = own.is_require_grad();
            // The one layer that the prompt reached has its channel last among its inputs.
            let prompted = found.as_slice()[1..] == shape.as_slice()[1..]
                && found.as_slice()[0] == shape.as_slice()[0] + 1
                && path == "decoder.levels.0.up.weight";
            // A tensor from data is a constant until it is told otherwise.
            if found == shape {
                Tensor::<D>::from_data(data, &device).set_require_grad(trained)
            } else if prompted {
                Tensor::<D>::from_data(data, &device)
                    .narrow(0, 0, shape.as_slice()[0])
                    .detach()
                    .set_require_grad(trained)
            } else {
                self.findings.push(format!(
                    "'{path}' has shape {found}, the new network's is {shape}"
                ));
                own
            }
        });
        self.transfer.taken += 1;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{TaskPlan, paper};

    fn universal() -> Plan {
        let network = NetworkConfig {
            patch_size: [8, 16, 16],
            strides_between_stages: vec![[1, 2, 2], [2; 3]],
            kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3]],
            base_num_features: 4,
            ..paper().network
        };
        Plan { network, ..paper() }
    }

    fn target(channels: usize) -> Plan {
        let task = TaskPlan {
            labels: ["background", "a", "b", "c", "d", "e"]
                .map(str::to_owned)
                .into(),
            channels: vec!["CT".into(); channels],
            normalization: vec![paper().tasks[0].normalization[0]; channels],
            ..paper().tasks[0].clone()
        };
        let network = NetworkConfig {
            patch_size: [16, 32, 32],
            num_tasks: 1,
            num_classes: 6,
            ..paper().network
        };
        Plan {
            network,
            tasks: vec![task],
            ..paper()
        }
    }

    #[test]
    fn the_trunk_is_taken_and_the_heads_are_new() {
        let device = Device::flex();
        let from = Checkpoint::random(universal(), 3, &device);
        let plan = downstream_plan(&from.plan, &target(1)).unwrap();
        assert_eq!(plan.network.patch_size, [16, 32, 32]);
        let (to, transfer) = transfer(&from, plan, 4, &device).unwrap();
        assert_eq!(
            transfer.fresh,
            [
                "decoder.levels.0.head.weight",
                "decoder.levels.1.head.weight"
            ]
        );
        let values = |tensor: Tensor<5>| tensor.into_data();
        let up = |checkpoint: &Checkpoint| checkpoint.network.decoder.levels[0].up.weight.val();
        assert_eq!(up(&from).dims()[0], up(&to).dims()[0] + 1);
        // The prompt's is the last input channel.
        values(up(&to)).assert_eq(&values(up(&from).narrow(0, 0, up(&to).dims()[0])), true);
        let stem = |checkpoint: &Checkpoint| checkpoint.network.encoder.stem.convs[1].weight.val();
        values(stem(&to)).assert_eq(&values(stem(&from)), true);
        let logits = to.network.forward_finest(
            Tensor::zeros([1, 1, 16, 32, 32], &device),
            Tensor::zeros([1], &device),
        );
        assert_eq!(logits.dims(), [1, 6, 16, 32, 32]);
    }

    /// Nothing is frozen: every tensor that a patch goes through has a gradient.
    #[test]
    fn what_is_taken_is_trained_on() {
        let device = Device::flex().autodiff();
        let from = Checkpoint::random(universal(), 3, &device);
        let plan = downstream_plan(&from.plan, &target(1)).unwrap();
        let (to, _) = transfer(&from, plan, 4, &device).unwrap();
        let logits = to.network.forward(
            Tensor::ones([1, 1, 16, 32, 32], &device),
            Tensor::zeros([1], &device),
        );
        let gradients = logits.logits.square().mean().backward();
        let network = &to.network;
        for weight in [
            &network.encoder.stem.convs[0].weight,
            &network.encoder.stages[2].blocks[1].conv.weight,
            &network.decoder.levels[0].up.weight,
            &network.decoder.levels[1].head.weight,
        ] {
            assert!(weight.val().grad(&gradients).is_some());
        }
    }

    #[test]
    fn an_image_of_other_channels_gets_a_stem_of_its_own() {
        let device = Device::flex();
        let from = Checkpoint::random(universal(), 3, &device);
        let plan = downstream_plan(&from.plan, &target(3)).unwrap();
        assert_eq!(plan.network.input_channel_variants, [1, 2, 3, 4]);
        let (to, transfer) = transfer(&from, plan, 4, &device).unwrap();
        assert!(
            transfer
                .fresh
                .contains(&"encoder.stem.convs.2.weight".to_owned())
        );
        let four = |checkpoint: &Checkpoint, index: usize| {
            checkpoint.network.encoder.stem.convs[index]
                .weight
                .val()
                .into_data()
        };
        four(&to, 3).assert_eq(&four(&from, 2), true);
    }

    #[test]
    fn several_tasks_and_other_patches_are_refused() {
        let error = downstream_plan(&universal(), &paper())
            .unwrap_err()
            .to_string();
        assert!(error.contains("tasks is 11 entries"), "{error}");
        let mut odd = target(1);
        odd.network.patch_size = [15, 32, 32];
        let error = downstream_plan(&universal(), &odd).unwrap_err().to_string();
        assert!(error.contains("patch_size"), "{error}");
    }
}
