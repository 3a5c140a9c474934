//! Synthetic patients: something to train and run on where there is no patient data.
//!
//! One body holds every organ, and eleven datasets ([`TASKS`]) image it, each labelling its own
//! organ only: the partial-label problem of universal segmentation. Everything depends on the
//! seed, the task and the case's number alone, not on order or threads: case 5 of the liver's
//! dataset and case 5 of the kidneys' show one patient in two scans.
//!
//! ```text
//! anatomy (organs, vessels, spine, lesions) -> Patient -> tissues on a Grid -> channels
//!                                                               |
//!                                                       labels of any task
//! ```
//!
//! Not here: physics. Intensities are table values with texture, blur, noise and (MR) a bias
//! field; organs are blended ellipsoids and tubes with lumpy surfaces. Results are bit-for-bit
//! equal on one platform; the system's sine and exponential may differ between platforms.

mod anatomy;
mod blur;
mod dataset;
mod protocol;
mod random;
mod scan;
mod shape;
mod space;
mod task;
mod tissue;

pub use dataset::{PhantomDataset, write_dataset};
pub use protocol::Protocol;
pub use task::{PhantomTask, TASKS};
pub use tissue::Tissue;

use ndarray::Array3;

use crate::{Extent, Geometry, ImagingError, SpacingMm, Volume};
use anatomy::{Patient, TRUNK, TRUNK_LESIONS};
use protocol::Grid;
use random::{Random, key, key_of};
use scan::Modality;

/// Labels of [`ct`], in the order of their values from 1 on.
pub const CT_LABELS: [&str; 5] = ["liver", "spleen", "kidney", "lung", "vertebrae"];

/// A volume and the truth about it.
#[derive(Debug, Clone)]
pub struct Phantom {
    /// Intensities, in Hounsfield units.
    pub image: Volume<f32>,
    /// Labels on the same grid; see [`CT_LABELS`].
    pub labels: Array3<u16>,
}

/// A scan of a synthetic patient, with all that is in it.
#[derive(Debug, Clone)]
pub struct PhantomCase {
    /// One volume for each channel of the task, on one grid.
    pub channels: Vec<Volume<f32>>,
    /// Where the voxels lie.
    pub geometry: Geometry,
    tissues: Array3<Tissue>,
}

impl PhantomCase {
    /// Scans the patient of this number for a task.
    ///
    /// Errors: [`ImagingError::InvalidSpacing`] if the protocol asks for no voxels.
    pub fn new(
        task: &PhantomTask,
        seed: u64,
        case: usize,
        protocol: &Protocol,
    ) -> Result<Self, ImagingError> {
        let case = key(seed, case as u64);
        let shares = task.is_ct() && protocol.same_scans;
        // The CT datasets show the same people; the others have their own.
        let patient = key_of(case, if task.is_ct() { "CT" } else { task.name });
        let scan = key_of(patient, if shares { "shared scan" } else { task.name });
        let certain: Vec<Tissue> = if shares {
            TASKS
                .iter()
                .filter(|t| t.is_ct())
                .flat_map(|t| t.certain)
                .copied()
                .collect()
        } else {
            task.certain.to_vec()
        };
        let (layers, lesions) = task.body();
        let patient = Patient::new(patient, layers, lesions, &certain);
        let view = if shares {
            &task::SHARED_VIEW
        } else {
            &task.view
        };
        let grid = Grid::draw(view, protocol, &mut Random::keyed(key_of(scan, "grid")))?;
        let tissues = scan::paint(&patient, &grid);
        let channels = task.channels.iter().map(|(_, modality)| {
            let voxels = scan::expose(&patient, &grid, &tissues, *modality, scan);
            Volume::new(voxels, grid.geometry)
        });
        let channels = channels.collect::<Result<_, _>>()?;
        Ok(Self {
            channels,
            geometry: grid.geometry,
            tissues,
        })
    }

    /// The tissue of every voxel (z, y, x): the whole truth, of which a dataset tells a part.
    pub fn tissues(&self) -> &Array3<Tissue> {
        &self.tissues
    }

    /// What a task's annotators would label in this scan, whichever task it was made for.
    pub fn labels(&self, task: &PhantomTask) -> Array3<u16> {
        let values: Vec<u16> = Tissue::ALL
            .iter()
            .map(|tissue| task.label_of(*tissue))
            .collect();
        self.tissues
            .mapv(|tissue| values.get(tissue as usize).copied().unwrap_or(0))
    }
}

/// A CT of a trunk on a grid of the caller's choice, without lesions. The same seed gives the same
/// volume.
///
/// The grid lies axis-aligned around the liver's height.
///
/// Errors: [`ImagingError`] if the extent is empty.
pub fn ct(extent: Extent, spacing: SpacingMm, seed: u64) -> Result<Phantom, ImagingError> {
    const MIDDLE: [f64; 3] = [0.0, -10.0, 30.0];
    let key = key_of(seed, "ct");
    let patient = Patient::new(key, TRUNK, &TRUNK_LESIONS[..0], &[]);
    let grid = Grid::around(MIDDLE, extent, spacing);
    let tissues = scan::paint(&patient, &grid);
    let voxels = scan::expose(&patient, &grid, &tissues, Modality::Ct, key);
    let labels = tissues.mapv(|tissue| match tissue {
        Tissue::Liver | Tissue::HepaticVessel => 1,
        Tissue::Spleen => 2,
        Tissue::Kidney | Tissue::KidneyMedulla => 3,
        Tissue::Lung | Tissue::LungVessel => 4,
        Tissue::Vertebra => 5,
        _ => 0,
    });
    Ok(Phantom {
        image: Volume::new(voxels, grid.geometry)?,
        labels,
    })
}

#[cfg(test)]
mod tests;
