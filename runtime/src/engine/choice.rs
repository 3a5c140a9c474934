//! What is computed on what: the user's wishes, and where they leave it open what was remembered.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use super::{CudaOptions, EngineOptions};
use crate::{
    Device, Flavour, LibraryError, LibrarySource, Machine, Model, OrtLibrary, Precision, Tuned,
    Tunings, cache_folder, find_ort_for,
    library::{incomplete_around, installed_flavours},
    output::sha256,
    threads::thread_count,
};

/// What a session is opened with.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) device: Device,
    pub(super) precision: Precision,
    pub(super) threads: usize,
    pub(super) cuda: CudaOptions,
    /// The library, where it was named or is remembered.
    library: Option<PathBuf>,
    /// What the user should know.
    pub(super) note: Option<String>,
}

impl Choice {
    /// Reads what is remembered for this artefact on this machine, if anything was left open.
    pub(super) fn of(model: &Model, options: &EngineOptions) -> Choice {
        let open = options.device == Device::Auto
            || options.precision == Precision::Auto
            || options.cuda.conv_search.is_none()
            || options.cuda.graph.is_none()
            || options.cuda.own_norm.is_none();
        let (mut remembered, mut note) = match cache_folder() {
            Some(cache) if open => {
                Tunings::in_cache(&cache).recall(&model.manifest().weights_sha256, &Machine::this())
            }
            _ => (Vec::new(), None),
        };
        let asked = |row: &Tuned| {
            options.ort_lib.is_none()
                && (options.device == Device::Auto || row.device == options.device)
        };
        let damaged = |row: &Tuned| {
            let damage = asked(row).then(|| incomplete_around(&row.library))??;
            Some((row.library.display().to_string(), damage))
        };
        if let Some((library, damage)) = remembered.iter().find_map(damaged) {
            remembered.retain(|row| damaged(row).is_none());
            note = Some(format!(
                "what was tuned for {library} is not used: {damage}; `uniseg doctor` tells what helps"
            ));
        }
        // The same weights may lie in a graph that takes any number of windows, a recording does not.
        remembered.retain(|row| !(row.graph && model.batches()));
        // A process has one ONNX Runtime: what was left open follows the one that it has.
        let loaded = super::ort::loaded();
        let usable = |path: &Path| match &loaded {
            Some(loaded) => same_file(loaded, path),
            None => path.is_file(),
        };
        let mut choice = Choice::from_remembered(&remembered, options, &usable);
        note = note.or_else(|| tuned_with_other_threads(&remembered, options, &usable));
        if matches!(choice.device, Device::Auto | Device::Cpu) {
            choice.library = choice.library.or(loaded);
        }
        choice.note = note;
        choice
    }

    /// The fastest remembered row that fits what was asked for; what was asked for wins.
    fn from_remembered(
        remembered: &[Tuned],
        options: &EngineOptions,
        there: &dyn Fn(&Path) -> bool,
    ) -> Choice {
        let best = fastest(remembered, options, there);
        let mut cuda = options.cuda.clone();
        cuda.conv_search = cuda.conv_search.or(best.and_then(|row| row.conv_search));
        cuda.graph = cuda.graph.or(best.map(|row| row.graph));
        cuda.own_norm = cuda.own_norm.or(best.map(|row| row.own_norm));
        let remembered_threads = best.and_then(|row| NonZeroUsize::new(row.threads));
        Choice {
            device: best.map_or(options.device, |row| row.device),
            precision: best.map_or(options.precision, |row| row.precision),
            threads: thread_count(options.threads.or(remembered_threads)),
            cuda,
            library: options
                .ort_lib
                .clone()
                .or_else(|| best.map(|row| row.library.clone())),
            note: None,
        }
    }

    /// The library to load.
    ///
    /// Errors: one was named and cannot be used.
    pub(super) fn library(&self) -> Result<Option<OrtLibrary>, LibraryError> {
        find_ort_for(self.device.flavour(), self.library.as_deref())
    }

