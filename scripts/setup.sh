#!/usr/bin/env bash
# Installs the Debian packages of scripts/packages.txt that are missing.
# Needs root or sudo only when something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "setup: $1" >&2
  exit 1
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
  fail "this is not Debian or Ubuntu; install the equivalents of the packages in scripts/packages.txt by hand"

mapfile -t wanted < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' scripts/packages.txt)
missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null ||
    fail "these packages are missing and need root to install: ${missing[*]}"
  as_root=(sudo)
fi

echo "setup: installing ${#missing[@]} missing Debian packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1
}
# A stale package list is the usual cause of a failure: refresh it, try again.
install || {
  "${as_root[@]}" apt-get update >"$log" 2>&1 ||
    { tail -n 5 "$log" >&2; fail "apt-get update failed; is there a network?"; }
  install ||
    { tail -n 5 "$log" >&2; fail "apt-get could not install: ${missing[*]}"; }
}
echo "setup: done"
