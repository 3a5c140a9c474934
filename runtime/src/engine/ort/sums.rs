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
            // Integers that say where things lie stay with the processor.
            let mut builder = builder(&self.loaded, &request, false, false)?;
            Ok(builder.commit_from_memory(graph)?.into())
        };
        let (place, gpu) = place(device)?;
        Ok(Box::new(OrtSums {
            engine: engine.to_owned(),
            add: open(&graph::add(of.importance))?,
            take: open(&graph::take())?,
            place,
            gpu,
            tasks: of.classes.iter().map(|classes| (*classes, None)).collect(),
            extent: [of.depth, of.plane[0], of.plane[1]],
            patch: of.importance.dim().into(),
            done: None,
        }))
    }
}

struct OrtSums {
    engine: String,
    add: Closing,
    take: Closing,
    /// Where sums lie.
    place: MemoryInfo<'static>,
    gpu: Option<Gpu>,
    /// For each task its classes, and its sums, [1, class, z, y, x]: made by the first window.
    tasks: Vec<(usize, Option<DynTensor>)>,
    /// Of the sums, (z, y, x).
    extent: [usize; 3],
    /// The network's, (z, y, x).
    patch: [usize; 3],
    /// Where planes cross to the host.
    done: Option<HostBuffer>,
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
        let (classes, sums) = &mut self.tasks[placed.task];
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
        let [more] = run(&mut self.add, binding, [graph::MORE], &self.place)?;
        *sums = Some(more);
        Ok(())
    }

    fn taken(&mut self, task: usize, planes: usize) -> ::ort::Result<Array4<f32>> {
        let [depth, height, width] = self.extent;
        let (classes, sums) = &mut self.tasks[task];
        let Some(before) = &*sums else {
            return Ok(Array4::zeros((*classes, planes, height, width)));
        };
        if planes >= depth {
            let done = sums.take();
            return done.map_or_else(
                || Ok(Array4::zeros((0, 0, 0, 0))),
                |done| download(&mut self.done, self.gpu.as_ref(), &done),
            );
        }
        let none = vec![0; 5];
        let behind = vec![0, 0, planes as i64, 0, 0];
        let numbers = [
            ("planes", vec![planes as i64]),
            ("pads", [none, behind].concat()),
        ];
        let mut binding = bound(&self.take, numbers)?;
        binding.bind_input(graph::SUMS, before)?;
        let [done, rest] = run(
            &mut self.take,
            binding,
            [graph::DONE, graph::REST],
            &self.place,
        )?;
        *sums = Some(rest);
        download(&mut self.done, self.gpu.as_ref(), &done)
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

/// Runs what is bound; the outputs stay where sums lie.
fn run<const N: usize>(
    session: &mut Session,
    mut binding: IoBinding,
    outputs: [&str; N],
    place: &MemoryInfo<'_>,
) -> ::ort::Result<[DynTensor; N]> {
    for name in outputs {
        binding.bind_output_to_device(name, place)?;
    }
    let found = tensors(session.run_binding(&binding)?)?;
    let found: Vec<DynTensor> = found.into_iter().map(|(_, value)| value).collect();
    let missing = |_| ::ort::Error::new("a graph of sums lacks an output");
    found.try_into().map_err(missing)
}

/// Planes in the host's memory, (class, z, y, x).
fn download(
    buffer: &mut Option<HostBuffer>,
    gpu: Option<&Gpu>,
    planes: &DynTensor,
) -> ::ort::Result<Array4<f32>> {
    let made = buffer.take().filter(|made| made.fits(planes));
    let buffer = buffer.insert(match made {
        Some(made) => made,
        None => HostBuffer::like(gpu, planes)?,
    });
    buffer.download(planes)?;
    let TensorViewMut::F32(planes) = buffer.view_mut()? else {
        return Err(::ort::Error::new("sums are not of 32-bit floats"));
    };
    let planes = planes.into_dimensionality::<Ix5>();
    let planes = planes.map_err(|error| ::ort::Error::new(error.to_string()))?;
    Ok(planes.index_axis(Axis(0), 0).to_owned())
}

#[cfg(test)]
mod tests;
