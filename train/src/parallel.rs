//! One training step over one or several devices.
//!
//! This is burn-train's data parallelism with the optimiser on the first device, driven step by
//! step: its workers, one for each device, copy the weights to their device, compute the gradients
//! of their share, and hand them to the first device, where they are added up. There is
//! one set of weights and one state of the optimiser, as on a single device, so checkpoints and
//! resuming do not know how many devices there are.
//!
//! burn's other way, a replica with an optimiser on each device and an all-reduce between them,
//! exists for CUDA alone and needs NCCL. It saves moving the weights, 128 MB a device and step for
//! the paper's network, which is little beside a step of its plan.

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn_train::train::MultiDevicesTrainStep;
use burn_train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

use crate::UniSeg;
use crate::device::DeviceError;
use crate::precision::Precision;

/// Computes the loss, `[1]`, of a share of a step, say a batch or a part of one: puts it on the
/// device, runs the network that it is given, which is there already, and compares.
pub type ShareLoss = Box<dyn FnOnce(&UniSeg, &Device) -> Tensor<1> + Send>;

/// What a step found out.
#[derive(Debug)]
pub struct StepGradients {
    /// Gradients of the mean of the losses, on the first device, f32.
    pub gradients: GradientsParams,
    /// Loss of each share, in the order the shares were given.
    pub losses: Vec<f32>,
}

/// The devices that a run trains on.
pub struct DataParallel {
    devices: Vec<Device>,
    precision: Precision,
    /// None for a single device, which works on the caller's thread.
    workers: Option<MultiDevicesTrainStep<Replica>>,
}

impl DataParallel {
    /// Starts a worker for each device, if there is more than one.
    ///
    /// The network to be trained belongs on the first of [`Self::devices`].
    ///
    /// Panics without any device.
    pub fn new(devices: Vec<Device>, precision: Precision) -> Self {
        assert!(!devices.is_empty(), "training needs a device");
        let devices: Vec<_> = devices.into_iter().map(Device::autodiff).collect();
        let workers = (devices.len() > 1).then(|| MultiDevicesTrainStep::new(&devices));
        Self {
            devices,
            precision,
            workers,
        }
    }

    /// The devices, with autodiff. The first is where weights, gradients and optimiser live.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Gradients of the mean of the losses of all shares, which the devices compute in turn.
    ///
    /// If the shares are a batch cut in equal parts, and the loss is a mean over samples, this is
    /// the gradient of the batch on one device, but for the order of additions: so with Dice per
    /// sample, not with [batch Dice](crate::loss::DiceOver::Batch), which is one for each share.
    /// Gradients are added in the order of the shares, never in that of finishing: the same shares
    /// on as many devices give the same bits.
    ///
    /// Errors: [`DeviceError::Step`] if a loss panicked on one of several devices; on a single
    /// device the panic goes on.
    ///
    /// Panics without any share.
    pub fn step(
        &self,
        network: &UniSeg,
        shares: Vec<ShareLoss>,
    ) -> Result<StepGradients, DeviceError> {
        assert!(!shares.is_empty(), "a step needs a share to learn from");
        let of = shares.len();
        let replica = Replica {
            network: network.clone(),
        };
        let mut sum = Sum {
            replica: &replica,
            device: &self.devices[0],
            gradients: GradientsAccumulator::new(),
            losses: Vec::with_capacity(of),
        };
        let devices = self.devices.iter().cycle();
        let mut shares =
            shares
                .into_iter()
                .zip(devices)
                .enumerate()
                .map(|(rank, (loss, device))| Share {
                    rank,
                    of,
                    loss,
                    device: device.clone(),
                    precision: self.precision,
                });
        match &self.workers {
            None => shares.for_each(|share| sum.add(TrainStep::step(&replica, share))),
            Some(workers) => {
                while sum.losses.len() < of {
                    // A worker without a share, in the last round, is left alone.
                    let mut round: Vec<_> = self
                        .devices
                        .iter()
                        .map(|_| Queue::boxed(shares.next()))
                        .collect();
                    let outputs = workers.step(&mut round, &replica);
                    let (mut outputs, _) = outputs.map_err(|error| DeviceError::Step {
                        reason: error.to_string(),
                    })?;
                    outputs.sort_by_key(|output| output.output.item.rank);
                    outputs
                        .into_iter()
                        .for_each(|output| sum.add(output.output));
                }
            }
        }
        Ok(StepGradients {
            gradients: sum.gradients.grads(),
            losses: sum.losses,
        })
    }
}

/// What has been computed of a step, on the first device.
struct Sum<'a> {
    replica: &'a Replica,
    device: &'a Device,
    gradients: GradientsAccumulator<Replica>,
    losses: Vec<f32>,
}

impl Sum<'_> {
    fn add(&mut self, output: TrainOutput<ShareOutcome>) {
        self.losses.push(output.item.loss);
        let gradients = output.grads.to_device(self.device, self.replica);
        self.gradients.accumulate(self.replica, gradients);
    }
}

/// The network in the shape that burn-train's workers take.
#[derive(Module, Debug)]
struct Replica {
    network: UniSeg,
}

/// One worker's work.
struct Share {
    rank: usize,
    of: usize,
    loss: ShareLoss,
    device: Device,
    precision: Precision,
}

struct ShareOutcome {
    rank: usize,
    loss: f32,
}

/// Nothing is pending: the loss was read back.
impl ItemLazy for ShareOutcome {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl TrainStep for Replica {
    type Input = Share;
    type Output = ShareOutcome;

    fn step(&self, share: Share) -> TrainOutput<ShareOutcome> {
        let view = share.precision.view(&self.network);
        let loss = (share.loss)(&view, &share.device);
        // The gradients are added up later: a part of the mean from each share.
        let part = match share.of {
            1 => loss.clone(),
            of => loss.clone() / of as f64,
        };
        let gradients = part.backward();
        let outcome = ShareOutcome {
            rank: share.rank,
            loss: loss.into_scalar(),
        };
        TrainOutput::new(self, gradients, outcome)
    }
}

/// Asked for by burn-train of whatever it trains; validation is not its business here.
impl InferenceStep for Replica {
    type Input = ();
    type Output = ();

    fn step(&self, (): ()) {}
}

/// A data loader of at most one share, since that is where burn-train's workers get their work from.
struct Queue(Option<Share>);

impl Queue {
    fn boxed(share: Option<Share>) -> Box<dyn DataLoaderIterator<Share>> {
        Box::new(Self(share))
    }
}

impl Iterator for Queue {
    type Item = Result<Share, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl DataLoaderIterator<Share> for Queue {
    fn progress(&self) -> Progress {
        Progress::new(1, 1, None)
    }
}

#[cfg(test)]
mod tests;
