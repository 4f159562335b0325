#!/usr/bin/env bash
# Fails if a binary contains a library that THIRD_PARTY, the file with all licences, does not list or has no licence for.
#
#   scripts/package/licensed.sh BINARY THIRD_PARTY
set -euo pipefail
export LC_ALL=C

# The name and version of each library that is listed with a licence and with its texts.
named=$(awk '/^[^ ]+ [^ ]+  / { name = $1 " " $2; next } /^    ./ && name { if (++lines == 2) { print name; name = ""; lines = 0 } next }
    { name = ""; lines = 0 }' "$2")
built_in=$("$(dirname "$0")/dependencies.sh" "$1" | grep -v '^apim-probe ')
missing=$(comm -23 <(sort <<<"$built_in") <(sort <<<"$named"))
if [[ $missing ]]; then
    printf 'licensed: %s holds what has no licence in %s:\n%s\n' "$1" "$2" "$missing" >&2
    exit 1
fi
echo "$(wc -l <<<"$built_in") libraries, each with its licence"
