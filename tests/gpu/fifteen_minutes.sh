#!/usr/bin/env bash
# What a GPU is worth to a baseline and the diffusion methods, in at most twelve minutes, as one JSON file.
#
#   tests/gpu/fifteen_minutes.sh OUT.json            on a GPU, at the size of Stable Diffusion 2.1-base
#   tests/gpu/fifteen_minutes.sh OUT.json phantom    on a CPU, with the suite's 64 px pipeline
#
# Needs torch, torchvision, transformers, diffusers, accelerate and peft; what is missing of them may lie in .whl/, and CLIP's
# vocabulary (requirements/fullsize.txt) too. What the time does not suffice for is named in the file.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: $0 OUT.json [full|phantom]" >&2; exit 2; }
out=$(realpath -m "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-python3}
for wheel in .whl/*.whl; do
  [ -e "$wheel" ] && "$python" -m pip install -q --no-index --no-deps --target .whl/site "$wheel"
done
export PYTHONPATH=docker/kit:tests/support:benchmarks_of_code:src:.whl/site${PYTHONPATH:+:$PYTHONPATH}
export HF_HUB_OFFLINE=1 CUBLAS_WORKSPACE_CONFIG=:4096:8
timeout 710 "$python" tests/gpu/measure.py "$out" "$@"
