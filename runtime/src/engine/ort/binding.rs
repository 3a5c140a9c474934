//! A session whose inputs and outputs are bound to buffers on the device.
//!
//! The buffers are made once for each shape and stay at their addresses, which is what a recorded
//! CUDA graph needs. Tensors cross to the device and back through the host's pinned memory; outputs
//! that another session takes never cross.
//!
//! Probabilities are still summed on the host: those of a window of the paper's network are 38 MB,
//! about 2 ms over PCIe beside tens of ms for the window (estimates from bandwidths and operations,
//! none measured). Sums on the device would take its memory and save little.

use ::ort::{
    memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType},
    session::{IoBinding, NoSelectedOutputs, RunOptions, Session, SessionOutputs},
    value::{DynTensor, PrimitiveTensorElementType, TensorElementType},
};
use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};

use super::values::tensors;
use crate::{Device, Tensor, TensorView};

/// Where the buffers of a session lie.
pub(super) struct Memory {
    /// Where the session computes.
    device: Allocator,
    /// The host's memory that the device reads and writes.
    host: Allocator,
}

impl Memory {
    /// The memory of a GPU; `None` for a device that computes in the host's own, where there is
    /// nothing to gain.
    pub(super) fn of(session: &Session, device: Device) -> ::ort::Result<Option<Memory>> {
        let index = match device {
            Device::Cuda(index) | Device::TensorRt(index) => index.cast_signed(),
            Device::Auto | Device::Cpu | Device::OpenVino => return Ok(None),
        };
        let on = |place, kind| {
            let info = MemoryInfo::new(place, index, AllocatorType::Device, kind)?;
            Allocator::new(session, info)
        };
        Ok(Some(Memory {
            device: on(AllocationDevice::CUDA, MemoryType::Default)?,
            // Before version 1.23 only the first GPU has pinned memory; any other does, slower.
            host: on(AllocationDevice::CUDA_PINNED, MemoryType::CPU).unwrap_or_default(),
        }))
    }

    /// The host's memory in place of a GPU's: the same steps where there is none.
    #[cfg(test)]
    pub(super) fn of_the_host() -> Memory {
        Memory {
            device: Allocator::default(),
            host: Allocator::default(),
        }
    }
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
    /// By their places among the outputs; made when an output is first read.
    outputs: Vec<HostBuffer>,
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
        let (buffers, _) = self.filled(session, &[], inputs)?;
        session.run_binding_with_options(&buffers.binding, run_options)
    }

    /// Runs the session on `inputs` and on what another session `held`; copies of the outputs.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        run_options: &RunOptions<NoSelectedOutputs>,
        held: &[(&str, DynTensor)],
        inputs: &[(&str, TensorView<'_>)],
    ) -> ::ort::Result<Vec<(String, Tensor)>> {
        let (buffers, memory) = self.filled(session, held, inputs)?;
        let found = buffers.read(memory, session, run_options);
        // What another session holds is not kept beyond the run.
        buffers.binding.clear_inputs();
        found
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
        if *graph && buffers.as_ref().is_some_and(|made| made.slots != slots) {
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
            input.fill(tensor)?;
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
                host: HostBuffer::new(&memory.host, slot.element, shape)?,
                device: DynTensor::new(&memory.device, slot.element, shape)?,
            })
        };
        let inputs = slots.iter().take(given).map(input);
        Ok(Buffers {
            binding,
            inputs: inputs.collect::<::ort::Result<_>>()?,
            outputs: Vec::new(),
            slots,
        })
    }

    /// Runs the session on what is bound, and brings the outputs to the host.
    fn read(
        &mut self,
        memory: &Memory,
        session: &mut Session,
        run_options: &RunOptions<NoSelectedOutputs>,
    ) -> ::ort::Result<Vec<(String, Tensor)>> {
        let outputs = session.run_binding_with_options(&self.binding, run_options)?;
        let mut found = Vec::new();
        for (place, (name, value)) in tensors(outputs)?.into_iter().enumerate() {
            if place == self.outputs.len() {
                let buffer = HostBuffer::new(&memory.host, *value.data_type(), &shape(&value))?;
                self.outputs.push(buffer);
            }
            let buffer = &mut self.outputs[place];
            value.copy_into(&mut buffer.0)?;
            let tensor = match value.data_type() {
                TensorElementType::Int64 => Tensor::I64(buffer.elements()?.to_owned()),
                _ => Tensor::F32(buffer.elements()?.to_owned()),
            };
            found.push((name.to_owned(), tensor));
        }
        Ok(found)
    }
}

fn shape(tensor: &DynTensor) -> Vec<usize> {
    tensor.shape().iter().map(|size| *size as usize).collect()
}

impl Input {
    fn fill(&mut self, tensor: &TensorView<'_>) -> ::ort::Result<()> {
        match tensor {
            TensorView::F32(array) => self.host.write(array)?,
            TensorView::I64(array) => self.host.write(array)?,
        }
        self.host.0.copy_into(&mut self.device)
    }
}

/// A tensor in the host's memory. It owns what it holds: `ort` waits for itself for ever when it
/// copies a borrowed one.
struct HostBuffer(DynTensor);

#[expect(
    unsafe_code,
    reason = "`ort` shows the elements of a tensor whose device is called the processor; pinned \
              memory is the host's too, but has been called the GPU's since version 1.23"
)]
impl HostBuffer {
    /// Zeros in memory of `host`.
    fn new(
        host: &Allocator,
        element: TensorElementType,
        shape: &[usize],
    ) -> ::ort::Result<HostBuffer> {
        let mut tensor = DynTensor::new(host, element, shape)?;
        let start = tensor.data_ptr_mut().cast::<u8>();
        let Some(bytes) = tensor.size().filter(|_| !start.is_null()) else {
            return Err(::ort::Error::new("an input or output has no elements"));
        };
        // SAFETY: the tensor was allocated with this size just now, by an allocator of the host's
        // memory (`Memory::host`), and nothing else points to it.
        unsafe { start.write_bytes(0, bytes) };
        Ok(HostBuffer(tensor))
    }

    /// The elements, if they are of this type.
    fn elements<T: PrimitiveTensorElementType>(&mut self) -> ::ort::Result<ArrayViewMutD<'_, T>> {
        let found = *self.0.data_type();
        if found != T::into_tensor_element_type() {
            return Err(::ort::Error::new(format!(
                "an input or output is of type {found}, which this engine does not read"
            )));
        }
        let shape = IxDyn(&shape(&self.0));
        let start = self.0.data_ptr_mut().cast::<T>();
        // SAFETY: the tensor lies in the host's memory, has this shape and type, was filled when it
        // was made, and is borrowed as long as the view is. No copy of the device's runs meanwhile:
        // each has ended when the call that began it returns.
        Ok(unsafe { ArrayViewMutD::from_shape_ptr(shape, start) })
    }

    fn write<T: PrimitiveTensorElementType + Copy>(
        &mut self,
        array: &ArrayViewD<'_, T>,
    ) -> ::ort::Result<()> {
        self.elements()?.assign(array);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
