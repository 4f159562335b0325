#!/usr/bin/env bash
# Builds the agent as one static, stripped file that runs on any Linux of this architecture, and checks that it is one:
# no interpreter, no shared library, no getaddrinfo, at most 10 MB, and up within 10 ms. Needs readelf, nm and strip
# (binutils), which come with every C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

max_bytes=10000000
max_start_us=10000

fail() {
    echo "build-static: $*" >&2
    exit 1
}

target=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-target}
built=$target_dir/$target/dist/apim-probe

# The explicit target keeps the flags away from build scripts and macros. Paths of the building machine are cut from
# panic messages. Symbols stay until they have been looked at.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$cargo_home/registry/src= --remap-path-prefix=$PWD=" \
    CARGO_PROFILE_DIST_STRIP=none \
    cargo build --locked --profile dist --target "$target" --package apim-probe

# A static program that asks the system's resolver loads shared libraries behind everybody's back, and may crash.
if nm "$built" | grep -cw getaddrinfo >/dev/null; then
    fail "$built contains getaddrinfo: some library brought the system's resolver along"
fi

out=$target_dir/apim-probe
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

printf '%s: static, %d.%02d MB, starts in %d.%d ms, without getaddrinfo\n' \
    "$out" $((bytes / 1000000)) $((bytes % 1000000 / 10000)) $((best / 1000)) $((best % 1000 / 100))
