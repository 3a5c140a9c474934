//! One training step, and how well a network does on patches.

mod dice;

pub use dice::PatchDice;

use burn::optim::ModuleOptimizer;
use burn::prelude::*;
use burn::tensor::TensorData;

use crate::batch::{Batch, Step};
use crate::loss::{DiceOver, SegmentationLoss, downsample_labels, level_extents};
use crate::optim::clip_global_norm;
use crate::parallel::{DataParallel, ShareLoss};
use crate::plan::Plan;
use crate::precision::Precision;
use crate::settings::TrainSettings;
use crate::{TrainError, UniSeg};

/// Steps in a row without a finite gradient after which training is given up.
const MOST_SKIPPED: u32 = 20;

/// What a step changes.
pub struct TrainState {
    /// The network, on an autodiff device.
    pub network: UniSeg,
    /// Its optimiser.
    pub optimizer: ModuleOptimizer,
    /// Steps that were made.
    pub iteration: u64,
    /// Steps in a row whose gradient was not finite, up to now.
    pub skipped: u32,
}

/// What a step computed.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Number of the step, from 0.
    pub iteration: u64,
    /// Loss of each batch, by task.
    pub losses: Vec<(usize, f64)>,
    /// Norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// Learning rate.
    pub rate: f64,
    /// Whether the weights were left alone because a gradient was not finite.
    pub skipped: bool,
}

impl StepReport {
    /// Mean of the batches' losses.
    pub fn loss(&self) -> f64 {
        let sum: f64 = self.losses.iter().map(|(_, loss)| loss).sum();
        sum / self.losses.len().max(1) as f64
    }
}

/// Makes steps as a plan and settings say.
pub struct Trainer {
    parallel: DataParallel,
    judge: Judge,
    settings: TrainSettings,
}

impl Trainer {
    /// A trainer on one or several devices. Weights and optimiser live on the first.
    ///
    /// Panics without any device.
    pub fn new(
        plan: &Plan,
        settings: &TrainSettings,
        devices: &[Device],
        precision: Precision,
    ) -> Self {
        let extents = level_extents(&plan.network);
        Self {
            parallel: DataParallel::new(devices.to_vec(), precision),
            judge: Judge {
                loss: SegmentationLoss::new(extents.len(), settings.dice),
                extents,
                classes: plan.tasks.iter().map(|task| task.labels.len()).collect(),
            },
            settings: settings.clone(),
        }
    }

    /// Makes one step: the mean loss of the batches descends.
    ///
    /// A step whose gradient is not finite changes nothing, as under PyTorch's gradient scaler.
    ///
    /// Errors: [`TrainError::Diverged`] after too many such steps in a row;
    /// [`TrainError::Device`] if one of several devices failed.
    pub fn step(
        &self,
        state: TrainState,
        step: Step,
    ) -> Result<(TrainState, StepReport), TrainError> {
        let TrainState {
            network,
            mut optimizer,
            iteration,
            skipped,
        } = state;
        let batches = self.shares(step.batches);
        let tasks: Vec<usize> = batches.iter().map(|batch| batch.task).collect();
        let shares = batches.into_iter().map(|batch| {
            let judge = self.judge.clone();
            Box::new(move |network: &UniSeg, device: &Device| judge.loss(network, &batch, device))
                as ShareLoss
        });
        let computed = self.parallel.step(&network, shares.collect())?;
        let clipped = clip_global_norm(
            &network,
            computed.gradients,
            self.settings.max_gradient_norm,
        );
        let rate = self.settings.rate.at(
            iteration,
            self.settings.iterations_per_epoch,
            self.settings.epochs,
        );
        let finite = clipped.norm.is_finite();
        let network = match finite {
            true => optimizer.step(rate, network, clipped.gradients),
            false => network,
        };
        let losses = computed.losses.into_iter().map(f64::from);
        let report = StepReport {
            iteration,
            losses: tasks.into_iter().zip(losses).collect(),
            gradient_norm: clipped.norm,
            rate,
            skipped: !finite,
        };
        let skipped = if finite { 0 } else { skipped + 1 };
        if skipped >= MOST_SKIPPED {
            return Err(TrainError::Diverged {
                iteration,
                steps: skipped,
            });
        }
        let state = TrainState {
            network,
            optimizer,
            iteration: iteration + 1,
            skipped,
        };
        Ok((state, report))
    }

    /// What each device gets: whole batches on one device, single patches on several. Batch Dice is
    /// taken over a batch, which is not cut then.
    fn shares(&self, batches: Vec<Batch>) -> Vec<Batch> {
        let alone = self.parallel.devices().len() == 1;
        match alone || self.settings.dice == DiceOver::Batch {
            true => batches,
            false => batches.into_iter().flat_map(Batch::patches).collect(),
        }
    }

    /// Predicts a batch without gradients and adds what was right and wrong to `dice`.
    ///
    /// `network` is a validation copy ([`burn::module::Module::valid`]) on this trainer's device without autodiff.
    pub fn judge(&self, network: &UniSeg, batch: &Batch, dice: &mut PatchDice) {
        let device = self.parallel.devices()[0].clone().inner();
        let task = Tensor::<1, Int>::from_ints([batch.task as i32], &device);
        let classes = self.judge.classes[batch.task];
        let logits = network.forward_finest(image(batch, &device), task);
        let labels = logits.narrow(1, 0, classes).argmax(1).into_data();
        dice.add(
            batch.task,
            labels.iter::<i64>(),
            batch.label.iter().copied(),
        );
    }
}

/// What a batch's loss depends on beside network and batch.
#[derive(Clone)]
struct Judge {
    loss: SegmentationLoss,
    extents: Vec<[usize; 3]>,
    classes: Vec<usize>,
}

impl Judge {
    /// The loss of one batch, `[1]`.
    fn loss(&self, network: &UniSeg, batch: &Batch, device: &Device) -> Tensor<1> {
        let task = Tensor::<1, Int>::from_ints([batch.task as i32], device);
        let prediction = network.forward(image(batch, device), task);
        let mut outputs = prediction.deep;
        outputs.insert(0, prediction.logits);
        let targets = downsample_labels(labels(batch, device), &self.extents);
        self.loss
            .forward(outputs, targets, self.classes[batch.task])
    }
}

/// `[batch, channel, z, y, x]`.
fn image(batch: &Batch, device: &Device) -> Tensor<5> {
    let elements: Vec<f32> = batch.image.iter().copied().collect();
    Tensor::from_data(
        TensorData::new(elements, batch.image.shape().to_vec()),
        device,
    )
}

/// `[batch, 1, z, y, x]`.
fn labels(batch: &Batch, device: &Device) -> Tensor<5, Int> {
    let elements: Vec<i32> = batch.label.iter().map(|label| i32::from(*label)).collect();
    let (batch, z, y, x) = batch.label.dim();
    Tensor::from_data(TensorData::new(elements, [batch, 1, z, y, x]), device)
}
