"""The table of benches/fast.sh: fast.py FOLDER TASK ...

FOLDER/TASK/CASE holds truth, full, apart and half.nii.gz, and full, apart and half.json
(`uniseg bench case`).
"""

import json
import pathlib
import sys

import nibabel
import numpy

LOOKS = "apart", "half"
folder, *tasks = sys.argv[1:]


def dice(a, b):
    return 200 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def labels(case, name):
    # Tumours belong to their organ, as in the demo's tasks.
    return numpy.asarray(nibabel.load(case / f"{name}.nii.gz").dataobj) > 0


def row(case, name):
    return json.loads((case / f"{name}.json").read_text())["cases"][0]


def read(case, look):
    """Windows, seconds and Dice of a case in full and with a look, in percent."""
    truth, full, fast = (labels(case, name) for name in ("truth", "full", look))
    in_full, first = row(case, "full"), row(case, look)
    return {
        "case": case.name,
        "voxels": truth.size / 1e6,
        "windows": in_full["windows"],
        "full": in_full["windows"] - in_full["skipped"],
        "run": first["windows"] - first["skipped"],
        "looked": first["looked"],
        "seconds": [in_full["total_s"], first["total_s"]],
        "fast_full": dice(fast, full),
        "truth": [dice(full, truth), dice(fast, truth)],
        # Of what the full pass found of the organ, and of what it found elsewhere.
        "lost": 100 * (full & truth & ~fast).sum() / max((full & truth).sum(), 1),
        "outside": [100 * (found & ~truth).sum() / max(truth.sum(), 1) for found in (full, fast)],
        "new": 100 * (fast & ~full).sum() / max(truth.sum(), 1),
    }


def mean(values):
    return numpy.mean(numpy.array(values, dtype=float), axis=0)


print("| look | task | windows in full | run | looked at | s in full | s | Dice with the full pass: "
      "mean (least) | most of an organ lost | Dice to the truth: full | fast |")
print("|---|---|---|---|---|---|---|---|---|---|---|")
for look in LOOKS:
    for task in tasks:
        names = sorted((pathlib.Path(folder) / task).iterdir())
        cases = [read(case, look) for case in names]
        of = lambda key: mean([case[key] for case in cases])
        seconds, truth = of("seconds"), of("truth")
        least = min(case["fast_full"] for case in cases)
        lost = max(case["lost"] for case in cases)
        print(f"| `{look}` | {task} | {of('full'):.0f} | {of('run'):.0f} | {of('looked'):.0f} "
              f"| {seconds[0]:.1f} | {seconds[1]:.1f} | {of('fast_full'):.2f} ({least:.2f}) "
              f"| {lost:.2f} % | {truth[0]:.2f} | {truth[1]:.2f} |")
        for case in cases:
            print(
                f"{look} {case['case']}: {case['voxels']:.1f} M voxels, windows {case['windows']}, "
                f"run {case['full']} and {case['run']}, fast to full {case['fast_full']:.2f}, "
                f"to the truth {case['truth'][0]:.2f} and {case['truth'][1]:.2f}; of the organ lost "
                f"{case['lost']:.2f} %, outside of it {case['outside'][0]:.2f} and "
                f"{case['outside'][1]:.2f} % of its voxels, new {case['new']:.2f} %",
                file=sys.stderr,
            )
