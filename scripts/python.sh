#!/usr/bin/env bash
# Makes build/venv, where the Python package is built for and tested, with the
# pinned packages of python/requirements-test.txt, and with PyTorch where its
# build without CUDA can be had. Does nothing when it is there and has them.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# install NAME COMMAND...: runs the command on python/requirements-NAME.txt,
# unless that was done; fails with the end of its output.
install() {
  local wanted=python/requirements-$1.txt have=build/venv/requirements-$1.txt
  shift
  if [ -f "$have" ] && cmp -s "$wanted" "$have"; then
    return
  fi
  "$@" -r "$wanted" >"$log" 2>&1 || return 1
  cp "$wanted" "$have"
}

if [ ! -f build/venv/requirements-test.txt ]; then
  echo "python: making build/venv"
  /usr/bin/python3 -m venv build/venv
fi
pip=(build/venv/bin/pip install --disable-pip-version-check)
install test "${pip[@]}" || {
  tail -n 5 "$log" >&2
  echo "python: cannot make build/venv; is there a network?" >&2
  exit 1
}
install torch "${pip[@]}" --retries 1 --timeout 15 ||
  echo "python: no index of pip has PyTorch's builds without CUDA; its tests are skipped"
