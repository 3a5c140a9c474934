use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ndarray::{Array4, Array5, Axis};

use super::patch::{draw_start, is_foreground};
use super::{Batch, Sources, Step};
use crate::augment::{Augmentation, Sample};
use crate::data::random::Random;
use crate::sampler::TaskSampler;

/// How steps are made.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Size of a patch, (z, y, x) in voxels.
    pub patch: [usize; 3],
    /// Patches of a batch.
    pub batch_size: usize,
    /// Share of them that are centred on a foreground voxel.
    pub foreground_share: f64,
    /// Whether the patches of a batch are one patch under several tasks.
    pub paired_tasks: bool,
    /// What is done to a patch.
    pub augmentation: Augmentation,
    /// Seed of everything but the task order, which is the sampler's.
    pub seed: u64,
    /// Threads that prepare steps.
    pub workers: NonZeroUsize,
    /// Steps that may wait to be used; each holds its patches in memory.
    pub ahead: NonZeroUsize,
}

/// Makes steps in background threads and hands them out in order, without end.
#[derive(Debug)]
pub struct Loader {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    next: u64,
    waited: Duration,
}

#[derive(Debug)]
struct Shared {
    sources: Arc<Sources>,
    options: LoaderOptions,
    queue: Mutex<Queue>,
    /// Signalled whenever a step was made or taken, and at the end.
    changed: Condvar,
}

#[derive(Debug)]
struct Queue {
    sampler: TaskSampler,
    /// The step that the next free worker makes.
    next: u64,
    /// The step that is handed out next.
    wanted: u64,
    ready: BTreeMap<u64, Step>,
    /// Nobody waits for steps any more, or a worker has panicked.
    closed: bool,
}

impl Loader {
    /// Starts the workers. The first step is number `first`, whose task `sampler` draws next.
    pub fn start(
        sources: Arc<Sources>,
        options: LoaderOptions,
        sampler: TaskSampler,
        first: u64,
    ) -> Self {
        let count = options.workers.get();
        let shared = Arc::new(Shared {
            sources,
            options,
            queue: Mutex::new(Queue {
                sampler,
                next: first,
                wanted: first,
                ready: BTreeMap::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let workers = (0..count)
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.work())
            })
            .collect();
        Self {
            shared,
            workers,
            next: first,
            waited: Duration::ZERO,
        }
    }

    /// The next step; waits for it if need be.
    ///
    /// Panics if a worker has: that is a mistake in this program, which must not end as a run that
    /// waits for ever.
    pub fn next_step(&mut self) -> Step {
        let start = Instant::now();
        let mut queue = self.shared.lock();
        let step = loop {
            if let Some(step) = queue.ready.remove(&self.next) {
                break step;
            }
            assert!(!queue.closed, "a thread that prepares patches has panicked");
            queue = self.shared.wait(queue);
        };
        self.next += 1;
        queue.wanted = self.next;
        drop(queue);
        self.shared.changed.notify_all();
        self.waited += start.elapsed();
        step
    }

    /// Time spent waiting for steps so far.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // Its panic has been told already, by `next_step`.
            let _ = worker.join();
        }
    }
}

/// Closes the queue when a worker ends, also by a panic, so that nobody waits for it.
struct CloseOnPanic<'a>(&'a Shared);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().closed = true;
            self.0.changed.notify_all();
        }
    }
}

