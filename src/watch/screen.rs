use std::sync::Arc;

use burn_train::Interrupter;
use burn_train::logger::TrainingProgressLogger;
use burn_train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use uniseg_train::TrainSettings;
use uniseg_train::run::Event;

use super::Watch;

/// burn-train's screen, driven by hand: its learner has no place for gradients clipped together,
/// nor checkpoints that survive a kill.
pub(super) struct Screen {
    epochs: usize,
    length: u64,
    interrupter: Interrupter,
    renderer: Option<TuiMetricsRendererWrapper>,
    curves: Vec<MetricId>,
    in_epoch: bool,
    notes: Vec<String>,
}

/// Name, unit, and whether more is better.
const CURVES: [(&str, &str, bool); 5] = [
    ("Loss", "", false),
    ("Patch Dice", "", true),
    ("Gradient norm", "", false),
    ("Learning rate", "", false),
    ("Waiting for data", "%", false),
];
const LOSS: usize = 0;
const DICE: usize = 1;
const NORM: usize = 2;
const RATE: usize = 3;
const WAITING: usize = 4;

impl Screen {
    pub(super) fn new(settings: &TrainSettings) -> Self {
        let name = |(name, ..): &(&str, &str, bool)| MetricId::new(Arc::new((*name).to_owned()));
        Self {
            epochs: settings.epochs as usize,
            length: u64::from(settings.iterations_per_epoch),
            interrupter: Interrupter::new(),
            renderer: None,
            curves: CURVES.iter().map(name).collect(),
            in_epoch: false,
            notes: Vec::new(),
        }
    }

    /// Opens the screen; from here on nothing may be printed.
    fn open(&mut self, iteration: u64) {
        let done = (iteration / self.length) as usize;
        let resumed = (done > 0).then_some(done);
        let mut renderer = TuiMetricsRendererWrapper::new(self.interrupter.clone(), resumed);
        for (id, (name, unit, higher_is_better)) in self.curves.iter().zip(CURVES) {
            renderer.register_metric(MetricDefinition {
                metric_id: id.clone(),
                name: Arc::new(name.to_owned()),
                description: None,
                attributes: MetricAttributes::Numeric(NumericAttributes {
                    unit: (!unit.is_empty()).then(|| unit.to_owned()),
                    higher_is_better,
                }),
            });
        }
        // Its epochs count from 1.
        renderer.start(self.epochs, done + 1, None, Some("uniseg"));
        self.renderer = Some(renderer);
    }

    /// A point of a curve; the screen cannot draw what is not a number.
    fn point(&self, curve: usize, value: f64) -> Option<MetricState> {
        let id = self.curves.get(curve)?.clone();
        let text = SerializedEntry::new(format!("{value:.4e}"), value.to_string());
        let state =
            MetricState::Numeric(MetricEntry::new(id, text), Some(NumericEntry::Value(value)));
        value.is_finite().then_some(state)
    }

    fn train(&mut self, curve: usize, value: f64) {
        if let (Some(point), Some(renderer)) = (self.point(curve, value), &mut self.renderer) {
            renderer.update_train(point);
        }
    }
}

impl Watch for Screen {
    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Begin { iteration, .. } => self.open(*iteration),
            Event::Note(text) => self.notes.push(text.clone()),
            Event::Step(step) => {
                if !self.in_epoch
                    && let Some(renderer) = &mut self.renderer
                {
                    renderer.start_split("train", self.length as usize);
                    self.in_epoch = true;
                }
                self.train(LOSS, step.loss());
                self.train(NORM, step.gradient_norm);
                self.train(RATE, step.rate);
                if let Some(renderer) = &mut self.renderer {
                    renderer.update_split((step.iteration % self.length + 1) as usize);
                }
            }
            Event::Epoch(record) => {
                self.train(WAITING, 100.0 * record.waiting_share);
                let dice = record
                    .validation_dice
                    .and_then(|dice| self.point(DICE, dice));
                let Some(renderer) = &mut self.renderer else {
                    return;
                };
                renderer.end_split();
                renderer.start_split("valid", 1);
                if let Some(dice) = dice {
                    renderer.update_valid(dice);
                }
                renderer.update_split(1);
                renderer.end_split();
                renderer.update_epoch(record.epoch as usize + 1);
                self.in_epoch = false;
            }
            Event::Saved { .. } => {}
        }
    }

    fn should_stop(&self) -> bool {
        self.interrupter.should_stop()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(mut renderer) = self.renderer.take() {
            renderer.end();
            // It would print a summary from burn's own log files, of which there are none.
            let _ = renderer.on_train_end(None);
        }
        for note in &self.notes {
            crate::report::note(note);
        }
    }
}
