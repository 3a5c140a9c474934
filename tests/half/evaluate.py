# Runs artefacts in ONNX's own reference evaluator: FOLDER holds *.onnx and <task>.image, raw f32;
# writes <model>-<task>.logits beside them and prints how many nodes compute in which 16-bit type.
#
# The evaluator's convolutions loop over voxels in Python, and its 16-bit ones round each partial
# sum. Those here are sums over the kernel's positions: operands as stored, sums in f32, one rounding
# at the end, as processors with 16-bit products do it.
import collections, json, pathlib, sys
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

# Convolutions that were computed, by the type of their operands.
COMPUTED = collections.Counter()


def plain(node, x, w, b, auto_pad, dilations, group):
    """Refuses what is not written here, and operands of two types."""
    dtypes = {str(a.dtype) for a in (x, w, b) if a is not None}
    assert len(dtypes) == 1, f"{node}: {dtypes}"
    assert auto_pad in (None, "NOTSET") and (group or 1) == 1, f"{node}: {auto_pad}, {group}"
    assert all(d == 1 for d in dilations or []), f"{node}: {dilations}"
    COMPUTED[f"{node} {x.dtype}"] += 1
    b = 0 if b is None else b.astype(np.float32).reshape(-1, *[1] * (x.ndim - 2))
    return x.astype(np.float32), w.astype(np.float32), b


class Conv(OpRun):
    op_domain = ""

    def _run(self, x, w, b=None, auto_pad=None, dilations=None, group=None, kernel_shape=None,
             pads=None, strides=None):
        a, k, c = plain("Conv", x, w, b, auto_pad, dilations, group)
        n = x.ndim - 2
        strides, pads = strides or [1] * n, pads or [0] * (2 * n)
        a = np.pad(a, [(0, 0), (0, 0), *zip(pads[:n], pads[n:])])
        size = [(a.shape[i + 2] - w.shape[i + 2]) // strides[i] + 1 for i in range(n)]
        y = np.zeros((x.shape[0], w.shape[0], *size), np.float32) + c
        for at in np.ndindex(*w.shape[2:]):
            window = tuple(slice(p, p + (s - 1) * t + 1, t) for p, s, t in zip(at, size, strides))
            product = np.tensordot(k[(..., *at)], a[(slice(None), slice(None), *window)], ([1], [1]))
            y += product.swapaxes(0, 1)
        return (y.astype(x.dtype),)


class ConvTranspose(OpRun):
    op_domain = ""

    def _run(self, x, w, b=None, auto_pad=None, dilations=None, group=None, kernel_shape=None,
             output_padding=None, output_shape=None, pads=None, strides=None):
        a, k, c = plain("ConvTranspose", x, w, b, auto_pad, dilations, group)
        assert not output_shape and not any(output_padding or [])
        n = x.ndim - 2
        strides, pads = strides or [1] * n, pads or [0] * (2 * n)
        size = [(x.shape[i + 2] - 1) * strides[i] + w.shape[i + 2] for i in range(n)]
        y = np.zeros((x.shape[0], w.shape[1], *size), np.float32)
        for at in np.ndindex(*w.shape[2:]):
            place = tuple(slice(p, p + (s - 1) * t + 1, t)
                          for p, s, t in zip(at, x.shape[2:], strides))
            product = np.tensordot(k[(..., *at)], a, ([0], [1]))
            y[(slice(None), slice(None), *place)] += product.swapaxes(0, 1)
        inner = tuple(slice(p, s - q) for p, q, s in zip(pads[:n], pads[n:], size))
        return ((y[(slice(None), slice(None), *inner)] + c).astype(x.dtype),)


def types_of(model):
    """Types that shape inference finds, by value."""
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    return {v.name: v.type.tensor_type.elem_type for v in values}


def run(path, images):
    model = onnx.load(path)
    types = types_of(model)
    evaluator = ReferenceEvaluator(model, new_ops=[Conv, ConvTranspose])
    counts = collections.Counter()
    COMPUTED.clear()
    for node in model.graph.node:
        kind = types.get(node.output[0])
        if kind in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16):
            counts[f"{node.op_type} {onnx.TensorProto.DataType.Name(kind)}"] += 1
    for task, image in images:
        (logits,) = evaluator.run(None, {"image": image, "task": np.array([task], np.int64)})
        assert logits.dtype == np.float32, logits.dtype
        logits.tofile(path.with_name(f"{path.stem}-{task}.logits"))
    for op in ("Conv", "ConvTranspose"):
        for name, kind in (("float16", "FLOAT16"), ("bfloat16", "BFLOAT16")):
            promised = counts.get(f"{op} {kind}", 0) * len(images)
            assert COMPUTED[f"{op} {name}"] == promised, (op, name, COMPUTED, promised)
    return counts


folder = pathlib.Path(sys.argv[1])
models = sorted(folder.glob("*.onnx"))
shape = [d.dim_value for d in onnx.load(models[0]).graph.input[0].type.tensor_type.shape.dim]
images = [(int(p.stem), np.fromfile(p, np.float32).reshape(shape))
          for p in sorted(folder.glob("*.image"))]
print(json.dumps({path.stem: run(path, images) for path in models}))
