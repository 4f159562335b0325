#!/usr/bin/env bash
# Builds the agent as one static, stripped file that runs on any Linux of this architecture, and checks that it is one:
# no interpreter, no shared library, at most 12 MB, and up within 10 ms. Needs readelf and strip (binutils), which come
# with every C compiler. That nothing asks the system's resolver is for the tests to show, who watch what is opened: the
# HTTP client holds a way to it that no request takes.
set -euo pipefail
cd "$(dirname "$0")/.."

max_bytes=12000000
max_start_us=10000

fail() {
    echo "build-static: $*" >&2
    exit 1
}

target=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-target}
built=$target_dir/$target/dist/apim-probe

# The explicit target keeps the flags away from build scripts and macros. Paths of the building machine are cut from
# panic messages.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$cargo_home/registry/src= --remap-path-prefix=$PWD=" \
    cargo build --locked --profile dist --target "$target" --package apim-probe

out=$target_dir/apim-probe
# The linker leaves the symbols of the C library.
strip --strip-all -o "$out" "$built"

if readelf --program-headers --dynamic --wide "$out" | grep -cE 'INTERP|NEEDED' >/dev/null; then
    fail "$out asks for an interpreter or for shared libraries: it is not static"
fi

bytes=$(stat -c %s "$out")
((bytes <= max_bytes)) || fail "$out has $bytes bytes; $max_bytes are allowed"

# The best of twenty: anything slower is the machine's doing.
best=1000000
for _ in {1..20}; do
    begin=${EPOCHREALTIME/[.,]/}
    "$out" --version >/dev/null
    end=${EPOCHREALTIME/[.,]/}
    took=$((end - begin))
    best=$((took < best ? took : best))
done
((best <= max_start_us)) || fail "$out takes $best µs to start; $max_start_us are allowed"

printf '%s: static, %d.%02d MB, starts in %d.%d ms\n' \
    "$out" $((bytes / 1000000)) $((bytes % 1000000 / 10000)) $((best / 1000)) $((best % 1000 / 100))
