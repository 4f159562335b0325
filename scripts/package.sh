#!/usr/bin/env bash
# Builds all files of a release in target/release-files (or $RELEASE_FILES):
#
#   apim-probe-ARCH.tar.xz     the static binary, man pages, completions,
#                              licences, scripts for the Azure CLI
#   apim-probe-ARCH.deb        the same as a package, for Debian and Ubuntu
#   apim-probe-ARCH.rpm        the same for Red Hat, SUSE, Azure Linux
#   apim-probe-ARCH.cdx.json   its components: a CycloneDX SBOM
#   apim-probe-ARCH.buildinfo  how it was built: commit, compilers, …
#   SHA256SUMS                 of all of them
#
#   scripts/package.sh [x86_64] [aarch64]
#
# The default is this machine's architecture. The names contain no version, so
# the URL of the newest release never changes. Runs on Debian or Ubuntu, with
# what scripts/build-static.sh needs (for the other architecture: its cross
# compiler) and the packages dpkg, jq, rpm and xz-utils. Missing Rust tools are
# built in target/package-tools.
#
# scripts/reproduce.sh checks that two builds of a commit are identical byte for
# byte.
set -euo pipefail

# shellcheck source=scripts/package/arguments.sh
source "$(dirname "$0")/package/arguments.sh"
cd "$(dirname "$0")/.."

max_package_bytes=4000000

fail() {
    echo "package: $*" >&2
    exit 1
}

for program in dpkg-deb jq rpmbuild xz; do
    command -v "$program" >/dev/null || fail "$program is missing: apt-get install dpkg jq rpm xz-utils"
done

target_dir=${CARGO_TARGET_DIR:-target}
folder=${RELEASE_FILES:-$target_dir/release-files}
host=$(rustc -vV | sed -n 's/^host: //p')
host=${host%%-*}
architectures=("${@:-$host}")
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH LC_ALL=C

release_rust=$(sed -n 's/^rust = "\(.*\)"$/\1/p' Cargo.toml)
rust=$(rustc -V | cut -d ' ' -f 2)
if [[ $rust != "$release_rust" ]]; then
    echo "package: this is Rust $rust; releases are built with $release_rust, so the files differ" >&2
fi

# tool NAME VERSION: installs exactly this version of a cargo command; $PATH finds it first.
tools=$(realpath --canonicalize-missing "${PACKAGE_TOOLS:-$target_dir/package-tools}")
export PATH=$tools/bin:$PATH
tool() {
    if ! grep -qsF "\"$1 $2 (" "$tools/.crates.toml"; then
        CARGO_TARGET_DIR=$tools/target cargo install --quiet --debug --locked --root "$tools" "$1@$2"
    fi
}
tool cargo-auditable 0.7.7
tool cargo-cyclonedx 0.5.9

# Writes the SBOM from cargo-cyclonedx's output, without this machine's paths, and with the serial number that attestations
# require, derived from the content.
sbom() {
    local serial
    cargo cyclonedx --quiet --format json --describe binaries --target "$1-unknown-linux-gnu" --spec-version 1.5 \
        --no-build-deps
    sed "s#path+file://$PWD##g" apim-probe_bin.cdx.json |
        jq '(.. | .purl? // empty) |= sub("[?]download_url=file://.*"; "")' >"$work/sbom.json"
    rm -f -- *_bin.cdx.json */*_bin.cdx.json
    serial=$(sha256sum "$work/sbom.json" | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-5\3-8\4-\5/')
    jq --arg serial "urn:uuid:$serial" '.serialNumber = $serial' "$work/sbom.json" >"$folder/apim-probe-$1.cdx.json"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$folder"
mkdir -p "$folder"

scripts/package/third-party.sh "${architectures[@]}" >"$work/THIRD-PARTY.txt"

for arch in "${architectures[@]}"; do
    scripts/build-static.sh --auditable "$arch"
    binary=$target_dir/apim-probe
    if [[ $arch != "$host" ]]; then
        binary+=-$arch
        # A binary for another architecture cannot run here to print its man pages; a build for this machine can.
        cargo build --locked --quiet --package apim-probe
        export APIM_PROBE=$target_dir/debug/apim-probe
    fi
    scripts/package/licensed.sh "$binary" "$work/THIRD-PARTY.txt"
    scripts/package/pack.sh "$binary" "$arch" "$work/THIRD-PARTY.txt" "$folder"
    unset APIM_PROBE
    sbom "$arch"
    scripts/package/buildinfo.sh "$arch" >"$folder/apim-probe-$arch.buildinfo"
done

for package in "$folder"/*.deb "$folder"/*.rpm; do
    bytes=$(stat -c %s "$package")
    ((bytes <= max_package_bytes)) || fail "$package has $bytes bytes; $max_package_bytes are allowed"
done

(cd "$folder" && sha256sum -- apim-probe-* >SHA256SUMS)
ls -l "$folder"
