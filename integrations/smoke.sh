#!/usr/bin/env bash
# Runs a suite in CI and leaves what a reviewer needs, whatever fails: junit.xml, summary.md, report/ and a bundle in
# $TONEGAP_OUT (default: tonegap-out). `smoke.sh SUITE [options of tonegap run]`; exit code of the run.
set -uo pipefail
suite=${1:-smoke}
shift || true
out=${TONEGAP_OUT:-tonegap-out}
mkdir -p "$out"

tonegap run "$suite" --store "$out/runs" --progress plain \
  --junit "$out/junit.xml" --summary "$out/summary.md" "$@" | tee "$out/report.txt"
code=${PIPESTATUS[0]}

page=$(tail -n 1 "$out/report.txt")
if [ -f "$page" ]; then
  name=$(basename "$(dirname "$page")") # the suite's, or that of a run with other options
  rm -rf "$out/report"
  cp -r "$(dirname "$page")" "$out/report"
  tonegap bundle "$name" --store "$out/runs" --allow-incomplete --out "$out/$name.tonegap.zip" || code=$((code ? code : 1))
fi
exit "$code"
