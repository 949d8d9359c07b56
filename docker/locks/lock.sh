#!/bin/bash
# lock.sh [NAME…]: writes NAME.txt from NAME.in (default: all) with the newest versions that fit.
#
# For development; needs pip-tools (pip-compile) on the PATH. torch is put in as a stub that needs
# nothing, so that neither it nor its CUDA packages are locked: an image has them from its base.
set -euo pipefail
cd "$(dirname "$0")"
stub=$(mktemp -d)
trap 'rm -rf "$stub"' EXIT
python3 - "$stub/torch-99-py3-none-any.whl" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("torch-99.dist-info/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 99\n")
    wheel.writestr("torch-99.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    wheel.writestr("torch-99.dist-info/RECORD", "")
PYTHON
[ $# -gt 0 ] || set -- pip kit diffusion
for name in "$@"; do
  left_out=(--unsafe-package torch)
  constraints=()
  if [ "$name" = diffusion ]; then # stands on kit.txt
    # What requirements/run.txt keeps for MLflow: both locks have the same versions.
    echo "importlib-metadata<10" >"$stub/bounds.txt"
    constraints=(--constraint kit.txt --constraint "$stub/bounds.txt")
    for package in $(grep -o '^[A-Za-z0-9._-]*==' kit.txt | tr -d '='); do
      left_out+=(--unsafe-package "$package")
    done
  fi
  [ "$name" != pip ] || left_out=(--allow-unsafe)
  pip-compile --quiet --generate-hashes --strip-extras --upgrade --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
    --find-links "$stub" "${left_out[@]}" "${constraints[@]}" --output-file "$name.txt" "$name.in"
  sed -i -e '/^# WARNING/,$d' -e '/^#/d' -e '/^$/d' "$name.txt" # words about what was left out
done
