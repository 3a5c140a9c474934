"""One training step of the paper's network in PyTorch: time and peak memory.

Patch of 32 x 96 x 96, one sample, 32 base features, deep supervision, SGD with clipped gradients,
f32: what `uniseg bench train` measures. Prints the fastest of the steps and the peak memory.
"""

import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

STEPS = int(sys.argv[1])
PATCH, TASKS, CLASSES = (32, 96, 96), 11, 4
STRIDES = [(1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
KERNELS = [(1, 3, 3)] + [(3, 3, 3)] * 4
FEATURES = [32, 64, 128, 256, 320]


def block(before, after, kernel, stride=(1, 1, 1)):
    pad = [size // 2 for size in kernel]
    return nn.Sequential(
        nn.Conv3d(before, after, kernel, stride, pad),
        nn.InstanceNorm3d(after, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
    )


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        deepest = len(STRIDES)
        stages = [nn.Sequential(block(1, 32, KERNELS[0]), block(32, 32, KERNELS[0]))]
        for stage in range(1, deepest + 1):
            before, after, kernel = FEATURES[stage - 1], FEATURES[stage], KERNELS[stage]
            first = block(before, after, kernel, STRIDES[stage - 1])
            stages.append(nn.Sequential(first, block(after, after, kernel)))
        self.encoder = nn.ModuleList(stages)
        bottom = list(PATCH)
        for stride in STRIDES:
            bottom = [size // step for size, step in zip(bottom, stride)]
        joined = FEATURES[deepest] + TASKS
        widths = [joined, joined // 4, joined // 4, TASKS]
        self.prompt = nn.Parameter(torch.randn(1, TASKS, *bottom))
        self.fuse = nn.Sequential(*[block(a, b, (3, 3, 3)) for a, b in zip(widths, widths[1:])])
        self.up, self.decoder, self.heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in range(deepest):
            stage = deepest - 1 - level
            below, after = FEATURES[stage + 1] + (level == 0), FEATURES[stage]
            kernel, stride = KERNELS[deepest - level], STRIDES[stage]
            self.up.append(nn.ConvTranspose3d(below, after, stride, stride, bias=False))
            pair = block(2 * after, after, kernel), block(after, after, kernel)
            self.decoder.append(nn.Sequential(*pair))
            self.heads.append(nn.Conv3d(after, CLASSES, 1, bias=False))

    def forward(self, x):
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        skips.pop()
        maps = self.fuse(torch.cat([x, self.prompt.expand(len(x), -1, -1, -1, -1)], 1))
        x = torch.cat([x, maps[:, :1]], 1)
        outputs = []
        for up, decode, head in zip(self.up, self.decoder, self.heads):
            x = decode(torch.cat([up(x), skips.pop()], 1))
            outputs.append(head(x))
        return outputs[::-1]


def loss(logits, labels):
    probabilities = logits[:, :2].softmax(1)
    wanted = F.one_hot(labels[:, 0], 2).permute(0, 4, 1, 2, 3).float()
    axes = (2, 3, 4)
    both = (probabilities * wanted).sum(axes)
    dice = (2 * both + 1e-5) / (probabilities.sum(axes) + wanted.sum(axes) + 1e-5)
    return F.cross_entropy(logits[:, :2], labels[:, 0]) - dice[:, 1:].mean()


torch.set_num_threads(2)
network = Network()
optimizer = torch.optim.SGD(
    network.parameters(), 0.01, momentum=0.99, nesterov=True, weight_decay=3e-5
)
image = torch.rand(1, 1, *PATCH)
labels = (image * 2).long()
seconds = []
for _ in range(STEPS):
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    # The coarsest level has no weight.
    for level, logits in enumerate(network(image)[:-1]):
        small = F.interpolate(labels.float(), logits.shape[2:]).long()
        total = total + 0.5**level * loss(logits, small)
    total.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
    optimizer.step()
    seconds.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
parameters = sum(weight.numel() for weight in network.parameters())
print(f"PyTorch {torch.__version__}: {min(seconds):.2f} s a step, {peak:.0f} MB, {parameters} parameters")
