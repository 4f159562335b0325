#!/usr/bin/env bash
# Builds the agent as one static, stripped file that runs on any Linux of its
# architecture, and checks it: no interpreter, no shared library, at most 11 MB,
# and started within 10 ms if it runs here. The tests check that nothing calls
# the system's resolver: the HTTP client contains code for it that no request
# uses.
#
#   scripts/build-static.sh [--auditable] [x86_64|aarch64]
#
# Needs readelf and strip (binutils), which come with every C compiler. The
# default is this machine's architecture; the other one needs its cross compiler
# and Rust's standard library for it. On Debian or Ubuntu:
#
#   apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross
#   rustup target add aarch64-unknown-linux-gnu
#
# --auditable embeds the list of dependencies in the file; it needs
# cargo-auditable.
set -euo pipefail

max_bytes=11000000
max_start_us=10000

fail() {
    echo "build-static: $*" >&2
    exit 1
}

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

build=(cargo)
architecture=''
for argument in "$@"; do
    case $argument in
        --auditable) build+=(auditable) ;;
        --help) usage && exit ;;
        x86_64 | aarch64) architecture=$argument ;;
        *)
            echo "build-static: expected --auditable, x86_64 or aarch64, not $argument (see --help)" >&2
            exit 2
            ;;
    esac
done
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
target=${architecture:-${host%%-*}}-unknown-linux-gnu
target_dir=${CARGO_TARGET_DIR:-target}
built=$target_dir/$target/dist/apim-probe
out=$target_dir/apim-probe

compiler=cc
if [[ ${target%%-*} != "${host%%-*}" ]]; then
    out+=-${target%%-*}
    compiler=${target%%-*}-linux-gnu-gcc
    linker=CARGO_TARGET_${target^^}_LINKER
    linker=${linker//-/_}
    export "$linker=${!linker:-$compiler}"
    compiler=${!linker}
    command -v "$compiler" >/dev/null || fail "$compiler is missing: --help says how to get it"
fi

# mimalloc embeds its build time. The compiler takes it from this variable, which makes two builds of a commit identical
# byte for byte. cargo does not track the variable: another value needs a clean target directory.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# With an explicit target, the flags do not apply to build scripts and procedural macros. --remap-path-prefix removes this
# machine's paths from panic messages. Packed relocations of the position-independent file take a tenth of the space.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
flags=(-C target-feature=+crt-static -C "link-arg=-Wl,-z,pack-relative-relocs"
    "--remap-path-prefix=$cargo_home/registry/src=" "--remap-path-prefix=$PWD=")

# LLD merges functions with identical code, which saves 70 kB. rustc uses LLD for x86_64 since 1.90; GNU ld does not
# support the option.
fold=(-C "link-arg=-Wl,--icf=all")
probe=$(mktemp)
if rustc --target "$target" -C linker="$compiler" "${fold[@]}" -o "$probe" - <<<'fn main() {}' 2>/dev/null; then
    flags+=("${fold[@]}")
fi
rm "$probe"
RUSTFLAGS=${flags[*]} "${build[@]}" build --locked --profile dist --target "$target" --package apim-probe

# Strips $out even with CARGO_PROFILE_DIST_STRIP=none, which leaves the symbols in $built for a profiler.
"$("$compiler" -print-prog-name=strip)" --strip-all -o "$out" "$built"

if readelf --program-headers --dynamic --wide "$out" | grep -cE 'INTERP|NEEDED' >/dev/null; then
    fail "$out needs an interpreter or shared libraries: it is not static"
fi

bytes=$(stat -c %s "$out")
((bytes <= max_bytes)) || fail "$out has $bytes bytes; $max_bytes are allowed"
size=$(printf '%d.%02d MB' $((bytes / 1000000)) $((bytes % 1000000 / 10000)))

if [[ ${target%%-*} != "${host%%-*}" ]]; then
    echo "$out: static, $size; built for another architecture, so it was not started"
    exit
fi

# The fastest of twenty starts: slower ones measure the machine's load.
best=1000000
for _ in {1..20}; do
    begin=${EPOCHREALTIME/[.,]/}
    "$out" --version >/dev/null
    end=${EPOCHREALTIME/[.,]/}
    took=$((end - begin))
    best=$((took < best ? took : best))
done
((best <= max_start_us)) || fail "$out takes $best µs to start; $max_start_us are allowed"

printf '%s: static, %s, starts in %d.%d ms\n' "$out" "$size" $((best / 1000)) $((best % 1000 / 100))
