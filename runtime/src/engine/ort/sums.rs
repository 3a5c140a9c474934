//! Sums of probabilities on the device, by two graphs of a few operations: nothing of a window
//! crosses to the host, and planes do once they are done.

mod graph;

use std::ops::Range;

use ::ort::{
    memory::MemoryInfo,
    session::{IoBinding, Session},
    value::{DynTensor, Tensor},
};
use ndarray::{Array1, Array4, Array5, Axis, Ix5};

use super::{
    binding::{HostBuffer, place},
    in_file::Closing,
    library::Loaded,
    open::builder,
    stop::run_error,
    values::tensors,
};
use crate::{
    CudaOptions, Device, Lent, Placed, Precision, RuntimeError, Sums, SumsOf, TensorViewMut,
    engine::{gpu::Gpu, guard::guard, providers::Request},
};

/// What opens sums beside a session.
pub(super) struct SumsBeside {
    pub(super) loaded: Loaded,
    pub(super) device: Device,
    pub(super) threads: usize,
}

impl SumsBeside {
    /// Sums on the session's device.
    ///
    /// Errors: the graphs cannot be opened there.
    pub(super) fn open(&self, engine: &str, of: &SumsOf<'_>) -> ::ort::Result<Box<dyn Sums>> {
        // TensorRT would compile them for every plane; CUDA is beside it.
        let device = match self.device {
            Device::TensorRt(index) => Device::Cuda(index),
            device => device,
        };
        let cuda = CudaOptions {
            tight_arena: true,
            ..CudaOptions::default()
        };
        let request = Request {
            device,
            precision: Precision::F32,
            threads: self.threads,
            cuda: &cuda,
        };
        let open = |graph: &[u8]| -> ::ort::Result<Closing> {
            // All of it on the device, or it is an error: slabs would cross in every window.
            let mut builder = builder(&self.loaded, &request, true, false)?;
            Ok(builder.commit_from_memory(graph)?.into())
        };
        let (memory, gpu) = place(device)?;
        Ok(Box::new(OrtSums {
            engine: engine.to_owned(),
            add: open(&graph::add(of.importance, of.views))?,
            take: open(&graph::take())?,
            place: Place { memory, gpu },
            tasks: of
                .classes
                .iter()
                .map(|classes| TaskSums::of(*classes))
                .collect(),
            extent: [of.depth, of.plane[0], of.plane[1]],
            patch: of.importance.dim().into(),
        }))
    }
}

struct OrtSums {
    engine: String,
    add: Closing,
    take: Closing,
    place: Place,
    tasks: Vec<TaskSums>,
    /// Of the sums, (z, y, x).
    extent: [usize; 3],
    /// The network's, (z, y, x).
    patch: [usize; 3],
}

struct TaskSums {
    classes: usize,
    /// [1, class, z, y, x]; made by the first window.
    sums: Option<DynTensor>,
    /// Where planes that are done come to the host.
    done: Option<HostBuffer>,
}

impl TaskSums {
    fn of(classes: usize) -> TaskSums {
        TaskSums {
            classes,
            sums: None,
            done: None,
        }
    }
}

impl Sums for OrtSums {
    fn add(&mut self, logits: &Lent<'_>, placed: &Placed) -> Result<(), RuntimeError> {
        let engine = self.engine.clone();
        let Some(logits) = logits.device() else {
            let source = "logits lie in the host's memory, not where they are summed".into();
            return Err(RuntimeError::Run { engine, source });
        };
        guard(&engine, || {
            let added = self.added(logits.value(), placed);
            added.map_err(|source| run_error(&engine, source))
        })
    }

    fn take(&mut self, task: usize, planes: usize) -> Result<Array4<f32>, RuntimeError> {
        let engine = self.engine.clone();
        guard(&engine, || {
            let taken = self.taken(task, planes);
            taken.map_err(|source| run_error(&engine, source))
        })
    }
}

impl OrtSums {
    fn added(&mut self, logits: &DynTensor, placed: &Placed) -> ::ort::Result<()> {
        let [depth, height, width] = self.extent;
        let TaskSums { classes, sums, .. } = &mut self.tasks[placed.task];
        let empty;
        let before = match &*sums {
            Some(before) => before,
            None => {
                let zeros = Array5::<f32>::zeros((1, *classes, depth, height, width));
                empty = Tensor::from_array(zeros)?.upcast();
                &empty
            }
        };
        let mut starts = vec![placed.item as i64];
        let mut ends = vec![placed.item as i64 + 1];
        let mut steps = vec![1];
        for ((size, part), flipped) in self.patch.iter().zip(&placed.patch).zip(placed.flips) {
            let (start, end, step) = along(*size, part, flipped);
            starts.push(start);
            ends.push(end);
            steps.push(step);
        }
        let [before_it, behind_it] = around(self.extent, &placed.sums);
        let numbers = [
            ("starts", starts),
            ("ends", ends),
            ("steps", steps),
            (
                "from",
                placed.patch.iter().map(|part| part.start as i64).collect(),
            ),
            (
                "to",
                placed.patch.iter().map(|part| part.end as i64).collect(),
            ),
            ("classes", vec![*classes as i64]),
            ("pads", [before_it, behind_it].concat()),
        ];
        let mut binding = bound(&self.add, numbers)?;
        binding.bind_input(graph::LOGITS, logits)?;
        binding.bind_input(graph::SUMS, before)?;
        let [more] = self.place.run(&mut self.add, binding, [graph::MORE])?;
        *sums = Some(more);
        Ok(())
    }

