#!/usr/bin/env bash
# Windows and whole cases on an NVIDIA GPU against PyTorch on the same one: the same network, weights,
# case and windows.
#
#   benches/against_pytorch_gpu.sh [FOLDER]           default: gpu-bench
#
# Prints milliseconds a window, then seconds and peak memory (of the host) of each whole process,
# then how well labels agree. Needs ONNX Runtime for CUDA (`uniseg runtime install --cuda`, or
# ORT_DYLIB_PATH) with CUDA and cuDNN on the loader's path, and makes a virtual environment in FOLDER
# with PyTorch for CUDA. UNISEG, a program that is built already, and PYTHON, one with torch, nibabel,
# scipy and scikit-image, can be given; so can PLANES of the case: 700 (the default) are 36 windows,
# 115 four. PyTorch's pipeline resamples on one core, which takes longer than its windows.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-gpu-bench}
. benches/peer/setup.sh torch numpy nibabel scipy scikit-image

export_it() { "$UNISEG" export "$out/checkpoint" "$@"; }
"$PYTHON" benches/peer/make_checkpoint.py "$out/official.model"
"$PYTHON" benches/peer/make_case.py "$out/case.nii.gz" "${PLANES:-700}"
"$UNISEG" import "$out/official.model" --plan paper -o "$out/checkpoint"
export_it --task liver -o "$out/liver.onnx"
export_it --task liver --precision f16 -o "$out/liver16.onnx"
export_it --modality CT --precision f16 -o "$out/ct16.onnx"
export_it --modality CT --split --precision f16 --features f16 -o "$out/ct16.onnx"

echo "== windows" >&2
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader >&2 || true
"$PYTHON" benches/peer/windows.py
# What is tuned is not remembered: below, how a window is computed is said in each row.
"$UNISEG" tune "$out/liver.onnx" --device cuda --repeats 20 --dry-run || true
"$UNISEG" tune "$out/liver16.onnx" --device cuda --repeats 20 --dry-run || true

measure() { "$PYTHON" benches/peer/measure.py "$@" >/dev/null; }
peer() { # NAME FOLDER TASKS PRECISION LAYOUT
    mkdir -p "$out/labels/$2"
    measure "PyTorch $1" "$PYTHON" benches/peer/pipeline.py "$out/official.model" \
        "$out/case.nii.gz" "$out/labels/$2" "$3" "$4" cuda "$5"
}
segment() { # NAME MODEL TASKS OUTPUT [FLAG...]
    measure "uniseg $1" "$UNISEG" segment "$out/$2" "$out/case.nii.gz" --task "$3" \
        -o "$out/labels/$4" --no-skip --again --device cuda --conv-search heuristic \
        --cuda-graph=${GRAPH:-false} --own-norm=${NORM:-false} "${@:5}"
}
rm -rf "$out/labels"
echo "== one task" >&2
peer "f32" f32 0 f32 contiguous
peer "TF32" tf32 0 tf32 contiguous
peer "AMP f16" f16 0 f16 contiguous
peer "AMP f16, channels_last" f16last 0 f16 channels_last
for NORM in false true; do
    segment "f32, own norm $NORM" liver.onnx liver "f32-$NORM.nii.gz"
    segment "TF32, own norm $NORM" liver.onnx liver "tf32-$NORM.nii.gz" --precision tf32
    segment "f16, own norm $NORM" liver16.onnx liver "f16-$NORM.nii.gz"
done
GRAPH=true segment "f16, own norm $NORM, graph" liver16.onnx liver f16-graph.nii.gz
segment "f16, own norm $NORM, sums on the GPU" liver16.onnx liver f16-sums.nii.gz --device-sums

echo "== eight CT tasks" >&2
cts=liver,kidney,hepatic_vessel,pancreas,colon,lung,spleen,vertebrae
peer "AMP f16" f16 0,1,2,3,4,5,6,7 f16 contiguous
for NORM in false true; do
    segment "f16, one file, 1 by 1, own norm $NORM" ct16.onnx $cts "ct1-$NORM" --together 1
    segment "f16, one file, 4 together, own norm $NORM" ct16.onnx $cts "ct4-$NORM" --together 4
    segment "f16, the pair, own norm $NORM" ct16.decoder.onnx $cts "pair-$NORM"
    segment "f16, the pair, own norm $NORM, sums on the GPU" ct16.decoder.onnx $cts "sums-$NORM" \
        --device-sums
done

echo "== labels" >&2
same() { "$PYTHON" benches/peer/same_labels.py "$1" "$out/labels/$2" "$out/labels/$3"; }
same "PyTorch AMP f16 against f32" f16/task0.nii.gz f32/task0.nii.gz
for norm in false true; do
    same "uniseg f32 against PyTorch f32, own norm $norm" "f32-$norm.nii.gz" f32/task0.nii.gz
    same "uniseg TF32 against PyTorch f32, own norm $norm" "tf32-$norm.nii.gz" f32/task0.nii.gz
    same "uniseg f16 against PyTorch f32, own norm $norm" "f16-$norm.nii.gz" f32/task0.nii.gz
done
same "uniseg f16, sums on the GPU against the host's" f16-sums.nii.gz f16-true.nii.gz
