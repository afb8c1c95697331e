#!/usr/bin/env bash
# Sets up, builds and runs all tests: unit tests, lit, programs, examples.
#   scripts/test.sh [PRESET]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}

scripts/build.sh "$preset"
ctest --preset "$preset"
