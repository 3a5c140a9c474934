"""The reference pipeline in PyTorch: nnU-Net v1's steps around UniSeg, as its users run them.

    pipeline.py CHECKPOINT IMAGE.nii.gz OUTPUT_FOLDER TASKS PRECISION [DEVICE [LAYOUT]]

TASKS are ids with commas, all with the spacing of 3 x 1.5 x 1.5 mm but task 7 (4 x 2 x 2); each is a
full pass, as the network knows no other way. PRECISION is f32, tf32, or f16 or bf16 (autocast);
DEVICE is cpu or cuda, where windows and sums stay on the GPU; LAYOUT is contiguous or channels_last.
Steps: crop to what is not zero, cubic resampling, CT normalisation, windows at half a patch, Gaussian weights,
soft-max, linear resampling of all class probabilities, arg-max. No mirroring.
"""

import itertools
import sys
import time

import nibabel
import numpy
import torch
from scipy.ndimage import gaussian_filter
from skimage.transform import resize

from uniseg import PATCH, UniSeg

CLASSES = [3, 3, 3, 3, 2, 2, 2, 2]
DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}


def spacing(task):
    return (4.0, 2.0, 2.0) if task == 7 else (3.0, 1.5, 1.5)


def starts(size, patch):
    """Evenly spread windows, half a patch or less apart."""
    steps = int(numpy.ceil((size - patch) / (patch * 0.5))) + 1
    return [round(index * (size - patch) / max(steps - 1, 1)) for index in range(steps)]


def gaussian():
    weight = numpy.zeros(PATCH)
    weight[tuple(size // 2 for size in PATCH)] = 1
    weight = gaussian_filter(weight, [size / 8 for size in PATCH], mode="constant")
    weight /= weight.max()
    weight[weight == 0] = weight[weight > 0].min()
    return torch.from_numpy(weight.astype(numpy.float32))


@torch.inference_mode()
def predict(network, image, task, precision, device, layout):
    pads = [max(patch - size, 0) for patch, size in zip(PATCH, image.shape)]
    image = numpy.pad(image, [(pad // 2, pad - pad // 2) for pad in pads])
    weight = gaussian().to(device)
    total = torch.zeros(4, *image.shape, device=device)
    norm = torch.zeros(image.shape, device=device)
    task = torch.tensor([task], device=device)
    dtype = DTYPES.get(precision)
    count = 0
    for start in itertools.product(*map(starts, image.shape, PATCH)):
        where = tuple(slice(first, first + size) for first, size in zip(start, PATCH))
        window = torch.from_numpy(image[where])[None, None].to(device, memory_format=layout)
        with torch.autocast(device, dtype, enabled=dtype is not None):
            logits = network(window, task)
        total[(slice(None), *where)] += logits.float().softmax(1)[0] * weight
        norm[where] += weight
        count += 1
    inside = [slice(pad // 2, size - (pad - pad // 2)) for pad, size in zip(pads, image.shape)]
    return (total / norm)[(slice(None), *inside)].cpu().numpy(), count


def main(checkpoint, path, folder, tasks, precision, device="cpu", layout="contiguous"):
    # As nnU-Net sets them; cuDNN may round f32 to TensorFloat-32 unless it is told not to.
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "f32"
    layout = LAYOUTS[layout]
    network = UniSeg().eval()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    network = network.to(device, memory_format=layout)
    file = nibabel.load(path)
    for task in map(int, tasks.split(",")):
        # Each task is a run of its own in the official program; reading is part of it.
        volume = numpy.asarray(file.dataobj).T.astype(numpy.float32)
        found = numpy.argwhere(volume != 0)
        box = tuple(slice(low, high + 1) for low, high in zip(found.min(0), found.max(0)))
        crop = volume[box]
        zooms = file.header.get_zooms()[2::-1]
        shape = [round(n * a / b) for n, a, b in zip(crop.shape, zooms, spacing(task))]
        image = resize(crop, shape, order=3, mode="edge", anti_aliasing=False)
        image = ((image.clip(-325, 325) + 325) / 650).astype(numpy.float32)
        start = time.perf_counter()
        probabilities, windows = predict(network, image, task, precision, device, layout)
        seconds = time.perf_counter() - start
        full = numpy.stack([
            resize(probability, crop.shape, order=1, mode="edge", anti_aliasing=False)
            for probability in probabilities[: CLASSES[task]]
        ])
        labels = numpy.zeros(volume.shape, numpy.uint8)
        labels[box] = full.argmax(0)
        output = nibabel.Nifti1Image(labels.T, file.affine, file.header)
        output.set_data_dtype(numpy.uint8)
        nibabel.save(output, f"{folder}/task{task}.nii.gz")
        print(f"task {task}: {windows} windows in {seconds:.1f} s", file=sys.stderr)


main(*sys.argv[1:])
