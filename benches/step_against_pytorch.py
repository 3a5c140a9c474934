"""One training step of the paper's network in PyTorch: time and peak memory.

Patch of 32 x 96 x 96, one sample, 32 base features, deep supervision, SGD with clipped gradients,
f32: what `uniseg bench train` measures. Prints the fastest of the steps and the peak memory.
"""

import resource
import sys
import time

import torch
import torch.nn.functional as F

from peer.uniseg import FEATURES, KERNELS, STRIDES, UniSeg

STEPS = int(sys.argv[1])
PATCH = (32, 96, 96)


def loss(logits, labels):
    probabilities = logits[:, :2].softmax(1)
    wanted = F.one_hot(labels[:, 0], 2).permute(0, 4, 1, 2, 3).float()
    axes = (2, 3, 4)
    both = (probabilities * wanted).sum(axes)
    dice = (2 * both + 1e-5) / (probabilities.sum(axes) + wanted.sum(axes) + 1e-5)
    return F.cross_entropy(logits[:, :2], labels[:, 0]) - dice[:, 1:].mean()


torch.set_num_threads(2)
# The planner's network for this patch: one stage less than the paper's.
network = UniSeg(PATCH, STRIDES[:-1], KERNELS[:-1], FEATURES[:-1])
optimizer = torch.optim.SGD(
    network.parameters(), 0.01, momentum=0.99, nesterov=True, weight_decay=3e-5
)
image, task = torch.rand(1, 1, *PATCH), torch.tensor([0])
labels = (image * 2).long()
seconds = []
for _ in range(STEPS):
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    # The coarsest level has no weight.
    for level, logits in enumerate(network.all_logits(image, task)[:-1]):
        small = F.interpolate(labels.float(), logits.shape[2:]).long()
        total = total + 0.5**level * loss(logits, small)
    total.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
    optimizer.step()
    seconds.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
parameters = sum(weight.numel() for weight in network.parameters())
print(f"PyTorch {torch.__version__}: {min(seconds):.2f} s a step, {peak:.0f} MB, {parameters} parameters")