impl Shared {
    /// A worker that panicked held no lock while it worked: the queue is sound.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let _guard = CloseOnPanic(self);
        while let Some((index, task, sampler)) = self.claim() {
            let batches = self.make(index, task);
            let step = Step {
                index,
                batches,
                sampler,
            };
            self.lock().ready.insert(index, step);
            self.changed.notify_all();
        }
    }

    /// Number and task of the next step, as soon as there is room for it; `None` at the end.
    fn claim(&self) -> Option<(u64, usize, TaskSampler)> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if queue.next < queue.wanted + self.options.ahead.get() as u64 {
                let index = queue.next;
                queue.next += 1;
                let task = queue.sampler.draw();
                return Some((index, task, queue.sampler.clone()));
            }
            queue = self.wait(queue);
        }
    }

    fn make(&self, index: u64, task: usize) -> Vec<Batch> {
        let mut random = Random::for_step(self.options.seed, index);
        match self.options.paired_tasks {
            true => self.paired(task, &mut random),
            false => vec![self.batch(task, &mut random)],
        }
    }

    /// Patches of one task, each of a case of its own, drawn with replacement.
    fn batch(&self, task: usize, random: &mut Random) -> Batch {
        let size = self.options.batch_size;
        let samples = (0..size).map(|patch| {
            // A stream for each patch: what one draws does not move the others.
            let mut random = Random::new(random.next());
            let case = random.below(self.sources.tasks[task].cases.len() as u64) as usize;
            let foreground = is_foreground(patch, size, self.options.foreground_share);
            let start = self.start(task, case, foreground, &mut random);
            (case, self.sample(task, case, start, &mut random))
        });
        self.stack(task, samples.collect())
    }

    /// One patch under as many tasks as a batch has patches; fewer where tasks have no partner.
    fn paired(&self, task: usize, random: &mut Random) -> Vec<Batch> {
        let mut stream = Random::new(random.next());
        let case = stream.below(self.sources.tasks[task].cases.len() as u64) as usize;
        let mut tasks = vec![(task, case)];
        for _ in 1..self.options.batch_size {
            let partner = self.sources.partner(task, case, random);
            tasks.extend(partner.filter(|(other, _)| tasks.iter().all(|(seen, _)| seen != other)));
        }
        if tasks.len() == 1 {
            return vec![self.batch(task, random)];
        }
        // The centre is foreground of one of them, each as often.
        let (centred, its_case) = tasks[random.below(tasks.len() as u64) as usize];
        let start = self.start(centred, its_case, true, &mut stream);
        tasks
            .into_iter()
            .map(|(task, case)| {
                // The same draws for each: the same image.
                let sample = self.sample(task, case, start, &mut stream.clone());
                self.stack(task, vec![(case, sample)])
            })
            .collect()
    }

    /// Draws where a block begins.
    fn start(&self, task: usize, case: usize, foreground: bool, random: &mut Random) -> [isize; 3] {
        let (_, cached) = &self.sources.tasks[task].cases[case];
        let options = &self.options;
        let labels: Vec<u16> = cached.foreground().collect();
        let label = labels.get(random.below(labels.len().max(1) as u64) as usize);
        let count = label.map_or(0, |label| cached.location_count(*label));
        let voxel = random.below(count.max(1) as u64) as usize;
        // A case without foreground gets a patch from anywhere.
        let centre = label
            .filter(|_| foreground)
            .and_then(|label| cached.location(*label, voxel));
        let block = options.augmentation.block_size(options.patch);
        draw_start(block, options.patch, cached.extent_zyx(), centre, random)
    }

    fn sample(&self, task: usize, case: usize, start: [isize; 3], random: &mut Random) -> Sample {
        let (_, cached) = &self.sources.tasks[task].cases[case];
        let (augmentation, patch) = (&self.options.augmentation, self.options.patch);
        let block = cached.block(start, augmentation.block_size(patch));
        augmentation.apply(block, patch, random)
    }

    fn stack(&self, task: usize, samples: Vec<(usize, Sample)>) -> Batch {
        let source = &self.sources.tasks[task];
        let channels = source.cases.first().map_or(0, |(_, case)| case.channels());
        let [z, y, x] = self.options.patch;
        let mut image = Array5::zeros((samples.len(), channels, z, y, x));
        let mut label = Array4::zeros((samples.len(), z, y, x));
        let mut cases = Vec::with_capacity(samples.len());
        for (place, (case, sample)) in samples.into_iter().enumerate() {
            image.index_axis_mut(Axis(0), place).assign(&sample.image);
            label.index_axis_mut(Axis(0), place).assign(&sample.label);
            cases.push(source.cases[case].0.clone());
        }
        Batch {
            task,
            image,
            label,
            cases,
        }
    }
}
