#!/usr/bin/env bash
# Writes the locks anew from pyproject.toml: `requirements/lock.sh` keeps the pins that still fit,
# `requirements/lock.sh --upgrade` takes the newest releases. Needs uv; downloads metadata alone.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() {
  local name=$1
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate "$@" --output-file "requirements/$name.txt" >/dev/null
}

lock run pyproject.toml --extra features "$@"
# The same without torch and what its builds for CUDA alone ask for, for machines without a GPU: installed with --no-deps
# beside a torch of one's own (docs/terminal.md). The CPU's build of torch is on an index of its own, and is not locked.
awk '/^[^ ]/ { kept = $0 !~ /^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==/ } kept' run.txt >no-torch.txt
# One file of it is read (CLIP's vocabulary): what it depends on is not installed.
lock fullsize --group fullsize --no-deps "$@"
# The others agree with it, so that they can be installed on top.
for name in test lint tox; do
  lock "$name" --group "$name" --constraint requirements/run.txt "$@"
done
# In one environment with tox.
lock snakemake --group snakemake --constraint requirements/run.txt --constraint requirements/tox.txt "$@"
