#!/usr/bin/env bash
# What can only be measured on a GPU, in at most 40 minutes and without internet: the speed table with ResNet-50 and
# ViT-B/16 at 224 px, the tests that need a GPU, and benchmarks/gpu.yaml as far as the time goes.
# Usage: bash benchmarks/gpu.sh [OUT]        (default: runs/gpu; the same command continues the benchmark)
# Needs an environment with cass and pytest, and for the benchmark the images and weights in ../shared.
# PYTHON chooses the interpreter and MINUTES the time; CASS_TRY=1 tries the script on a CPU with tiny settings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-runs/gpu}
python=${PYTHON:-python}
started=$(date +%s)
limit=$((${MINUTES:-40} * 60))
left() { echo $((limit - $(date +%s) + started)); }
mkdir -p "$out"

device=gpu
networks=(--cnn resnet50 --transformer vit_base_patch16_224 --image-size 224 --batch-size 16 --steps 20 --rounds 3)
spec=benchmarks/gpu.yaml
if [ "${CASS_TRY:-}" ]; then
  device=cpu
  networks=(--cnn test_resnet --transformer test_vit --image-size 32 --batch-size 4 --steps 1 --rounds 1)
  spec=benchmarks/tiny.yaml
fi

echo "== Speed =="
"$python" -m cass benchmark speed "${networks[@]}" --device "$device" --json "$out/speed.json" | tee "$out/speed.txt"

echo "== Tests that need a GPU =="
tests=0
"$python" -m pytest -q -m gpu | tee "$out/tests.txt" || tests=$?
if [ "$tests" -eq 5 ]; then tests=0; fi  # none was selected

echo "== Benchmark, $(($(left) / 60)) minutes left =="
code=0
timeout --signal=INT --kill-after=120 "$(left)" "$python" -m cass benchmark "$spec" --out "$out/benchmark" || code=$?
# stopped by the time limit (124) or by the signal it sends: the tables hold what is finished
case $code in 0 | 124 | 130) ;; *) exit "$code" ;; esac
cat "$out/benchmark/tables.md" "$out/benchmark/claims.md"
exit "$tests"
