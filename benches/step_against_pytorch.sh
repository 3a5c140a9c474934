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
. benches/peer/setup.sh torch numpy
"$PYTHON" benches/step_against_pytorch.py "$steps"
"$UNISEG" bench train --steps "$steps"
