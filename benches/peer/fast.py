"""The table of benches/fast.sh: fast.py FOLDER TASK ...

FOLDER/TASK/CASE holds truth, full and fast.nii.gz, full.json and fast.json (`uniseg bench case`).
"""

import json
import pathlib
import sys

import nibabel
import numpy

folder, *tasks = sys.argv[1:]


def dice(a, b):
    return 200 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def read(case):
    """Windows run in full and with --fast, seconds, and all Dice of a case, in percent."""
    # Tumours belong to their organ, as in the demo's tasks.
    truth, full, fast = (
        numpy.asarray(nibabel.load(case / f"{name}.nii.gz").dataobj) > 0
        for name in ("truth", "full", "fast")
    )
    rows = [json.loads((case / f"{name}.json").read_text())["cases"][0] for name in ("full", "fast")]
    return {
        "voxels": truth.size / 1e6,
        "windows": rows[0]["windows"],
        "run": [row["windows"] - row["skipped"] for row in rows],
        "seconds": [row["total_s"] for row in rows],
        "fast_full": dice(fast, full),
        "truth": [dice(full, truth), dice(fast, truth)],
        # Of what the full pass found of the organ, and of what it found elsewhere.
        "lost": 100 * (full & truth & ~fast).sum() / max((full & truth).sum(), 1),
        "outside": [100 * (found & ~truth).sum() / max(truth.sum(), 1) for found in (full, fast)],
        "new": 100 * (fast & ~full).sum() / max(truth.sum(), 1),
    }


def mean(values):
    return numpy.mean(numpy.array(values, dtype=float), axis=0)


print("| task | windows | run in full | run with `--fast` | s in full | s with `--fast` "
      "| Dice, fast to full: mean (least) | Dice to the truth: full | fast | most lost by one case |")
print("|---|---|---|---|---|---|---|---|---|---|")
for task in tasks:
    names = sorted((pathlib.Path(folder) / task).iterdir())
    cases = [read(case) for case in names]
    of = lambda key: mean([case[key] for case in cases])
    run, seconds, truth = of("run"), of("seconds"), of("truth")
    least = min(case["fast_full"] for case in cases)
    lost = max(cases, key=lambda case: case["truth"][0] - case["truth"][1])["truth"]
    print(f"| {task} | {of('windows'):.0f} | {run[0]:.0f} | {run[1]:.0f} | {seconds[0]:.1f} "
          f"| {seconds[1]:.1f} | {of('fast_full'):.2f} ({least:.2f}) | {truth[0]:.2f} "
          f"| {truth[1]:.2f} | {lost[0] - lost[1]:.2f} |")
    for name, case in zip(names, cases):
        print(
            f"{name.name}: {case['voxels']:.1f} M voxels, windows {case['windows']}, "
            f"run {case['run'][0]} and {case['run'][1]}, fast to full {case['fast_full']:.2f}, "
            f"to the truth {case['truth'][0]:.2f} and {case['truth'][1]:.2f}; of the organ lost "
            f"{case['lost']:.2f} %, outside of it {case['outside'][0]:.2f} and "
            f"{case['outside'][1]:.2f} % of its voxels, new {case['new']:.2f} %",
            file=sys.stderr,
        )
