//! An artefact in one piece that computes several tasks in one call.

use ndarray::ArrayView5;

use crate::{
    ComputedOn, EachTask, Engine, EngineOptions, Logits, Model, OpenedEngine, Predictor,
    RuntimeError, Sums, SumsOf, forward::forward_each, open_engine,
};

/// Opens an engine for a graph.
type Opener = dyn Fn(&Model) -> Result<OpenedEngine, RuntimeError> + Send;

/// A whole artefact, opened for as many tasks as run on a window together: what they share is
/// computed once.
pub(crate) struct JoinedModel {
    model: Model,
    opener: Box<Opener>,
    /// None while it is opened for another number of tasks, so that there are never two.
    engine: Option<Box<dyn Engine>>,
    /// How many tasks a call of the engine takes.
    tasks: usize,
    /// How many it may take at the most; falls when memory runs out.
    most: usize,
    name: String,
    on: ComputedOn,
    takes_batches: bool,
}

impl JoinedModel {
    /// Opens `model` for `tasks` tasks at a time; with it a line for the user, see
    /// [`OpenedEngine::note`]. The file is dropped once it is read.
    ///
    /// Errors: [`RuntimeError::HalfOfAPair`], and those of [`Model::for_tasks`] and [`open_engine`].
    pub(crate) fn open(
        model: Model,
        options: &EngineOptions,
        tasks: usize,
    ) -> Result<(JoinedModel, Option<String>), RuntimeError> {
        let first = options.clone();
        let (mut joined, note) = JoinedModel::opened(
            model,
            tasks,
            Box::new(move |graph| open_engine(graph, &first)),
        )?;
        // For another number of tasks it is opened on the same, or not at all: a case's results say
        // what they were computed on.
        let again = options.bound_to(joined.on);
        joined.opener = Box::new(move |graph| open_engine(graph, &again));
        Ok((joined, note))
    }

    fn opened(
        model: Model,
        tasks: usize,
        opener: Box<Opener>,
    ) -> Result<(JoinedModel, Option<String>), RuntimeError> {
        if !model.manifest().network.part.is_whole() {
            return Err(RuntimeError::HalfOfAPair);
        }
        let graph = model.for_tasks(tasks)?;
        let known = model.without_file();
        drop(model);
        let OpenedEngine { engine, note } = opener(&graph)?;
        let opened = JoinedModel {
            most: known.tasks_at_once(),
            model: known,
            opener,
            name: engine.name().to_owned(),
            on: engine.computed_on(),
            takes_batches: engine.batches(),
            engine: Some(engine),
            tasks,
        };
        Ok((opened, note))
    }

    /// The engine for `tasks` tasks, opened again if it was for another number.
    fn engine(&mut self, tasks: usize) -> Result<&mut dyn Engine, RuntimeError> {
        if self.tasks != tasks {
            self.engine = None;
        }
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => {
                let graph = self.model.for_tasks(tasks)?;
                (self.opener)(&graph)?.engine
            }
        };
        self.tasks = tasks;
        Ok(self.engine.insert(engine).as_mut())
    }
}

impl Predictor for JoinedModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn computed_on(&self) -> ComputedOn {
        self.on
    }

    fn batches(&self) -> bool {
        self.model.batches() && self.takes_batches
    }

    fn tasks_in_a_call(&self) -> usize {
        self.most
    }

    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError> {
        let network = self.model.manifest().network.clone();
        let mut done = 0;
        while done < tasks.len() {
            let count = equal_calls(tasks.len() - done, self.most);
            let now = &tasks[done..done + count];
            let each = &mut |task, logits: Logits<'_>| each(done + task, logits);
            let engine = self.engine(count);
            match engine.and_then(|engine| forward_each(engine, &network, image, now, each)) {
                Ok(()) => done += count,
                // Who asked halves the number of windows first. Logits are handed over once all are
                // there; if what takes them is out of memory, it knows which of them it has.
                Err(error) if error.is_out_of_memory() && count > 1 && image.dim().0 == 1 => {
                    self.most = count / 2;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sums(&mut self, of: &SumsOf<'_>) -> Result<Option<Box<dyn Sums>>, RuntimeError> {
        self.engine(self.tasks)?.sums(of)
    }
}

/// The most tasks of a call, up to `most`, with which all calls for `tasks` tasks are equal: one of
/// another size would open the engine again for every window.
fn equal_calls(tasks: usize, most: usize) -> usize {
    let mut sizes = (1..=most.min(tasks)).rev();
    sizes.find(|size| tasks.is_multiple_of(*size)).unwrap_or(1)
}

#[cfg(test)]
mod tests;
