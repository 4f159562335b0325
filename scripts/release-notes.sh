#!/usr/bin/env bash
# Prints the section of CHANGELOG.md about a version, for its release notes. A
# release candidate (X.Y.Z-rc.1) without its own section gets the unreleased
# one.
#
#   scripts/release-notes.sh X.Y.Z
set -euo pipefail

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

if [[ ${1:-} == --help ]]; then
    usage
    exit
fi
if (($# != 1)) || [[ $1 == -* ]]; then
    echo "release-notes: expected one version, X.Y.Z, not ${*:-nothing} (see --help)" >&2
    exit 2
fi
cd "$(dirname "$0")/.."

part() {
    awk -v head="## [$1]" 'index($0, "## [") == 1 { inside = index($0, head) == 1; next } inside' CHANGELOG.md
}

notes=$(part "$1")
if [[ -z ${notes//[[:space:]]/} && $1 == *-* ]]; then
    notes=$(part Unreleased)
fi
if [[ -z ${notes//[[:space:]]/} ]]; then
    echo "release-notes: CHANGELOG.md has no section for $1" >&2
    exit 1
fi
sed '/./,$!d' <<<"$notes"
