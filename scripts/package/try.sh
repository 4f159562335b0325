#!/bin/sh
# Installs the package for this distribution, runs the agent, and removes the package again: as root, in a clean container.
# Needs no network.
#
#   sh try.sh FOLDER [deb|rpm]
#
# FOLDER has the files of a release for this machine's architecture.
set -eu
kind=rpm
if command -v dpkg >/dev/null; then kind=deb; fi
kind=${2:-$kind}
package=$1/apim-probe-$(uname -m)

# Lists all files in these folders, which exclude the package manager's own database.
files() {
    find /usr /etc /opt -xdev \( -type f -o -type l \) | sort
}

before=$(files)
case $kind in
    deb) dpkg --install "$package.deb" ;;
    rpm) rpm --install "$package.rpm" ;;
esac
apim-probe --version
apim-probe explain tcp-timeout >/dev/null
case $kind in
    deb) dpkg --purge apim-probe ;;
    rpm) rpm --erase apim-probe ;;
esac
if [ "$(files)" != "$before" ]; then
    echo "try: the package has left something behind, or taken something away" >&2
    exit 1
fi

mkdir /tmp/unpacked
if command -v xz >/dev/null; then
    tar -xJf "$package.tar.xz" -C /tmp/unpacked
    /tmp/unpacked/apim-probe/apim-probe --version
else
    echo "try: no xz in this image, so the archive was left out"
fi
