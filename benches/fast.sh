#!/usr/bin/env bash
# What `--fast` costs and saves: a small network on synthetic patients, in scans that reach much
# further than the organ that is looked for.
#
#   benches/fast.sh [FOLDER]                          default: fast-bench
#
# CASES (default 3), SEED (default 101), REACH (default 2: eight times the voxels) and STEPS
# (default 1500) can be set, and UNISEG, a program that is built already, and PYTHON, one with
# nibabel. The network is like that of `uniseg demo`, but trained on scans of the same reach: one
# that never saw a whole trunk finds organs everywhere in it. The same folder again trains it no
# more, and segments anew. Five to fifteen minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-fast-bench}
cases=${CASES:-3}
seed=${SEED:-101}
reach=${REACH:-2}
steps=${STEPS:-1500}
tasks=(liver kidney spleen prostate)
. benches/peer/setup.sh numpy nibabel

scans() { # FOLDER CASES SEED
    "$UNISEG" phantom "$1" --cases "$2" --seed "$3" --reach "$reach" --size small --plain \
        --same-scans --task "${tasks[@]}" >>"$out/log" 2>&1
}

scans "$out/raw" 14 1
. benches/peer/phantom_tasks.sh
phantom_tasks "${tasks[@]}" >"$out/tasks.toml"
"$UNISEG" plan "$out/tasks.toml" -o "$out/plan.json" --patch 16,48,48 --base 8 >>"$out/log" 2>&1
"$UNISEG" preprocess "$out/tasks.toml" --plan "$out/plan.json" -o "$out/cache" >>"$out/log" 2>&1
"$UNISEG" train --plan "$out/plan.json" --cache "$out/cache" -o "$out/run" --plain --quick \
    --paired-tasks --no-augmentation --seed 1 --epochs $((steps / 50)) --iterations 50 \
    >>"$out/log" 2>&1
"$UNISEG" export "$out/run" -o "$out/model.onnx" >>"$out/log" 2>&1

wide=$out/wide-$seed-$reach
scans "$wide" "$cases" "$seed"
found=$out/found-$seed-$reach
rm -rf "$found"
for task in "${tasks[@]}"; do
    images=("$wide"/Dataset*_"$task"/imagesTr/*_0000.nii.gz)
    for image in "${images[@]:0:$cases}"; do
        case=$(basename "$image" _0000.nii.gz)
        folder=$found/$task/$case
        mkdir -p "$folder"
        cp "$(dirname "$image")/../labelsTr/$case.nii.gz" "$folder/truth.nii.gz"
        for pass in full apart half; do
            more=$([ $pass = full ] || echo --fast=$pass)
            "$UNISEG" segment "$out/model.onnx" "$image" --task "$task" $more \
                -o "$folder/$pass.nii.gz" >>"$out/log" 2>&1
            # Again, for windows and seconds.
            "$UNISEG" bench case "$out/model.onnx" "$image" --task "$task" --skip $more --json \
                >"$folder/$pass.json" 2>>"$out/log"
        done
    done
done
"$PYTHON" benches/peer/fast.py "$found" "${tasks[@]}"
