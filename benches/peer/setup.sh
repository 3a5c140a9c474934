# Sourced by the scripts beside this folder, with $out set: $UNISEG, a built program, and $PYTHON,
# one with PyTorch and what else the peers need; both can be given.
mkdir -p "$out"
if [ -z "${UNISEG:-}" ]; then
    cargo build --release --workspace --quiet
    UNISEG=$PWD/target/release/uniseg
fi
if [ -z "${PYTHON:-}" ]; then
    PYTHON=$out/venv/bin/python
    [ -x "$PYTHON" ] || python3 -m venv "$out/venv"
    "$PYTHON" -m pip install --quiet "$@"
fi
