//! A session whose inputs and outputs are bound to buffers on the device.
//!
//! The buffers are made once for each shape and stay at their addresses, which is what a recorded
//! CUDA graph needs. Tensors cross to the device and back through the host's pinned memory; outputs
//! that nobody looks at on the host never cross.
//!
//! The copies are the driver's own: `ort` copies between devices with sessions that it opens for it,
//! which fails for page-locked memory since ONNX Runtime 1.23.

mod buffer;

use std::fmt;

use ::ort::{
    memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType},
    session::{IoBinding, NoSelectedOutputs, RunOptions, Session, SessionOutputs},
    value::{DynTensor, TensorElementType},
};

pub(super) use self::buffer::HostBuffer;
use super::{stop::run_error, values::tensors};
use crate::{
    Device, RuntimeError, TensorView, TensorViewMut,
    engine::{gpu::Gpu, guard::guard},
};

/// Where the buffers of a session lie.
pub(super) struct Memory {
    /// Where the session computes.
    device: Allocator,
    /// The GPU, unless that is the host.
    gpu: Option<Gpu>,
}

impl Memory {
    /// The memory of a GPU; `None` for a device that computes in the host's own, where there is
    /// nothing to gain.
    pub(super) fn of(session: &Session, device: Device) -> ::ort::Result<Option<Memory>> {
        let (place, gpu) = place(device)?;
        Ok(match gpu {
            None => None,
            gpu => Some(Memory {
                device: Allocator::new(session, place)?,
                gpu,
            }),
        })
    }

    /// Waits for what a run that failed has left on the GPU: sessions wait for those that end well
    /// only, and its operations may still write to memory that is given to others now.
    fn settle(&self) {
        // A GPU that cannot say so fails in the next run, too.
        let _ = self.gpu.as_ref().map(Gpu::wait);
    }

    /// The host's memory in place of a GPU's: the same steps where there is none.
    #[cfg(test)]
    pub(super) fn of_the_host() -> Memory {
        Memory {
            device: Allocator::default(),
            gpu: None,
        }
    }
}

/// Where the memory of a device is, and the GPU whose it is, unless it is the host's.
pub(super) fn place(device: Device) -> ::ort::Result<(MemoryInfo<'static>, Option<Gpu>)> {
    let (kind, index) = match device {
        Device::Cuda(index) | Device::TensorRt(index) => (AllocationDevice::CUDA, Some(index)),
        Device::Auto | Device::Cpu | Device::OpenVino => (AllocationDevice::CPU, None),
    };
    let place = MemoryInfo::new(
        kind,
        index.unwrap_or_default().cast_signed(),
        AllocatorType::Device,
        MemoryType::Default,
    )?;
    let gpu = index.map(Gpu::open).transpose();
    Ok((place, gpu.map_err(::ort::Error::new)?))
}

/// The buffers of a session, for the shapes that it ran on last.
pub(super) struct Bound {
    memory: Memory,
    /// Whether the run is recorded once and replayed: it then reads and writes the first buffers
    /// for ever, whatever is bound.
    graph: bool,
    buffers: Option<Buffers>,
}

struct Buffers {
    slots: Vec<Slot>,
    binding: IoBinding,
    /// By their places among the inputs.
    inputs: Vec<Input>,
    /// In the graph's order.
    outputs: Vec<Output>,
    /// Whether a run has come to its end: a recording has these addresses in it from then on.
    ran: bool,
}

/// What buffers are made for.
#[derive(PartialEq)]
struct Slot {
    name: String,
    element: TensorElementType,
    shape: Vec<usize>,
    /// Where an input lies that another session holds.
    address: Option<usize>,
}

/// An output of the last run.
struct Output {
    name: String,
    device: DynTensor,
    /// Made when it is first looked at.
    host: Option<HostBuffer>,
}

/// An input on its way: the caller's tensor is copied to the host's buffer, that to the device's.
struct Input {
    host: HostBuffer,
    device: DynTensor,
}

impl Bound {
    pub(super) fn new(memory: Memory, graph: bool) -> Bound {
        Bound {
            memory,
            graph,
            buffers: None,
        }
    }

    /// Runs the session on `inputs`; the outputs stay on the device.
    pub(super) fn keep<'b>(
        &'b mut self,
        session: &'b mut Session,
        run_options: &RunOptions<NoSelectedOutputs>,
        inputs: &[(&str, TensorView<'_>)],
    ) -> ::ort::Result<SessionOutputs<'b>> {
        let (buffers, memory) = self.filled(session, &[], inputs)?;
        let outputs = session.run_binding_with_options(&buffers.binding, run_options);
        let outputs = outputs.inspect_err(|_| memory.settle())?;
        buffers.ran = true;
        Ok(outputs)
    }

    /// Runs the session on `inputs` and on what another session `held`.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        run_options: &RunOptions<NoSelectedOutputs>,
        held: &[(&str, DynTensor)],
        inputs: &[(&str, TensorView<'_>)],
    ) -> ::ort::Result<()> {
        let (buffers, memory) = self.filled(session, held, inputs)?;
        let found = buffers.run(session, run_options);
        // What another session holds is not kept beyond the run.
        buffers.binding.clear_inputs();
        buffers.ran |= found.is_ok();
        found.inspect_err(|_| memory.settle())
    }

    /// The outputs of [`Bound::run`], in the graph's order, of a session that messages call
    /// `engine`.
    pub(super) fn outputs<'b>(
        &'b mut self,
        engine: &'b str,
    ) -> impl Iterator<Item = (&'b str, DeviceTensor<'b>)> {
        let gpu = self.memory.gpu.as_ref();
        let outputs = self.buffers.iter_mut().flat_map(|made| &mut made.outputs);
        outputs.map(move |Output { name, device, host }| {
            let tensor = DeviceTensor {
                engine,
                device,
                host,
                gpu,
            };
            (name.as_str(), tensor)
        })
    }

