#!/usr/bin/env bash
# Prints the tools that built a binary: with the same versions of all of them, a build gives the same bytes.
#
#   scripts/package/buildinfo.sh ARCH
#
# $SOURCE_DATE_EPOCH is the build time that is embedded in the binary.
set -euo pipefail
cd "$(dirname "$0")/../.."

compiler=cc
[[ $1 == "$(uname -m)" ]] || compiler=$1-linux-gnu-gcc

first() {
    "$@" 2>/dev/null | head -n 1
}

echo "commit: $(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)"
echo "time: ${SOURCE_DATE_EPOCH:-unknown}"
echo "target: $1-unknown-linux-gnu"
rustc -vV | sed -n 's/^rustc /rustc: /p; s/^LLVM version/LLVM/p'
echo "C compiler: $(first "$compiler" --version)"
echo "binutils: $(first "$("$compiler" -print-prog-name=strip)" --version)"
echo "C library: $(first ldd --version)"
echo "system: $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)"
