#!/usr/bin/env bash
# Sets up, builds and runs the demo: a quantized network read from ONNX, its
# accumulators proven and narrowed, real images classified.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh release
exec /usr/bin/python3 examples/digits/demo.py build/release/bin
