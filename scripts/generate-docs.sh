#!/usr/bin/env bash
# Writes docs/generated from the TableGen files; --check compares instead.
set -euo pipefail
cd "$(dirname "$0")/.."
out=docs/generated
[ "${1:-}" = --check ] && out=$(mktemp -d)
mkdir -p "$out"
tblgen() {
  /usr/lib/llvm-22/bin/mlir-tblgen -I include -I /usr/lib/llvm-22/include "$@"
}
tblgen -gen-dialect-doc -dialect=a2q include/a2q/IR/A2QOps.td >"$out/dialect.md"
for folder in Transforms Conversion; do
  tblgen -gen-pass-doc "include/a2q/$folder/Passes.td" >"$out/passes-${folder,,}.md"
done
if [ "${1:-}" = --check ]; then
  if ! diff -ru docs/generated "$out"; then
    echo "docs: run scripts/generate-docs.sh" >&2
    exit 1
  fi
  rm -r "$out"
fi
