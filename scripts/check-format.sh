#!/usr/bin/env bash
# Checks that C++ files are formatted; --fix formats them.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files '*.cpp' '*.h' '*.c')
if [ "${1:-}" = --fix ]; then
  clang-format-22 -i "${files[@]}"
elif ! clang-format-22 --dry-run --Werror "${files[@]}"; then
  echo "format: run scripts/check-format.sh --fix" >&2
  exit 1
fi
