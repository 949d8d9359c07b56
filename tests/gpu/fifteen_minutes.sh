#!/usr/bin/env bash
# What a GPU is worth to the diffusion methods, in at most twelve minutes, as one JSON file of lines.
#
#   tests/gpu/fifteen_minutes.sh OUT.jsonl            on a GPU, at the size of Stable Diffusion 2.1-base
#   tests/gpu/fifteen_minutes.sh OUT.jsonl phantom    on a CPU, with the suite's 64 px pipeline
#
# Needs torch, transformers, diffusers, accelerate and peft; what is missing of them may lie in .whl/, and CLIP's
# vocabulary (requirements/fullsize.txt) too. Each line is written as it is measured: a stop at the limit loses nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$1
size=${2:-full}
python=${PYTHON:-python3}
for wheel in .whl/*.whl; do
  [ -e "$wheel" ] && "$python" -m pip install -q --no-index --no-deps --target .whl/site "$wheel"
done
export PYTHONPATH=docker/kit:tests/support:benchmarks_of_code:src:.whl/site${PYTHONPATH:+:$PYTHONPATH}
export HF_HUB_OFFLINE=1 CUBLAS_WORKSPACE_CONFIG=:4096:8
"$python" tests/gpu/measure.py "$out" "$size"
if [ "$size" = full ] && "$python" -c 'import pytest' 2>/dev/null; then
  timeout 180 "$python" -m pytest -q -n 0 -m gpu tests/kit_diffusion || echo "pytest -m gpu ended with $?" >&2
fi
