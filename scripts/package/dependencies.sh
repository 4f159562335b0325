#!/usr/bin/env bash
# Prints the crates that are linked into a binary, one `name version` per line. `cargo auditable` embeds the list as JSON,
# compressed with zlib, in the section .dep-v0.
#
#   scripts/package/dependencies.sh BINARY
#
# Needs readelf (binutils), gzip and jq.
set -euo pipefail
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# readelf supports every architecture.
read -r offset size < <(readelf --sections --wide "$1" |
    sed -nE 's/^ *\[ *[0-9]+\] \.dep-v0 +[A-Z]+ +[0-9a-f]+ +([0-9a-f]+) +([0-9a-f]+) .*/\1 \2/p') || true
if [[ -z ${offset:-} ]]; then
    echo "dependencies: $1 does not say what it is made of" >&2
    exit 1
fi
tail -c +$((16#$offset + 1)) "$1" | head -c $((16#$size)) >"$work/list" || true

# zlib and gzip contain the same deflate stream: after eight bytes of a gzip header, zlib's two header bytes complete it. Only
# gzip's checksum at the end is missing, so its error is ignored.
{ printf '\x1f\x8b\x08\0\0\0\0\0' && cat "$work/list"; } | gzip --decompress 2>/dev/null >"$work/list.json" || true
jq --raw-output '.packages[] | select((.kind // "runtime") == "runtime") | .name + " " + .version' "$work/list.json" | sort --unique
