#!/usr/bin/env bash
# The compiled network against PyTorch's own exporters: same weights, same ONNX Runtime, one run.
#
#   benches/export_against_torch.sh [FOLDER]          default: pytorch-bench
#
# Makes a virtual environment in FOLDER. ROUNDS (default 3) and TURNS (default 20) can be set, and
# UNISEG, a program that is built already, and PYTHON, one with torch, onnx, onnxscript and
# onnxruntime.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-pytorch-bench}
. benches/peer/setup.sh torch numpy onnx onnxscript onnxruntime

"$PYTHON" benches/peer/make_checkpoint.py "$out/official.model"
"$UNISEG" import "$out/official.model" --plan paper -o "$out/checkpoint"
measure() { "$PYTHON" benches/peer/measure.py "$@"; }
for exporter in torchscript dynamo; do
    "$PYTHON" benches/peer/torch_export.py "$out/official.model" $exporter "$out/torch-$exporter.onnx"
done
measure uniseg-ct "$UNISEG" export "$out/checkpoint" --modality CT -o "$out/uniseg-ct.onnx"
measure uniseg-liver "$UNISEG" export "$out/checkpoint" --task liver -o "$out/uniseg-liver.onnx"
measure uniseg-all "$UNISEG" export "$out/checkpoint" -o "$out/uniseg-all.onnx"
"$PYTHON" benches/peer/run_onnx.py "${ROUNDS:-3}" "$out"/torch-torchscript.onnx \
    "$out"/{torch-dynamo,uniseg-ct,uniseg-liver}.onnx
# One task against all: the same convolutions but for the first ones, so that it takes turns to tell.
"$PYTHON" benches/peer/run_onnx.py --pair "${TURNS:-20}" "$out"/uniseg-{all,liver}.onnx
