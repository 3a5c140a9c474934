"""Runs ONNX files with ONNX Runtime, each in a process of its own, in turns.

    run_onnx.py ROUNDS REFERENCE.onnx OTHER.onnx ...

Prints a Markdown table: nodes, bytes, milliseconds (median of ROUNDS processes, each the faster of
two windows after one), peak memory, and the distance of the logits to the first file's.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time


def child(path, reference):
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
    session.run(None, feed)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        (logits,) = session.run(None, feed)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if not os.path.exists(reference):
        numpy.save(reference, logits)
    expected = numpy.load(reference)
    # A network for fewer tasks may have fewer classes.
    classes = min(expected.shape[1], logits.shape[1])
    expected, logits = expected[:, :classes], logits[:, :classes]
    distance = float(abs(expected - logits).max() / abs(expected).max())
    print(json.dumps({"ms": 1e3 * min(seconds), "mb": peak, "distance": distance}))


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


if sys.argv[1] == "--child":
    child(*sys.argv[2:])
else:
    main(int(sys.argv[1]), sys.argv[2:])
