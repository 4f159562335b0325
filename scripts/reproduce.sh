#!/usr/bin/env bash
# Makes the files of a release from the last commit twice, in different folders, with different homes of cargo, and compares
# them byte for byte. Whoever has another machine of the same distribution, with the same Rust, gets the same bytes too.
#
#   scripts/reproduce.sh [x86_64] [aarch64]
#
# Takes twice as long as scripts/package.sh, whose arguments and needs it has. The files are in target/release-files after it.
set -euo pipefail
cd "$(dirname "$0")/.."

target_dir=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export PACKAGE_TOOLS=$target_dir/package-tools
if [[ $(git status --porcelain) ]]; then
    echo "reproduce: what is not committed is left out" >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

places=("$work/one" "$work/another/place/with/a/longer/name")
for place in "${places[@]}"; do
    git clone --quiet . "$place/sources"
done
for place in "${places[@]}"; do
    # The same packages under another name, as cargo writes its home into what it builds.
    mkdir "$place/cargo"
    ln -s "$cargo_home"/* "$place/cargo"
    CARGO_HOME=$place/cargo CARGO_TARGET_DIR=$place/target RELEASE_FILES=$place/files "$place/sources/scripts/package.sh" "$@"
done
first=${places[0]}/files
second=${places[1]}/files

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
echo "both builds are the same, byte for byte: $target_dir/release-files"
