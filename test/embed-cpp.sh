#!/usr/bin/env bash
# Installs the build, then configures, builds and runs examples/embed-cpp
# against the installation, as a user of the package would.
#   embed-cpp.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source=$1 build=$2
work=$build/embed-cpp
rm -rf "$work"
cmake --install "$build" --prefix "$work/prefix" >/dev/null
cmake -G Ninja -S "$source/examples/embed-cpp" -B "$work/build" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_C_COMPILER=/usr/bin/clang-22 -DCMAKE_CXX_COMPILER=/usr/bin/clang++-22 >/dev/null
cmake --build "$work/build"
"$work/build/prove-widths" | tee "$work/output"
# sum |w| * 15 = 480 for each sign mix: [-240, 240] is 9 bits, [0, 480] is 10
# from start 0 and 9 centred; 8 products of 7 bits are 4 + 4 + 4 - 1 + 1 bits by
# type.
diff "$work/output" - <<'WIDTHS'
datatype: 12 bits
a2q: 11 bits
a2q-plus: 10 bits
exact: 10 bits
centred: 9 bits
WIDTHS
rm -rf "$work"
