"""UniSeg in PyTorch, written from its description (MICCAI 2023), with the official parameter names.

The paper's network: patch 64 x 192 x 192, 32 base features, eleven tasks, one first convolution for
each number of channels. `save` writes a checkpoint as the official trainer does, so that
`uniseg import --plan paper` reads the same weights.
"""

import torch
from torch import nn

PATCH, TASKS, CLASSES = (64, 192, 192), 11, 4
STRIDES = [(1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
KERNELS = [(1, 3, 3)] + [(3, 3, 3)] * 5
FEATURES = [32, 64, 128, 256, 320, 320]
CHANNELS = (1, 2, 4)


def finish(features):
    """What follows a convolution."""
    return nn.InstanceNorm3d(features, affine=True), nn.LeakyReLU(0.01, inplace=True)


class Block(nn.Module):
    """Convolution, instance norm, leaky ReLU."""

    def __init__(self, before, after, kernel, stride=(1, 1, 1)):
        super().__init__()
        self.conv = nn.Conv3d(before, after, kernel, stride, [size // 2 for size in kernel])
        self.instnorm, self.lrelu = finish(after)

    def forward(self, x):
        return self.lrelu(self.instnorm(self.conv(x)))


class Stem(nn.Module):
    """The first block: a convolution for each number of channels, one norm for all."""

    def __init__(self, after, kernel):
        super().__init__()
        for channels in CHANNELS:
            conv = nn.Conv3d(channels, after, kernel, 1, [size // 2 for size in kernel])
            setattr(self, f"conv_{channels}", conv)
        self.instnorm, self.lrelu = finish(after)

    def forward(self, x):
        return self.lrelu(self.instnorm(getattr(self, f"conv_{x.shape[1]}")(x)))


class Stack(nn.Module):
    """Blocks one after another."""

    def __init__(self, *blocks):
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)


class UniSeg(nn.Module):
    """`forward(image, task)`: image (batch, channels, z, y, x), task int64 (1,), to logits."""

    def __init__(self, patch=PATCH, strides=STRIDES, kernels=KERNELS, features=FEATURES):
        super().__init__()
        deepest = len(strides)
        stem = Stem(features[0], kernels[0])
        stages = [Stack(stem, Block(features[0], features[0], kernels[0]))]
        for stage in range(1, deepest + 1):
            pair = (
                Block(features[stage - 1], features[stage], kernels[stage], strides[stage - 1]),
                Block(features[stage], features[stage], kernels[stage]),
            )
            last = stage == deepest
            stages.append(nn.Sequential(*map(Stack, pair)) if last else Stack(*pair))
        self.conv_blocks_context = nn.ModuleList(stages)
        bottom = list(patch)
        for stride in strides:
            bottom = [size // step for size, step in zip(bottom, stride)]
        joined = features[deepest] + TASKS
        widths = [joined, joined // 4, joined // 4, TASKS]
        self.intermedia_prompt = nn.Parameter(torch.randn(1, TASKS, *bottom))
        self.fusion_layer = Stack(*[Block(a, b, (3, 3, 3)) for a, b in zip(widths, widths[1:])])
        self.tu, self.conv_blocks_localization = nn.ModuleList(), nn.ModuleList()
        self.seg_outputs = nn.ModuleList()
        for level in range(deepest):
            stage = deepest - 1 - level
            below, after = features[stage + 1] + (level == 0), features[stage]
            kernel, stride = kernels[deepest - level], strides[stage]
            self.tu.append(nn.ConvTranspose3d(below, after, stride, stride, bias=False))
            pair = Block(2 * after, after, kernel), Block(after, after, kernel)
            self.conv_blocks_localization.append(nn.Sequential(*map(Stack, pair)))
            self.seg_outputs.append(nn.Conv3d(after, CLASSES, 1, bias=False))

    def levels(self, x, task):
        """The decoder's features, coarsest first."""
        skips = []
        for stage in self.conv_blocks_context:
            x = stage(x)
            skips.append(x)
        skips.pop()
        prompt = self.intermedia_prompt.expand(x.shape[0], -1, -1, -1, -1)
        maps = self.fusion_layer(torch.cat([x, prompt], 1))
        x = torch.cat([x, torch.index_select(maps, 1, task)], 1)
        for up, decode in zip(self.tu, self.conv_blocks_localization):
            x = decode(torch.cat([up(x), skips.pop()], 1))
            yield x

    def forward(self, image, task):
        *_, finest = self.levels(image, task)
        return self.seg_outputs[-1](finest)

    def all_logits(self, image, task):
        """The logits of all levels, finest first: what deep supervision trains."""
        levels = zip(self.seg_outputs, self.levels(image, task))
        return [head(x) for head, x in levels][::-1]


def seeded(seed=0):
    """The paper's network with random weights, the convolutions' as nnU-Net starts them."""
    torch.manual_seed(seed)
    network = UniSeg().eval()
    for module in network.modules():
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
            nn.init.kaiming_normal_(module.weight, a=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def save(network, path):
    """Writes a checkpoint as the official trainer does."""
    torch.save({"epoch": 0, "state_dict": network.state_dict()}, path)
