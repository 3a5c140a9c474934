#!/usr/bin/env bash
# Whole cases against the PyTorch pipelines: the same network, weights, case and windows, one run on
# one machine, each a process of its own from start to written file.
#
#   benches/against_pytorch.sh [FOLDER]               default: pytorch-bench
#   ROWS=one PLANES=350 benches/against_pytorch.sh    one task only, 18 windows
#
# Prints seconds and peak memory of each process, then how well labels agree. Makes a virtual
# environment in FOLDER and installs ONNX Runtime with OpenVINO into the user's cache. DEVICE
# (default openvino) can be set, and UNISEG, a program that is built already, PYTHON, one with
# torch, nibabel, scipy, scikit-image and nnunetv2, PLANES of the case (115: 4 windows, 700: 36), and
# ROWS (all, or one for those of one task).
# Quiet the machine before: about 30 minutes on two cores with 4 windows. The rows in bf16 mean
# something only where the processor computes in it (AVX512-BF16 or AMX).
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-pytorch-bench}
rows=${ROWS:-all}
device=${DEVICE:-openvino}
. benches/peer/setup.sh torch numpy nibabel scipy scikit-image nnunetv2
[ "$device" != openvino ] || "$UNISEG" runtime install --openvino

measure() { "$PYTHON" benches/peer/measure.py "$@" >/dev/null; }
skipping() { # NAME MODEL TASKS OUTPUT PRECISION [FLAG...]
    measure "$1" "$UNISEG" segment "$out/$2" "$out/case.nii.gz" --task "$3" -o "$4" \
        --device "$device" --precision "$5" "${@:6}"
}
segment() { skipping "$@" --no-skip; }

# What is compared.
"$PYTHON" benches/peer/make_checkpoint.py "$out/official.model"
"$PYTHON" benches/peer/make_case.py "$out/case.nii.gz" "${PLANES:-115}"
rm -rf "$out/labels"
mkdir -p "$out/labels/pytorch" "$out/labels/bf16"
"$UNISEG" import "$out/official.model" --plan paper -o "$out/checkpoint"
export_it() { "$UNISEG" export "$out/checkpoint" "$@"; }
int8=(--precision int8 --calibrate "liver=$out/case.nii.gz" --calibrate-windows 1)
fewer=(--merge-upsampling --winograd) # for f32
half=(--features f16 --channels-last) # between encoder and decoder
export_it --task liver "${fewer[@]}" -o "$out/liver32.onnx"
export_it --task liver --lean -o "$out/liver.onnx"
export_it --task liver --lean "${int8[@]}" -o "$out/liver8.onnx"
if [ "$rows" = all ]; then
    export_it --modality CT "${fewer[@]}" -o "$out/ct32.onnx"
    export_it --modality CT --lean -o "$out/ct.onnx"
    export_it --modality CT --split --channels-last "${fewer[@]}" -o "$out/ct32.onnx"
    export_it --modality CT --split "${half[@]}" -o "$out/ct.onnx"
    export_it --modality CT --lean "${int8[@]}" -o "$out/ct8.onnx"
    export_it --modality CT --split "${half[@]}" "${int8[@]}" -o "$out/ct8.onnx"
fi

cts=liver,kidney,hepatic_vessel,pancreas,colon,lung,spleen,vertebrae
peer() { # NAME FOLDER TASKS PRECISION
    measure "$1" "$PYTHON" benches/peer/pipeline.py "$out/official.model" "$out/case.nii.gz" \
        "$out/labels/$2" "$3" "$4"
}
echo "== one task" >&2
peer "PyTorch f32" pytorch 0 f32
peer "PyTorch bf16 autocast" bf16 0 bf16
measure "nnU-Net v2" "$PYTHON" benches/peer/nnunet.py "$out/case.nii.gz" "$out/labels/nnunet.nii.gz"
segment "uniseg f32" liver32.onnx liver "$out/labels/liver.nii.gz" f32
segment "uniseg bf16" liver.onnx liver "$out/labels/liver16.nii.gz" bf16
segment "uniseg int8" liver8.onnx liver "$out/labels/liver8.nii.gz" int8
segment "uniseg int8, the rest in bf16" liver8.onnx liver "$out/labels/liver8b.nii.gz" bf16
[ "$rows" = all ] || exit 0
echo "== eight CT tasks" >&2
peer "PyTorch f32" pytorch 0,1,2,3,4,5,6,7 f32
eight() { # NAME MODEL OUTPUT PRECISION [FLAG...]
    segment "uniseg $1" "$2" $cts "$out/labels/$3" "${@:4}"
}
eight "f32" ct32.onnx joined f32
eight "bf16" ct.onnx joined16 bf16
eight "int8" ct8.onnx joined8 int8
eight "int8, the rest in bf16" ct8.onnx joined8b bf16
eight "int8, the rest in bf16, 2 together" ct8.onnx joined8b2 bf16 --together 2
eight "int8, the rest in bf16, 1 by 1" ct8.onnx joined8b1 bf16 --together 1
eight "pair f32" ct32.decoder.onnx ct f32
eight "pair bf16" ct.decoder.onnx ct16 bf16
eight "pair int8" ct8.decoder.onnx ct8 int8
eight "pair int8, the rest in bf16" ct8.decoder.onnx ct8b bf16
echo "== beside them: one task with windows left out" >&2
skipping "uniseg bf16, windows of air left out" liver.onnx liver "$out/labels/air.nii.gz" bf16
segment "uniseg bf16, --fast" liver.onnx liver "$out/labels/fast.nii.gz" bf16 --fast
segment "uniseg bf16, --fast=half" liver.onnx liver "$out/labels/half.nii.gz" bf16 --fast=half

echo "== labels" >&2
same() { "$PYTHON" benches/peer/same_labels.py "$@"; }
same "uniseg f32 against PyTorch f32" "$out/labels/liver.nii.gz" "$out/labels/pytorch/task0.nii.gz"
same "PyTorch bf16 against f32" "$out/labels/bf16/task0.nii.gz" "$out/labels/pytorch/task0.nii.gz"
same "uniseg bf16 against PyTorch f32" "$out/labels/liver16.nii.gz" "$out/labels/pytorch/task0.nii.gz"
same "uniseg int8 against PyTorch f32" "$out/labels/liver8.nii.gz" "$out/labels/pytorch/task0.nii.gz"
for name in vertebrae liver; do
    id=$([ $name = liver ] && echo 0 || echo 7)
    same "the pair, $name" "$out/labels/ct/$name.nii.gz" "$out/labels/pytorch/task$id.nii.gz"
    same "one file, $name" "$out/labels/joined/$name.nii.gz" "$out/labels/pytorch/task$id.nii.gz"
done