    /// How a GPU is used: on TensorRT, where every start would compile for minutes otherwise, with a
    /// folder of engines for this file and precision. Where it cannot be made none are kept.
    pub(super) fn cuda_for(
        &self,
        device: Device,
        precision: Precision,
        model: &Model,
    ) -> CudaOptions {
        let mut cuda = self.cuda.clone();
        if matches!(device, Device::TensorRt(_)) {
            let own = || Some(cache_folder()?.join("tensorrt"));
            let kept = cuda.engine_cache.or_else(own);
            let folder = kept.map(|kept| engines_of(&kept, model, precision));
            // ONNX Runtime makes no folders within folders.
            cuda.engine_cache = folder.filter(|folder| fs::create_dir_all(folder).is_ok());
        }
        cuda
    }

    /// That nothing was measured, if the device was left open and there is more than `library`'s, the
    /// one that is taken.
    pub(super) fn untuned(&self, library: &OrtLibrary) -> Option<String> {
        let found = matches!(library.source(), LibrarySource::Cache);
        if self.device != Device::Auto || !found {
            return None;
        }
        let device = self.device_in(library);
        let others: Vec<&str> = installed_flavours()
            .into_iter()
            .filter(|flavour| *flavour != device.flavour())
            .map(|flavour| match flavour {
                Flavour::Cpu => "the plain package",
                Flavour::OpenVino => "openvino",
                Flavour::Cuda => "cuda",
            })
            .collect();
        (!others.is_empty()).then(|| {
            format!(
                "{} is installed, too: `uniseg tune MODEL` finds what is fastest here, and it is \
                 taken from then on; using {device}",
                others.join(" and ")
            )
        })
    }

    /// The device to compute on: if none was chosen, the one that the library is built for.
    pub(super) fn device_in(&self, library: &OrtLibrary) -> Device {
        match self.device {
            Device::Auto => Device::of_flavour(library.flavour()),
            named => named,
        }
    }
}

/// The folder, in that of all, of TensorRT's engines for this very file and a precision. ONNX
/// Runtime names them by the graph's names and shapes alone: another network of the same shape, a
/// second fold for instance, would be computed with the first one's weights.
fn engines_of(all: &Path, model: &Model, precision: Precision) -> PathBuf {
    let digest = sha256(model.bytes());
    all.join(digest.get(..32).unwrap_or(&digest))
        .join(precision.to_string())
}

/// The fastest remembered row that fits what was asked for and whose library is `there`.
fn fastest<'a>(
    remembered: &'a [Tuned],
    options: &EngineOptions,
    there: &dyn Fn(&Path) -> bool,
) -> Option<&'a Tuned> {
    let fits = |row: &&Tuned| {
        (options.device == Device::Auto || row.device == options.device)
            && (options.precision == Precision::Auto || row.precision == options.precision)
            && options
                .cuda
                .conv_search
                .is_none_or(|search| row.conv_search == Some(search))
            && options.cuda.graph.is_none_or(|graph| row.graph == graph)
            && options.cuda.own_norm.is_none_or(|own| row.own_norm == own)
            && options
                .threads
                .is_none_or(|threads| row.threads == threads.get())
            && match &options.ort_lib {
                Some(library) => same_file(library, &row.library),
                None => there(&row.library),
            }
    };
    remembered
        .iter()
        .filter(fits)
        .min_by(|a, b| a.median_ms.total_cmp(&b.median_ms))
}

