#!/usr/bin/env bash
# Builds the files of a release from the last commit twice and compares them
# byte for byte. The second build changes everything that must leave no trace:
# the folders of the sources, the home and cargo, the times of the sources, the
# time zone, locale, umask and number of jobs. Another machine with the same
# distribution and the same Rust gives the same bytes too.
#
#   scripts/reproduce.sh [x86_64] [aarch64]
#
# Takes twice as long as scripts/package.sh, with the same arguments and
# requirements. The files are in target/release-files afterwards.
set -euo pipefail

# shellcheck source=scripts/package/arguments.sh
source "$(dirname "$0")/package/arguments.sh"
cd "$(dirname "$0")/.."

target_dir=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export PACKAGE_TOOLS=$target_dir/package-tools
if [[ $(git status --porcelain) ]]; then
    echo "reproduce: uncommitted changes are left out" >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}

# copy PLACE: copies the sources of the last commit, and links cargo's packages under another path, because cargo embeds the
# path of its home in what it builds.
copy() {
    mkdir -p "$1/home" "$1/cargo"
    git clone --quiet . "$1/sources"
    ln -s "$cargo_home"/* "$1/cargo"
}

# pack PLACE ARGUMENT…: builds all files of a release into PLACE/files.
pack() {
    local place=$1
    shift
    env --unset=SOURCE_DATE_EPOCH HOME="$place/home" CARGO_HOME="$place/cargo" CARGO_TARGET_DIR="$place/target" \
        RELEASE_FILES="$place/files" "$place/sources/scripts/package.sh" "$@"
}

first=$work/one
second=$work/another/place/with/a/longer/name
locale=$(locale -a | grep -vxE 'C|POSIX' | head -n 1)
copy "$first"
(umask 022 && LC_ALL=C TZ=UTC0 CARGO_BUILD_JOBS=2 pack "$first" "$@")
(
    umask 077
    copy "$second"
    find "$second/sources" -exec touch --no-dereference --date=2001-02-03 {} +
    LC_ALL=$locale TZ=KAT-5:45 CARGO_BUILD_JOBS=3 pack "$second" "$@"
)
first=$first/files
second=$second/files

different=0
for file in "$first"/*; do
    cmp "$file" "$second/${file##*/}" || different=1
done
if ((different)) || [[ $(ls "$first") != "$(ls "$second")" ]]; then
    echo "reproduce: the two builds differ" >&2
    exit 1
fi

rm -rf "$target_dir/release-files"
mkdir -p "$target_dir"
mv "$first" "$target_dir/release-files"
echo "both builds are identical, byte for byte: $target_dir/release-files"
