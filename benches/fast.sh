#!/usr/bin/env bash
# What `--fast` costs and saves: a small network on synthetic patients, in scans that reach much
# further than the organ that is looked for.
#
#   benches/fast.sh [FOLDER]                          default: fast-bench
#
# CASES (default 6), SEED (default 101) and REACH (default 2: eight times the voxels) can be set,
# and UNISEG, a program that is built already, and PYTHON, one with nibabel. The network is that of
# `uniseg demo`; the same folder again trains it no more, and segments anew.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-fast-bench}
cases=${CASES:-6}
seed=${SEED:-101}
reach=${REACH:-2}
tasks=(liver kidney spleen prostate)
. benches/peer/setup.sh numpy nibabel

"$UNISEG" demo --out "$out/demo" >"$out/demo.log" 2>&1
wide=$out/wide-$seed-$reach
"$UNISEG" phantom "$wide" --cases "$cases" --seed "$seed" --reach "$reach" --size small --plain \
    --same-scans --task "${tasks[@]}" >"$out/phantom.log" 2>&1

found=$out/found-$seed-$reach
rm -rf "$found"
for task in "${tasks[@]}"; do
    images=("$wide"/Dataset*_"$task"/imagesTr/*_0000.nii.gz)
    for image in "${images[@]:0:$cases}"; do
        case=$(basename "$image" _0000.nii.gz)
        folder=$found/$task/$case
        mkdir -p "$folder"
        cp "$(dirname "$image")/../labelsTr/$case.nii.gz" "$folder/truth.nii.gz"
        for pass in full fast; do
            more=$([ $pass = full ] || echo --fast)
            "$UNISEG" segment "$out/demo/model.onnx" "$image" --task "$task" $more \
                -o "$folder/$pass.nii.gz" >>"$out/segment.log" 2>&1
            # Again, for windows and seconds.
            "$UNISEG" bench case "$out/demo/model.onnx" "$image" --task "$task" --skip $more --json \
                >"$folder/$pass.json" 2>>"$out/segment.log"
        done
    done
done
"$PYTHON" benches/peer/fast.py "$found" "${tasks[@]}"