/// That what is remembered would have been used with another number of threads.
fn tuned_with_other_threads(
    remembered: &[Tuned],
    options: &EngineOptions,
    there: &dyn Fn(&Path) -> bool,
) -> Option<String> {
    let open = options.device == Device::Auto || options.precision == Precision::Auto;
    let threads = options.threads.filter(|_| open)?;
    let any = EngineOptions {
        threads: None,
        ..options.clone()
    };
    let other = fastest(remembered, &any, there)?;
    fastest(remembered, options, there).is_none().then(|| {
        format!(
            "what was tuned, {} in {} with {} threads, is not used with {threads}: `uniseg tune \
             MODEL --threads {threads}` finds what is best there",
            other.device, other.precision, other.threads
        )
    })
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::graphs::whole_artefact;

    fn row(device: Device, precision: Precision, threads: usize, median_ms: f64) -> Tuned {
        Tuned {
            device,
            precision,
            threads,
            conv_search: None,
            graph: false,
            own_norm: false,
            library: format!("lib-{}", device.flavour()).into(),
            version: "1.0".to_owned(),
            median_ms,
        }
    }

    #[test]
    fn the_fastest_that_fits_is_taken_and_wishes_win() {
        let rows = [
            row(Device::Cpu, Precision::F32, 2, 10.0),
            row(Device::OpenVino, Precision::F32, 2, 7.0),
            row(Device::OpenVino, Precision::Bf16, 2, 3.0),
            row(Device::Cpu, Precision::F32, 1, 20.0),
        ];
        let chosen = |options: EngineOptions, there: bool| {
            let choice = Choice::from_remembered(&rows, &options, &|_| there);
            (choice.device, choice.precision, choice.threads)
        };
        let auto = EngineOptions::default;
        let bf16 = (Device::OpenVino, Precision::Bf16, 2);
        assert_eq!(chosen(auto(), true), bf16);
        let f32 = EngineOptions {
            precision: Precision::F32,
            ..auto()
        };
        assert_eq!(chosen(f32, true), (Device::OpenVino, Precision::F32, 2));
        let cpu = EngineOptions {
            device: Device::Cpu,
            ..auto()
        };
        assert_eq!(chosen(cpu, true), (Device::Cpu, Precision::F32, 2));
        let one = EngineOptions {
            threads: NonZeroUsize::new(1),
            ..auto()
        };
        assert_eq!(chosen(one, true), (Device::Cpu, Precision::F32, 1));
        let told = |threads| {
            let options = EngineOptions {
                threads: NonZeroUsize::new(threads),
                ..auto()
            };
            tuned_with_other_threads(&rows, &options, &|_| true)
        };
        assert_eq!((told(0), told(1), told(2)), (None, None, None));
        let said = told(7).unwrap();
        assert!(
            said.starts_with("what was tuned, openvino in bf16 with 2"),
            "{said}"
        );
        // The libraries are gone.
        let (device, precision, _) = chosen(auto(), false);
        assert_eq!((device, precision), (Device::Auto, Precision::Auto));
    }

    #[test]
    fn networks_of_one_shape_do_not_share_engines() {
        let one = Model::from(whole_artefact());
        let folder = |model: &Model| engines_of(Path::new("cache/tensorrt"), model, Precision::F32);
        let mut bytes = one.bytes().to_vec();
        bytes.extend([0]);
        let other = one.with_graph(bytes.into());
        assert_eq!(folder(&one), folder(&one));
        assert_ne!(folder(&one), folder(&other));
        assert!(folder(&one).starts_with("cache/tensorrt"));
        let f16 = engines_of(Path::new("cache/tensorrt"), &one, Precision::F16);
        assert_ne!(folder(&one), f16);
    }

    #[test]
    fn what_is_remembered_for_cuda_is_how_it_runs_there_too() {
        let search = Some(crate::ConvSearch::Heuristic);
        let slower = row(Device::Cuda(0), Precision::F32, 2, 2.0);
        let mut best = row(Device::Cuda(0), Precision::F32, 2, 1.0);
        (best.conv_search, best.graph, best.own_norm) = (search, true, true);
        let rows = [slower, best];
        let mut options = EngineOptions {
            device: Device::Cuda(0),
            ..EngineOptions::default()
        };
        let chosen = |options: &EngineOptions| {
            let cuda = Choice::from_remembered(&rows, options, &|_| true).cuda;
            (cuda.conv_search, cuda.graph, cuda.own_norm)
        };
        assert_eq!(chosen(&options), (search, Some(true), Some(true)));
        options.cuda.graph = Some(false);
        assert_eq!(chosen(&options), (None, Some(false), Some(false)));
        options.cuda.graph = None;
        options.cuda.own_norm = Some(false);
        assert_eq!(chosen(&options), (None, Some(false), Some(false)));
    }
}
