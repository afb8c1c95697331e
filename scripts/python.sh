#!/usr/bin/env bash
# Makes build/venv, where the Python package is built for and tested, with the
# pinned packages of python/requirements-test.txt. Does nothing when it is there
# and has them.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=python/requirements-test.txt
have=build/venv/requirements-test.txt

if [ -f "$have" ] && cmp -s "$wanted" "$have"; then
  exit 0
fi
echo "python: making build/venv"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  /usr/bin/python3 -m venv build/venv &&
    build/venv/bin/pip install --disable-pip-version-check -r "$wanted"
} >"$log" 2>&1 || {
  tail -n 5 "$log" >&2
  echo "python: cannot make build/venv; is there a network?" >&2
  exit 1
}
cp "$wanted" "$have"