    /// The buffers for these inputs, with the inputs in them.
    fn filled(
        &mut self,
        session: &Session,
        held: &[(&str, DynTensor)],
        inputs: &[(&str, TensorView<'_>)],
    ) -> ::ort::Result<(&mut Buffers, &Memory)> {
        let Bound {
            memory,
            graph,
            buffers,
        } = self;
        let given = inputs
            .iter()
            .map(|(name, tensor)| Slot::given(name, tensor));
        let taken = held.iter().map(|(name, value)| Slot::held(name, value));
        let slots: Vec<Slot> = given.chain(taken).collect();
        let recorded = buffers.as_ref().filter(|made| *graph && made.ran);
        if recorded.is_some_and(|made| made.slots != slots) {
            return Err(::ort::Error::new(
                "a recorded CUDA graph runs on inputs of one shape and at one place only",
            ));
        }
        // Those of other shapes are freed before new ones are made.
        let made = buffers.take().filter(|made| made.slots == slots);
        let buffers = buffers.insert(match made {
            Some(made) => made,
            None => Buffers::new(memory, session, slots, inputs.len())?,
        });
        for ((name, tensor), input) in inputs.iter().zip(&mut buffers.inputs) {
            input.host.fill(tensor)?;
            input.host.upload(&mut input.device)?;
            // Bound again in each run: an input that some operation reads elsewhere is copied there
            // when it is bound, and only then.
            buffers.binding.bind_input(*name, &input.device)?;
        }
        for (name, value) in held {
            buffers.binding.bind_input(*name, value)?;
        }
        Ok((buffers, memory))
    }
}

impl Slot {
    fn given(name: &str, tensor: &TensorView<'_>) -> Slot {
        let (element, shape) = match tensor {
            TensorView::F32(array) => (TensorElementType::Float32, array.shape()),
            TensorView::I64(array) => (TensorElementType::Int64, array.shape()),
        };
        Slot {
            name: name.to_owned(),
            element,
            shape: shape.to_vec(),
            address: None,
        }
    }

    fn held(name: &str, value: &DynTensor) -> Slot {
        Slot {
            name: name.to_owned(),
            element: *value.data_type(),
            shape: shape(value),
            address: Some(value.data_ptr().addr()),
        }
    }
}

impl Buffers {
    /// Buffers for the first `given` slots, which the caller fills; the others have their own. The
    /// first run makes the buffers of the outputs, and the next ones write there again.
    fn new(
        memory: &Memory,
        session: &Session,
        slots: Vec<Slot>,
        given: usize,
    ) -> ::ort::Result<Buffers> {
        let mut binding = session.create_binding()?;
        for output in session.outputs() {
            binding.bind_output_to_device(output.name(), memory.device.memory_info())?;
        }
        let input = |slot: &Slot| {
            let shape = slot.shape.as_slice();
            Ok(Input {
                host: HostBuffer::new(memory.gpu.as_ref(), slot.element, shape)?,
                device: DynTensor::new(&memory.device, slot.element, shape)?,
            })
        };
        let inputs = slots.iter().take(given).map(input);
        Ok(Buffers {
            binding,
            inputs: inputs.collect::<::ort::Result<_>>()?,
            outputs: Vec::new(),
            slots,
            ran: false,
        })
    }

    /// Runs the session on what is bound.
    fn run(
        &mut self,
        session: &mut Session,
        run_options: &RunOptions<NoSelectedOutputs>,
    ) -> ::ort::Result<()> {
        let outputs = session.run_binding_with_options(&self.binding, run_options)?;
        for (place, (name, value)) in tensors(outputs)?.into_iter().enumerate() {
            match self.outputs.get_mut(place) {
                Some(output) => output.device = value,
                None => self.outputs.push(Output {
                    name: name.to_owned(),
                    device: value,
                    host: None,
                }),
            }
        }
        Ok(())
    }
}

/// An output that lies where it was computed.
pub(in crate::engine) struct DeviceTensor<'a> {
    /// The engine's name, for messages.
    engine: &'a str,
    device: &'a DynTensor,
    host: &'a mut Option<HostBuffer>,
    gpu: Option<&'a Gpu>,
}

impl DeviceTensor<'_> {
    /// The value itself.
    pub(super) fn value(&self) -> &DynTensor {
        self.device
    }

    /// Whether it is of 32-bit floats and this shape.
    pub(in crate::engine) fn is_f32(&self, wanted: &[usize]) -> bool {
        *self.device.data_type() == TensorElementType::Float32 && shape(self.device) == wanted
    }

    /// The tensor in the host's memory; it is copied there each time.
    pub(in crate::engine) fn view(&mut self) -> Result<TensorViewMut<'_>, RuntimeError> {
        let DeviceTensor {
            engine,
            device,
            host,
            gpu,
        } = self;
        guard(engine, || {
            HostBuffer::bring(host, *gpu, device).map_err(|source| run_error(engine, source))
        })
    }
}

impl fmt::Debug for DeviceTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Element type and shape.
impl fmt::Display for DeviceTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.device.data_type(), shape(self.device))
    }
}

fn shape(tensor: &DynTensor) -> Vec<usize> {
    tensor.shape().iter().map(|size| *size as usize).collect()
}

#[cfg(test)]
mod tests;