    fn taken(&mut self, task: usize, planes: usize) -> ::ort::Result<Array4<f32>> {
        let [depth, height, width] = self.extent;
        let TaskSums {
            classes,
            sums,
            done: buffer,
        } = &mut self.tasks[task];
        let Some(before) = &*sums else {
            return Ok(Array4::zeros((*classes, planes, height, width)));
        };
        if planes >= depth {
            let done = self.place.download(buffer, before)?;
            *sums = None;
            return Ok(done);
        }
        let none = vec![0; 5];
        let behind = vec![0, 0, planes as i64, 0, 0];
        let numbers = [
            ("planes", vec![planes as i64]),
            ("pads", [none, behind].concat()),
        ];
        let mut binding = bound(&self.take, numbers)?;
        binding.bind_input(graph::SUMS, before)?;
        let outputs = [graph::DONE, graph::REST];
        let [done, rest] = self.place.run(&mut self.take, binding, outputs)?;
        *sums = Some(rest);
        self.place.download(buffer, &done)
    }
}

/// Where a part of an axis of `size` voxels begins and ends in what was mirrored, or was not, and the
/// step that mirrors it back.
fn along(size: usize, part: &Range<usize>, mirrored: bool) -> (i64, i64, i64) {
    let (size, start, end) = (size as i64, part.start as i64, part.end as i64);
    match mirrored {
        false => (start, end, 1),
        // Less than nothing counts from the end: only what is further away than that is before all.
        true if end == size => (size - 1 - start, -size - 1, -1),
        true => (size - 1 - start, size - 1 - end, -1),
    }
}

/// What lies before and behind a part, along (item, class, z, y, x).
fn around(extent: [usize; 3], part: &[Range<usize>; 3]) -> [Vec<i64>; 2] {
    let before = part.iter().map(|part| part.start as i64);
    let behind = extent.iter().zip(part);
    let behind = behind.map(|(size, part)| (size - part.end) as i64);
    [
        [0, 0].into_iter().chain(before).collect(),
        [0, 0].into_iter().chain(behind).collect(),
    ]
}

/// A binding with numbers in it.
fn bound<const N: usize>(
    session: &Session,
    numbers: [(&str, Vec<i64>); N],
) -> ::ort::Result<IoBinding> {
    let mut binding = session.create_binding()?;
    for (name, values) in numbers {
        binding.bind_input(name, &Tensor::from_array(Array1::from(values))?)?;
    }
    Ok(binding)
}

/// Where sums lie.
struct Place {
    memory: MemoryInfo<'static>,
    /// Unless that is the host's.
    gpu: Option<Gpu>,
}

impl Place {
    /// Runs what is bound; the outputs stay here.
    fn run<const N: usize>(
        &self,
        session: &mut Session,
        mut binding: IoBinding,
        outputs: [&str; N],
    ) -> ::ort::Result<[DynTensor; N]> {
        for name in outputs {
            binding.bind_output_to_device(name, &self.memory)?;
        }
        let found = session.run_binding(&binding).inspect_err(|_| {
            // As for the network: what is left on the GPU may still write.
            let _ = self.gpu.as_ref().map(Gpu::wait);
        })?;
        let found = tensors(found)?.into_iter().map(|(_, value)| value);
        let missing = |_| ::ort::Error::new("a graph of sums lacks an output");
        found.collect::<Vec<_>>().try_into().map_err(missing)
    }

    /// Planes in the host's memory, (class, z, y, x).
    fn download(
        &self,
        buffer: &mut Option<HostBuffer>,
        planes: &DynTensor,
    ) -> ::ort::Result<Array4<f32>> {
        let brought = HostBuffer::bring(buffer, self.gpu.as_ref(), planes)?;
        let TensorViewMut::F32(planes) = brought else {
            return Err(::ort::Error::new("sums are not of 32-bit floats"));
        };
        let planes = planes.into_dimensionality::<Ix5>();
        let planes = planes.map_err(|error| ::ort::Error::new(error.to_string()))?;
        Ok(planes.index_axis(Axis(0), 0).to_owned())
    }
}

#[cfg(test)]
mod tests;
