"""Makes kernel.ptx from kernel.cu with NVRTC: kernel.py [LIBRARY]

Needs no GPU: `pip install nvidia-cuda-nvrtc-cu11` brings the library. The code is for compute
capability 7.0, the oldest that ONNX Runtime's CUDA provider runs on; drivers compile it for theirs.
"""

import ctypes
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).parent


def library():
    if len(sys.argv) > 1:
        return sys.argv[1]
    import nvidia.cuda_nvrtc

    (path,) = pathlib.Path(nvidia.cuda_nvrtc.__path__[0]).glob("lib/libnvrtc.so.*")
    return str(path)


def main():
    nvrtc = ctypes.CDLL(library())
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    source = (HERE / "kernel.cu").read_bytes()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"kernel.cu", 0, None, None)
    options = [b"--gpu-architecture=compute_70", b"--std=c++14", b"--fmad=true"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    print(log.value.decode(), end="", file=sys.stderr)
    if failed:
        sys.exit(1)
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, text)
    # A test compares it with the source's.
    digest = hashlib.sha256(source).hexdigest()
    made = f"// kernel.cu, sha256 {digest}\n".encode() + text.value.rstrip() + b"\n"
    (HERE / "kernel.ptx").write_bytes(made)


main()
