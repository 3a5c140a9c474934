#!/usr/bin/env bash
# The paper's Table 4 in small: its five networks on the same synthetic patients, with the same
# number of training steps, judged on the same held-out patients.
#
#   benches/variants.sh [FOLDER]          default: variants-bench
#
# STEPS (default 1200) and SEED (default 1) can be set, and UNISEG, a program that is built already.
# The baseline trains one network for each task and divides the steps among them.
# A run that was stopped goes on where it was.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-variants-bench}
steps=${STEPS:-1200}
seed=${SEED:-1}
epoch=40
tasks=(liver kidney spleen prostate)

if [ -z "${UNISEG:-}" ]; then
    cargo build --release --workspace --quiet
    UNISEG=target/release/uniseg
fi
uniseg=$UNISEG
mkdir -p "$out"
"$uniseg" phantom "$out/raw" --cases 12 --seed "$seed" --size small --plain --same-scans \
    --task "${tasks[@]}" >"$out/phantom.log"

. benches/peer/phantom_tasks.sh
phantom_tasks "${tasks[@]}" >"$out/tasks.toml"

# plan VARIANT FILE [TASK]
plan() {
    "$uniseg" plan "$out/tasks.toml" -o "$out/$2" --variant "$1" --patch 16,48,48 --base 8 \
        ${3:+--task "$3"} >/dev/null 2>&1
}

# train PLAN RUN STEPS
train() {
    "$uniseg" train --plan "$out/$1" --cache "$out/cache" -o "$out/$2" --plain --quick \
        --paired-tasks --no-augmentation --seed "$seed" --epochs $(($3 / epoch)) \
        --iterations "$epoch" 2>>"$out/train.log" >/dev/null
}

# judge RUN FOLDER
judge() {
    "$uniseg" evaluate "$out/$1" --tasks "$out/tasks.toml" -o "$out/$2" >/dev/null 2>>"$out/train.log"
}

plan uniseg uniseg.json
"$uniseg" preprocess "$out/tasks.toml" --plan "$out/uniseg.json" -o "$out/cache" >/dev/null 2>&1

for task in "${tasks[@]}"; do
    plan baseline "baseline-$task.json" "$task"
    train "baseline-$task.json" "run-baseline-$task" $((steps / ${#tasks[@]}))
    judge "run-baseline-$task" "scores/baseline/$task"
done
for variant in fixed_prompt multiple_prompts uniseg_t uniseg; do
    plan "$variant" "$variant.json"
    train "$variant.json" "run-$variant" "$steps"
    judge "run-$variant" "scores/$variant/all"
done

python3 - "$out/scores" "$steps" "$seed" "${tasks[@]}" <<'PYTHON'
import glob, json, sys

folder, steps, seed, *tasks = sys.argv[1:]
# Mean Dice over eleven datasets, table 4 of the paper.
paper = {
    "baseline": ("nnU-Net baseline", 76.6),
    "uniseg_t": ("UniSeg-T", 76.9),
    "fixed_prompt": ("fixed prompt", 77.4),
    "multiple_prompts": ("multiple prompts", 77.5),
    "uniseg": ("UniSeg", None),
}
print(f"{steps} steps, seed {seed}; Dice in percent on held-out phantoms\n")
print("| variant | " + " | ".join(tasks) + " | mean | paper, 11 real datasets |")
print("|---|" + "---|" * (len(tasks) + 2))
for variant, (title, published) in paper.items():
    scores = {}
    for file in glob.glob(f"{folder}/{variant}/*/evaluation.json"):
        for task in json.load(open(file))["tasks"]:
            scores[task["name"]] = 100 * task["mean"]["dice"]
    mean = sum(scores[task] for task in tasks) / len(tasks)
    row = [f"{scores[task]:.1f}" for task in tasks] + [f"{mean:.1f}", str(published or "best")]
    print(f"| {title} | " + " | ".join(row) + " |")
PYTHON
