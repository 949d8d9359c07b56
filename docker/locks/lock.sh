#!/usr/bin/env bash
# lock.sh [NAME…]: writes NAME.txt from NAME.in (default: all), at the versions of requirements/run.txt.
#
# For development; needs uv. Containers so compute with the versions of the local engine, on x86 and ARM.
# What a lower lock has is not locked again; torch is the foundation's, so only torch.txt has it.
set -euo pipefail
cd "$(dirname "$0")"
pins() { grep -ho '^[A-Za-z0-9._-]*==' "$@" | tr -d '='; }
[ $# -gt 0 ] || set -- kit torch diffusion features
for name in "$@"; do
  left_out=()
  case $name in
    kit) below=() ;;
    torch) below=(kit.txt) ;;
    features) below=(kit.txt torch.txt diffusion.txt) ;;
    *) below=(kit.txt torch.txt) ;;
  esac
  [ ${#below[@]} -eq 0 ] || for package in $(pins "${below[@]}"); do
    left_out+=(--no-emit-package "$package")
  done
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --constraint ../../requirements/run.txt "${left_out[@]}" "$name.in" --output-file "$name.txt" >/dev/null
done
