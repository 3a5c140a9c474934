//! An artefact in one piece that computes several tasks in one call.

use ndarray::{ArrayView5, ArrayViewMut5};

use crate::{
    ComputedOn, EachTask, Engine, EngineOptions, Model, OpenedEngine, Predictor, RuntimeError,
    forward::forward_each, open_engine,
};

/// A whole artefact, opened for as many tasks as run on a window together: what they share is
/// computed once.
pub(crate) struct JoinedModel {
    model: Model,
    options: EngineOptions,
    /// None while it is opened for another number of tasks, so that there are never two.
    engine: Option<Box<dyn Engine>>,
    /// How many tasks a call of the engine takes.
    tasks: usize,
    name: String,
    on: ComputedOn,
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
        if !model.manifest().network.part.is_whole() {
            return Err(RuntimeError::HalfOfAPair);
        }
        let graph = model.for_tasks(tasks)?;
        let known = model.without_file();
        drop(model);
        let OpenedEngine { engine, note } = open_engine(&graph, options)?;
        let opened = JoinedModel {
            model: known,
            options: options.clone(),
            name: engine.name().to_owned(),
            on: engine.computed_on(),
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
                open_engine(&graph, &self.options)?.engine
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
        self.model.batches()
    }

    fn shares_work(&self) -> bool {
        self.model.tasks_at_once() > 1
    }

    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError> {
        let most = self.model.tasks_at_once();
        for (call, tasks) in tasks.chunks(most).enumerate() {
            let network = self.model.manifest().network.clone();
            let each = &mut |task, logits: ArrayViewMut5<'_, f32>| each(call * most + task, logits);
            forward_each(self.engine(tasks.len())?, &network, image, tasks, each)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
