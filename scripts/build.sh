#!/usr/bin/env bash
# Installs what is missing, configures once and builds a preset (default:
# release) into build/PRESET.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}

scripts/setup.sh
scripts/python.sh || echo "build: the Python package is left out" >&2
if [ ! -f "build/$preset/build.ninja" ]; then
  echo "build: configuring build/$preset"
  log=$(mktemp)
  cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2; rm "$log"; exit 1; }
  rm "$log"
fi
cmake --build --preset "$preset"
