"""Exports the paper's network with torch.onnx, as UniSeg with one CT channel and the task as input.

    torch_export.py CHECKPOINT EXPORTER OUTPUT      EXPORTER: torchscript or dynamo

Prints the seconds that the export took and the peak memory of the process.
"""

import resource
import sys
import time

import torch

from uniseg import PATCH, UniSeg

checkpoint, exporter, output = sys.argv[1:]
network = UniSeg().eval()
network.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
inputs = torch.zeros(1, 1, *PATCH), torch.tensor([0])
start = time.perf_counter()
torch.onnx.export(
    network,
    inputs,
    output,
    input_names=["image", "task"],
    output_names=["logits"],
    dynamo=exporter == "dynamo",
    **({"external_data": False} if exporter == "dynamo" else {"opset_version": 17}),
)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"torch.onnx ({exporter}): {seconds:.1f} s, {peak:.0f} MB", file=sys.stderr)
