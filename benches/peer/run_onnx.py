"""Runs ONNX files with ONNX Runtime, each in a process of its own, in turns.

    run_onnx.py ROUNDS REFERENCE.onnx OTHER.onnx ...
    run_onnx.py --pair ROUNDS A.onnx B.onnx

Prints a Markdown table: nodes, bytes, milliseconds (median of ROUNDS processes, each the faster of
two windows after one), peak memory, and the distance of the logits to the first file's.

With --pair both files are opened in one process and run in turns, so that what disturbs the
machine disturbs both: prints the median of each, and of the differences, one for each round.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time


def opened(path):
    """A session, what it is fed, and a function that runs it: seconds and logits."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = numpy.random.default_rng(0)
    feed = {}
    for value in session.get_inputs():
        if value.name == "task":
            feed["task"] = numpy.zeros(1, numpy.int64)
        else:
            feed[value.name] = random.random(value.shape, numpy.float32)

    def run():
        start = time.perf_counter()
        (logits,) = session.run(None, feed)
        return time.perf_counter() - start, logits

    run()
    return run


def child(path, reference):
    import numpy

    run = opened(path)
    seconds, logits = min((run() for _ in range(2)), key=lambda made: made[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if not os.path.exists(reference):
        numpy.save(reference, logits)
    expected = numpy.load(reference)
    # A network for fewer tasks may have fewer classes.
    classes = min(expected.shape[1], logits.shape[1])
    expected, logits = expected[:, :classes], logits[:, :classes]
    distance = float(abs(expected - logits).max() / abs(expected).max())
    print(json.dumps({"ms": 1e3 * seconds, "mb": peak, "distance": distance}))


def main(rounds, paths):
    import onnx
    import onnxruntime

    reference = paths[0] + ".logits.npy"
    if os.path.exists(reference):
        os.remove(reference)
    runs = {path: [] for path in paths}
    for _ in range(rounds):
        for path in paths:
            command = [sys.executable, __file__, "--child", path, reference]
            runs[path].append(json.loads(subprocess.check_output(command)))
    print(f"ONNX Runtime {onnxruntime.__version__}\n")
    print("| file | nodes | bytes | ms a window | peak MB | logits differ by |")
    print("|---|---|---|---|---|---|")
    for path in paths:
        nodes = len(onnx.load(path).graph.node)
        ms, mb, distance = (
            statistics.median(run[key] for run in runs[path]) for key in ("ms", "mb", "distance")
        )
        size = os.path.getsize(path)
        name = os.path.basename(path)
        print(f"| {name} | {nodes} | {size:,} | {ms:,.0f} | {mb:,.0f} | {distance:.1e} |")


def pair(rounds, paths):
    runs = [opened(path) for path in paths]
    rows = []
    for round in range(rounds):
        # The second of two may run warmer than the first.
        order = (0, 1) if round % 2 == 0 else (1, 0)
        taken = {which: 1e3 * runs[which]()[0] for which in order}
        rows.append((taken[0], taken[1]))
    for which, path in enumerate(paths):
        name = os.path.basename(path)
        print(f"{name}: {statistics.median(row[which] for row in rows):,.0f} ms a window")
    gaps = [a - b for a, b in rows]
    faster = sum(gap > 0 for gap in gaps)
    print(
        f"the second is faster by {statistics.median(gaps):,.0f} ms (median), "
        f"in {faster} of {rounds} rounds"
    )


if sys.argv[1] == "--child":
    child(*sys.argv[2:])
elif sys.argv[1] == "--pair":
    pair(int(sys.argv[2]), sys.argv[3:])
else:
    main(int(sys.argv[1]), sys.argv[2:])
