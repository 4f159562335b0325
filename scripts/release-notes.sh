#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version, for the notes of its release.
#
#   scripts/release-notes.sh X.Y.Z
set -euo pipefail
cd "$(dirname "$0")/.."

if (($# != 1)); then
    echo "usage: scripts/release-notes.sh X.Y.Z" >&2
    exit 2
fi
notes=$(awk -v head="## [$1]" 'index($0, "## [") == 1 { inside = index($0, head) == 1; next } inside' CHANGELOG.md)
if [[ -z ${notes//[[:space:]]/} ]]; then
    echo "release-notes: CHANGELOG.md says nothing of $1" >&2
    exit 1
fi
sed '/./,$!d' <<<"$notes"
