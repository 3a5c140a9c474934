//! The kernels on an NVIDIA GPU, by themselves, against f64.

use half::{bf16, f16};

use super::*;
use crate::engine::ort::{gpu_tests::GPU, norm::PTX};

/// A type that the kernels take.
trait Element: Copy {
    const SUFFIX: &'static str;
    /// Half of the distance to the next number, for numbers around one.
    const ROUNDING: f64;
    fn of(value: f64) -> Self;
    fn back(self) -> f64;
}

macro_rules! element {
    ($type:ty, $suffix:literal, $bits:literal, $of:expr, $back:expr) => {
        impl Element for $type {
            const SUFFIX: &'static str = $suffix;
            const ROUNDING: f64 = 1.0 / (1_u64 << $bits) as f64;
            fn of(value: f64) -> Self {
                $of(value)
            }
            fn back(self) -> f64 {
                $back(self)
            }
        }
    };
}
element!(f32, "f32", 24, |value| value as f32, f64::from);
element!(f16, "f16", 11, f16::from_f64, f16::to_f64);
element!(bf16, "bf16", 8, bf16::from_f64, bf16::to_f64);

fn bytes<T>(values: &[T]) -> &[u8] {
    let length = size_of_val(values);
    #[expect(unsafe_code, reason = "numbers as their bytes")]
    // SAFETY: all bytes of a number are initialised, and bytes need no alignment.
    unsafe {
        std::slice::from_raw_parts(values.as_ptr().cast(), length)
    }
}

fn on_device<T>(gpu: &Gpu, values: &[T]) -> Scratch {
    let mut host = gpu.lock(size_of_val(values)).unwrap();
    host.bytes_mut().copy_from_slice(bytes(values));
    let device = gpu.scratch(size_of_val(values)).unwrap();
    #[expect(unsafe_code, reason = "to an address")]
    // SAFETY: as many bytes were allocated there just now.
    unsafe { host.upload(device.address()) }.unwrap();
    device
}

/// Normalises numbers that are far from zero, and compares with f64.
fn check<T: Element>(gpu: &Gpu, kernels: &Arc<Kernels>, extents: Extents, alpha: f32) {
    let (items, channels) = (extents.items as usize, extents.channels as usize);
    let size = extents.size as usize;
    let at = |item: usize, channel: usize, place: usize| match extents.channels_last {
        true => (item * size + place) * channels + channel,
        false => (item * channels + channel) * size + place,
    };
    let mut state = 7_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5
    };
    let count = items * channels * size;
    let input: Vec<T> = (0..count).map(|_| T::of(20.0 + 8.0 * random())).collect();
    let [scale, bias] =
        [(); 2].map(|()| (0..channels).map(|_| random() as f32).collect::<Vec<_>>());
    let [x, s, b] = [
        on_device(gpu, &input),
        on_device(gpu, &scale),
        on_device(gpu, &bias),
    ];
    let poison = vec![0xff_u8; count * size_of::<T>()];
    let y = on_device(gpu, &poison);
    let tensors = Tensors {
        input: x.address(),
        output: y.address(),
        scale: s.address(),
        bias: b.address(),
    };
    let ours = NormKernels::of(gpu, kernels, T::SUFFIX).unwrap();
    #[expect(unsafe_code, reason = "what is tested")]
    // SAFETY: all were allocated above, for these extents, and live to the end of the function.
    unsafe { ours.launch(extents, tensors, 1e-5, alpha, None) }.unwrap();
    gpu.wait().unwrap();
    let mut host = gpu.lock(poison.len()).unwrap();
    #[expect(unsafe_code, reason = "from an address")]
    // SAFETY: as many bytes were allocated there, and nothing writes them any more.
    unsafe { host.download(y.address()) }.unwrap();
    let found: &[T] = {
        #[expect(unsafe_code, reason = "numbers from their bytes")]
        // SAFETY: page-locked memory is aligned for every number, and has so many.
        unsafe {
            std::slice::from_raw_parts(host.bytes().as_ptr().cast(), count)
        }
    };
    let (mut worst, mut largest) = (0_f64, 0_f64);
    for item in 0..items {
        for channel in 0..channels {
            let value = |place| input[at(item, channel, place)].back();
            let mean = (0..size).map(value).sum::<f64>() / size as f64;
            let variance = (0..size)
                .map(|place| (value(place) - mean).powi(2))
                .sum::<f64>();
            let factor = f64::from(scale[channel]) / (variance / size as f64 + 1e-5).sqrt();
            for place in 0..size {
                let expected = (value(place) - mean) * factor + f64::from(bias[channel]);
                let expected = if expected < 0.0 {
                    expected * f64::from(alpha)
                } else {
                    expected
                };
                let off = (found[at(item, channel, place)].back() - expected).abs();
                // Written so that what is not a number fails.
                worst = if off <= worst { worst } else { off };
                largest = largest.max(expected.abs());
            }
        }
    }
    let bound = 4.0 * T::ROUNDING + 2e-6;
    assert!(
        worst / largest <= bound,
        "{} {extents:?}: {} of the largest",
        T::SUFFIX,
        worst / largest
    );
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_kernels_normalise_every_extent() {
    let _alone = GPU.lock();
    let gpu = Gpu::open(0).unwrap();
    let kernels = gpu.load(PTX).unwrap();
    for channels_last in [false, true] {
        for (items, channels, size) in [
            (1, 32, 300_000),
            (1, 32, 144),
            (2, 320, 1_001),
            (1, 82, 1_152),
            (2, 11, 4_097),
            (1, 300, 77),
            (1, 2_056, 9),
            (3, 1, 50_000),
            (1, 5, 1),
        ] {
            let extents = Extents {
                items,
                channels,
                size,
                channels_last,
            };
            for alpha in [0.01, 1.0] {
                check::<f32>(&gpu, &kernels, extents, alpha);
                check::<f16>(&gpu, &kernels, extents, alpha);
                check::<bf16>(&gpu, &kernels, extents, alpha);
            }
        }
    }
}
