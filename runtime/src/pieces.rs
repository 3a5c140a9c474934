//! A network that comes as one file, or as an encoder and a decoder beside each other.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use uniseg_onnx::Part;

use crate::{
    ComputedOn, EngineOptions, Keeping, Model, Predictor, RuntimeError,
    engine::one_note,
    open_engine, planned_engine,
    predictor::{JoinedModel, PairedModel},
};

/// Ends of the names of a pair's files.
const ENCODER: &str = ".encoder.onnx";
const DECODER: &str = ".decoder.onnx";

/// Most tasks that run on one window together unless somebody wants otherwise. Each needs memory of
/// its own for a window's depth of the volume, and a label map; in one file also its logits, and
/// there the first few save nearly all that can be saved.
const TOGETHER_IN_A_PAIR: usize = 8;
const TOGETHER_IN_ONE_FILE: usize = 4;

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

    /// Digests of the weights, one a file, that of [`Pieces::model`] first: what was tuned is
    /// remembered under each, since each half of a pair is opened by itself.
    pub fn digests(&self) -> Vec<&str> {
        let files = std::iter::once(&self.main).chain(&self.encoder);
        files
            .map(|model| model.manifest().weights_sha256.as_str())
            .collect()
    }

    /// How many tasks to run on one window together: `asked`, or as many as are usually worth it
    /// where they are computed; one, unless that saves work.
    ///
    /// OpenVINO computes the tasks of one file one after another. ONNX Runtime's own providers
    /// compute them side by side, which takes the memory of all: there only who asks gets more.
    pub fn together(&self, asked: Option<NonZeroUsize>, on: PiecesOn) -> usize {
        let (usual, most) = match (&self.encoder, Keeping::on(on.main)) {
            (Some(_), _) => (TOGETHER_IN_A_PAIR, usize::MAX),
            (None, Keeping::Joined { .. }) => (TOGETHER_IN_ONE_FILE, self.main.tasks_at_once()),
            (None, Keeping::Apart) => (1, self.main.tasks_at_once()),
        };
        asked.map_or(usual, NonZeroUsize::get).min(most)
    }

    /// How many of `together` tasks are one call of the network: a pair's decoder takes one.
    pub(crate) fn tasks_in_a_call(&self, together: usize) -> usize {
        match self.encoder {
            Some(_) => 1,
            None => together.clamp(1, self.main.tasks_at_once()),
        }
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

    /// Opens the engines that the pieces run in, ready for `together` tasks on a window; for another
    /// number a network in one file is opened again. The files are dropped once they are read.
    ///
    /// Errors: those of [`open_engine`] and [`Model::for_tasks`].
    pub fn open_engines(
        self,
        options: &EngineOptions,
        together: usize,
    ) -> Result<Engines, RuntimeError> {
        let tasks = self.tasks_in_a_call(together);
        let Some(encoder) = self.encoder else {
            let (joined, note) = JoinedModel::open(self.main, options, tasks)?;
            return Ok(Engines {
                encoder_on: joined.computed_on(),
                predictor: Box::new(joined),
                note,
            });
        };
        let decoder = open_engine(&self.main, options)?;
        let network = self.main.manifest().network.clone();
        let batches = self.main.batches();
        drop(self.main);
        let encoder = open_engine(&encoder, options)?;
        let other = encoder
            .note
            .filter(|note| decoder.note.as_ref() != Some(note));
        Ok(Engines {
            encoder_on: encoder.engine.computed_on(),
            predictor: Box::new(PairedModel {
                encoder: encoder.engine,
                decoder: decoder.engine,
                network,
                batches,
            }),
            note: one_note(decoder.note.into_iter().chain(other)),
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
    predictor: Box<dyn Predictor + Send>,
    encoder_on: ComputedOn,
    /// One line for the user if the engine is not the preferred one.
    pub note: Option<String>,
}

impl Engines {
    /// Name, version and device of the engine.
    pub fn name(&self) -> &str {
        self.predictor.name()
    }

    /// What they compute on.
    pub fn computed_on(&self) -> ComputedOn {
        self.predictor.computed_on()
    }

    /// The same for each piece.
    pub fn pieces_on(&self) -> PiecesOn {
        PiecesOn {
            main: self.computed_on(),
            encoder: self.encoder_on,
        }
    }

    /// What computes the logits of windows.
    pub fn predictor(&mut self) -> &mut dyn Predictor {
        self.predictor.as_mut()
    }
}
