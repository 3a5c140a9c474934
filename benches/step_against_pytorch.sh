#!/usr/bin/env bash
# One training step against PyTorch's, on this machine, one after the other.
#
#   benches/step_against_pytorch.sh [FOLDER]          default: pytorch-bench
#
# Makes a virtual environment with PyTorch for the CPU in FOLDER. STEPS (default 5) can be set, and
# UNISEG, a program that is built already, and PYTHON, one that has torch.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-pytorch-bench}
steps=${STEPS:-5}
if [ -z "${UNISEG:-}" ]; then
    cargo build --release --workspace --quiet
    UNISEG=target/release/uniseg
fi
if [ -z "${PYTHON:-}" ]; then
    mkdir -p "$out"
    python3 -m venv "$out/venv"
    PYTHON=$out/venv/bin/python
    "$PYTHON" -m pip install --quiet torch numpy
fi
"$PYTHON" benches/step_against_pytorch.py "$steps"
"$UNISEG" bench train --steps "$steps"
