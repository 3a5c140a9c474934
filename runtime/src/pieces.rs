//! A network that comes as one file, or as an encoder and a decoder beside each other.

use std::path::{Path, PathBuf};

use ndarray::{Array1, ArrayView5};
use uniseg_onnx::{Network, Part};

use crate::{
    ComputedOn, EachTask, Engine, EngineOptions, Held, Model, Predictor, RuntimeError, TensorView,
    WholeModel, forward::logits, open_engine, planned_engine,
};

/// Ends of the names of a pair's files.
const ENCODER: &str = ".encoder.onnx";
const DECODER: &str = ".decoder.onnx";

/// Most tasks that run on one window together, where that saves work: each needs memory of its
/// own for a window's depth of the volume, and a label map.
const TOGETHER: usize = 8;

/// The file or the two files of one network.
#[derive(Debug, Clone)]
pub struct Pieces {
    /// The whole network, or the decoder: both know tasks and logits.
    main: Model,
    encoder: Option<Model>,
}

impl Pieces {
    /// Opens the network at `path`; if that is one half of a pair, the other one, which must lie
    /// beside it under the name that `export --split` gave it.
    ///
    /// Errors: [`RuntimeError::OpenModel`], [`RuntimeError::NoPartner`] for a half without a
    /// partner's name, [`RuntimeError::OtherPartner`] for halves of two networks.
    pub fn open(path: &Path) -> Result<Self, RuntimeError> {
        let model = Model::open(path)?;
        let (encoder, decoder) = match &model.manifest().network.part {
            Part::Whole => {
                return Ok(Self {
                    main: model,
                    encoder: None,
                });
            }
            Part::Encoder { .. } => {
                let decoder = Model::open(&partner(path, ENCODER, DECODER)?)?;
                (model, decoder)
            }
            Part::Decoder { .. } => (Model::open(&partner(path, DECODER, ENCODER)?)?, model),
        };
        let belongs = match &decoder.manifest().network.part {
            Part::Decoder { encoder_sha256, .. } => {
                *encoder_sha256 == encoder.manifest().weights_sha256
            }
            _ => false,
        };
        if !belongs {
            return Err(RuntimeError::OtherPartner {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            main: decoder,
            encoder: Some(encoder),
        })
    }

    /// A network in one piece, or an encoder and the decoder (`main`) that was made with it.
    pub fn of(main: Model, encoder: Option<Model>) -> Self {
        Self { main, encoder }
    }

    /// What knows the tasks: the whole network, or the decoder.
    pub fn model(&self) -> &Model {
        &self.main
    }

    /// The other half of a pair.
    pub fn encoder(&self) -> Option<&Model> {
        self.encoder.as_ref()
    }

    /// Most tasks that are worth running on one window together: one, unless that saves work.
    pub fn together(&self) -> usize {
        if self.encoder.is_some() { TOGETHER } else { 1 }
    }

    /// What is known of the network, without its files: see [`Model::without_file`].
    pub fn without_files(&self) -> Self {
        Self {
            main: self.main.without_file(),
            encoder: self.encoder.as_ref().map(Model::without_file),
        }
    }

    /// What [`Pieces::open_engines`] would compute on: see [`planned_engine`].
    ///
    /// Errors: those of [`planned_engine`].
    pub fn planned_on(&self, options: &EngineOptions) -> Result<PiecesOn, RuntimeError> {
        let main = planned_engine(&self.main, options)?;
        let encoder = self.encoder.as_ref();
        let encoder = encoder.map(|encoder| planned_engine(encoder, options));
        Ok(PiecesOn {
            main,
            encoder: encoder.transpose()?.unwrap_or(main),
        })
    }

    /// Opens the engines that the pieces run in.
    ///
    /// Errors: those of [`open_engine`].
    pub fn open_engines(&self, options: &EngineOptions) -> Result<Engines, RuntimeError> {
        let opened = open_engine(&self.main, options)?;
        let encoder = match &self.encoder {
            Some(encoder) => Some(open_engine(encoder, options)?.engine),
            None => None,
        };
        Ok(Engines {
            network: self.main.manifest().network.clone(),
            batches: self.main.batches(),
            main: opened.engine,
            encoder,
            note: opened.note,
        })
    }
}

impl From<Model> for Pieces {
    /// A whole network.
    fn from(main: Model) -> Pieces {
        Pieces {
            main,
            encoder: None,
        }
    }
}

fn partner(path: &Path, own: &str, other: &str) -> Result<PathBuf, RuntimeError> {
    path.file_name()
        .and_then(|name| name.to_str()?.strip_suffix(own))
        .map(|stem| path.with_file_name(format!("{stem}{other}")))
        .ok_or_else(|| RuntimeError::NoPartner {
            path: path.to_owned(),
            own: own.to_owned(),
        })
}

/// What the pieces of a network are computed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PiecesOn {
    /// The whole network, or the decoder.
    pub main: ComputedOn,
    /// The encoder; of a whole network, the same.
    pub encoder: ComputedOn,
}

