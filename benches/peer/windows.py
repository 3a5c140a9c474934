"""Milliseconds a window of UniSeg takes in PyTorch on a GPU, as a Markdown table: windows.py [ROUNDS]

Each way of computing in turn: eager, random weights, one window of 64 x 192 x 192 on the GPU already
and logits left there; median of ROUNDS (20) after 5 that let cuDNN search.
"""

import statistics
import sys
import time

import torch

from uniseg import PATCH, seeded


def main(rounds=20):
    torch.backends.cudnn.benchmark = True
    network = seeded().cuda()
    window = torch.rand(1, 1, *PATCH, device="cuda")
    task = torch.tensor([0], device="cuda")

    def measured(tf32, dtype, layout):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        model, image = (x.to(memory_format=layout) for x in (network, window))
        times = []
        torch.cuda.reset_peak_memory_stats()
        with torch.inference_mode(), torch.autocast("cuda", dtype, enabled=dtype is not None):
            for _ in range(5 + rounds):
                torch.cuda.synchronize()
                start = time.perf_counter()
                logits = model(image, task)
                torch.cuda.synchronize()
                times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times[5:]), torch.cuda.max_memory_allocated() / 1e6, logits.float()

    print(f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}\n")
    print("| computed in | layout | ms a window | GPU memory, MB | logits differ by |")
    print("|---|---|---|---|---|")
    expected = None
    for name, tf32, dtype in [
        ("f32", False, None),
        ("TF32", True, None),
        ("AMP f16", True, torch.float16),
        ("AMP bf16", True, torch.bfloat16),
    ]:
        for layout in (torch.contiguous_format, torch.channels_last_3d):
            ms, mb, logits = measured(tf32, dtype, layout)
            expected = logits if expected is None else expected
            off = float((logits - expected).abs().max() / expected.abs().max())
            layout = str(layout).removeprefix("torch.")
            print(f"| {name} | {layout} | {ms:.1f} | {mb:,.0f} | {off:.1e} |", flush=True)


main(*map(int, sys.argv[1:]))
