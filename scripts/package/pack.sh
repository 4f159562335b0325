#!/usr/bin/env bash
# Packs a built agent, as scripts/package.sh does for each architecture: apim-probe-ARCH.tar.xz, .deb and .rpm.
#
#   scripts/package/pack.sh BINARY ARCH THIRD_PARTY FOLDER
#
# BINARY is packed as it is and need not run here; the man pages and completions are printed by $APIM_PROBE, by default
# BINARY, which must run here. THIRD_PARTY is the file with all licences. Needs ar (binutils), xz, dpkg-deb
# (dpkg) and rpmbuild (rpm).
#
# Equal input gives identical packages: every timestamp is SOURCE_DATE_EPOCH, by default the time of the last commit.
set -euo pipefail

if (($# != 4)); then
    echo "usage: scripts/package/pack.sh BINARY x86_64|aarch64 THIRD_PARTY FOLDER" >&2
    exit 2
fi
binary=$(realpath "$1")
arch=$2
third_party=$(realpath "$3")
mkdir -p "$4"
folder=$(realpath "$4")
generator=$(realpath "${APIM_PROBE:-$binary}")
cd "$(dirname "$0")/../.."

case $arch in
    x86_64) debian=amd64 ;;
    aarch64) debian=arm64 ;;
    *) echo "pack: $arch is none of x86_64, aarch64" >&2 && exit 2 ;;
esac
for program in ar xz dpkg-deb rpmbuild; do
    if ! command -v "$program" >/dev/null; then
        echo "pack: $program is missing: apt-get install binutils xz-utils dpkg rpm" >&2
        exit 1
    fi
done

# Prints a field of [workspace.package] or [package] in Cargo.toml.
field() {
    sed -n "s/^$1 = \"\(.*\)\"$/\1/p" Cargo.toml | head -n 1
}