/// The engines of a network, ready to run.
pub struct Engines {
    network: Network,
    batches: bool,
    main: Box<dyn Engine>,
    encoder: Option<Box<dyn Engine>>,
    /// One line for the user if the engine is not the preferred one.
    pub note: Option<String>,
}

impl Engines {
    /// Name, version and device of the engine.
    pub fn name(&self) -> &str {
        self.main.name()
    }

    /// What they compute on.
    pub fn computed_on(&self) -> ComputedOn {
        self.main.computed_on()
    }

    /// The same for each piece.
    pub fn pieces_on(&self) -> PiecesOn {
        let main = self.main.computed_on();
        let encoder = self.encoder.as_ref();
        PiecesOn {
            main,
            encoder: encoder.map_or(main, |encoder| encoder.computed_on()),
        }
    }

    /// What computes the logits of windows.
    pub fn predictor(&mut self) -> Box<dyn Predictor + '_> {
        let (network, batches) = (&self.network, self.batches);
        let main = self.main.as_mut();
        match &mut self.encoder {
            None => Box::new(WholeModel::of(main, network, batches)),
            Some(encoder) => Box::new(PairedModel {
                encoder: encoder.as_mut(),
                decoder: main,
                network,
                batches,
            }),
        }
    }
}

/// An encoder that runs once for each window, and a decoder that runs for each task.
struct PairedModel<'a> {
    encoder: &'a mut dyn Engine,
    decoder: &'a mut dyn Engine,
    network: &'a Network,
    batches: bool,
}

impl Predictor for PairedModel<'_> {
    fn name(&self) -> &str {
        self.decoder.name()
    }

    fn computed_on(&self) -> ComputedOn {
        self.decoder.computed_on()
    }

    fn batches(&self) -> bool {
        self.batches
    }

    fn shares_work(&self) -> bool {
        true
    }

    fn logits(
        &mut self,
        image: ArrayView5<'_, f32>,
        tasks: &[u32],
        each: &mut EachTask<'_>,
    ) -> Result<(), RuntimeError> {
        let windows = image.dim().0;
        let image = (uniseg_onnx::IMAGE, TensorView::F32(image.into_dyn()));
        // The decoder may have been opened elsewhere, where it cannot take what a device holds.
        let on = self.encoder.computed_on().device;
        let held = match on == self.decoder.computed_on().device {
            true => self.encoder.hold(&[image])?,
            false => Held::on_host(self.encoder.run(&[image])?),
        };
        for (index, task) in tasks.iter().enumerate() {
            let task = Array1::from_elem(1, i64::from(*task));
            let task = TensorView::I64(task.view().into_dyn());
            let outputs = self.decoder.run_held(&held, &[(uniseg_onnx::TASK, task)])?;
            let found = logits(outputs, self.network, windows, self.decoder.name())?;
            each(index, found)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