# A release candidate sorts before its release: 0.1.0-rc.1 is 0.1.0~rc.1 in packages.
version=$(field version | tr - '~')
repository=$(field repository)
synopsis="Probes the outbound dependencies of Azure API Management"
description=$(field description | fold --spaces --width=78 | sed 's/ *$//')
owner=${repository#https://github.com/}
maintainer="apim-probe maintainers <${owner%%/*}@users.noreply.github.com>"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH LC_ALL=C
# A lower level packs faster but larger, for tests.
level=${XZ_LEVEL:-9}
# The unit of `serve`; nothing enables or starts it.
unit=deploy/systemd/apim-probe.service

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

# put FILE PLACE [MODE]: copies FILE, or stdin if it is -, to PLACE below $root.
put() {
    mkdir -p "$(dirname "$root/$2")"
    if [[ $1 == - ]]; then cat >"$root/$2"; else cp "$1" "$root/$2"; fi
    chmod "${3:-644}" "$root/$2"
}

# Prints the unit with the paths of an installed package.
packaged_unit() {
    sed 's|^# /etc/systemd/system/|# /usr/lib/systemd/system/|; s|/usr/local/bin/apim-probe|/usr/bin/apim-probe|' "$unit"
}

# Runs the agent in an empty environment, which cannot change what it prints.
agent() {
    env -i LC_ALL=C "$generator" "$@"
}

# Prints the names of the agent's commands.
commands() {
    agent --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' | grep -v '^help$'
}

documents=$work/documents
mkdir -p "$documents/man" "$documents/completions"
agent man >"$documents/man/apim-probe.1"
for command in $(commands); do
    agent man "$command" >"$documents/man/apim-probe-$command.1"
done
agent completions bash >"$documents/completions/apim-probe.bash"
agent completions fish >"$documents/completions/apim-probe.fish"
agent completions zsh >"$documents/completions/_apim-probe"

# Compresses with xz. The x86 filter makes machine code a tenth smaller, and every xz can read it; only new versions
# can read the ARM filter.
compressed() {
    local filters=(--lzma2=preset="$level")
    [[ $arch != x86_64 ]] || filters=(--x86 "${filters[@]}")
    xz --threads=1 --check=crc32 "${filters[@]}"
}

# archived FOLDER PATH…: prints a tar archive in which root owns everything.
archived() {
    tar --sort=name --owner=0 --group=0 --numeric-owner --format=ustar --directory "$1" --create "${@:2}"
}

# Sets every file's time to the same value, so that builds stay identical.
settle() {
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

tarball() {
    root=$work/tar/apim-probe
    put "$binary" apim-probe 755
    local file
    for file in "$documents"/man/* "$documents"/completions/*; do
        put "$file" "${file#"$documents/"}"
    done
    for file in LICENSE-APACHE LICENSE-MIT; do
        put "$file" "$file"
    done
    put "$third_party" THIRD-PARTY.txt
    # Scripts for the machine with the Azure CLI.
    for file in collect.ps1 collect.sh managed-run.sh throwaway-vm.sh vm-application.sh; do
        put "scripts/$file" "scripts/$file" 755
    done
    if [[ -e $unit ]]; then put "$unit" "${unit##*/}"; fi
    settle "$work/tar"
    archived "$work/tar" apim-probe | compressed >"$folder/apim-probe-$arch.tar.xz"
}

# Installs what both packages contain below $root. Debian and RPM distributions use different folders for zsh's completions.
installed() {
    local zsh=$1
    put "$binary" usr/bin/apim-probe 755
    put "$documents/completions/apim-probe.bash" usr/share/bash-completion/completions/apim-probe
    put "$documents/completions/apim-probe.fish" usr/share/fish/vendor_completions.d/apim-probe.fish
    put "$documents/completions/_apim-probe" "usr/share/zsh/$zsh/_apim-probe"
    if [[ -e $unit ]]; then packaged_unit | put - "usr/lib/systemd/system/${unit##*/}"; fi
}

deb() {
    root=$work/deb
    installed vendor-completions
    local page
    for page in "$documents"/man/*; do
        gzip -9 --no-name <"$page" | put - "usr/share/man/man1/${page##*/}.gz"
    done
    scripts/package/copyright.sh | put - usr/share/doc/apim-probe/copyright
    gzip -9 --no-name <"$third_party" | put - usr/share/doc/apim-probe/THIRD-PARTY.txt.gz
    gzip -9 --no-name <<END | put - usr/share/doc/apim-probe/changelog.gz
apim-probe ($version) stable; urgency=medium

  * What has changed: CHANGELOG.md in $repository

 -- $maintainer  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
END
    local size
    size=$(du --summarize --apparent-size --block-size=1K "$root" | cut -f1)
    settle "$root"
    mkdir "$work/ar"
    archived "$root" ./usr | compressed >"$work/ar/data.tar.xz"
    root=$work/control
    put - control <<END
Package: apim-probe
Version: $version
Architecture: $debian
Maintainer: $maintainer
Installed-Size: $size
Section: net
Priority: optional
Homepage: $repository
Description: $synopsis
$(printf '%s.\n' "$description" | sed 's/^/ /')
END
    settle "$root"
    archived "$root" ./control | xz >"$work/ar/control.tar.xz"
    # As dpkg-deb --build does, which has no option for the xz filter. dpkg-deb --contents checks the result.
    echo 2.0 >"$work/ar/debian-binary"
    rm -f "$folder/apim-probe-$arch.deb"
    (cd "$work/ar" && ar rcD "$folder/apim-probe-$arch.deb" debian-binary control.tar.xz data.tar.xz)
    dpkg-deb --contents "$folder/apim-probe-$arch.deb" >/dev/null
}

rpm() {
    root=$work/rpm/root
    installed site-functions
    # Not compressed: the package compresses all pages together, to a third of their size if compressed separately.
    local file
    for file in "$documents"/man/*; do
        put "$file" "usr/share/man/man1/${file##*/}"
    done
    for file in LICENSE-APACHE LICENSE-MIT; do
        put "$file" "usr/share/licenses/apim-probe/$file"
    done
    put "$third_party" usr/share/licenses/apim-probe/THIRD-PARTY.txt
    settle "$root"
    # The package owns its folders, except those that the distribution's own packages own.
    (
        cd "$root"
        find . -type f | sed 's/^\.//'
        find usr/share -mindepth 1 -type d ! -path 'usr/share/man*' ! -path usr/share/licenses | sed 's/^/%dir \//'
    ) | sort >"$work/rpm/files"
    printf '%s.\n' "$description" >"$work/rpm/description"
    # Without rpm's post-processing: no stripping, no search for dependencies, no build-id links.
    rpmbuild -bb --quiet --target "$arch-linux" --buildroot "$work/rpm/buildroot" \
        --define "_topdir $work/rpm" --define "_rpmdir $work/rpm" --define "_rpmfilename apim-probe.rpm" \
        --define "version_ $version" --define "url_ $repository" --define "summary_ $synopsis" \
        --define "description_ $work/rpm/description" --define "root_ $root" --define "files_ $work/rpm/files" \
        --define "level_ $level" --define "packager_ $maintainer" scripts/package/apim-probe.spec
    mv "$work/rpm/apim-probe.rpm" "$folder/apim-probe-$arch.rpm"
}

tarball
deb
rpm
