#!/usr/bin/env bash
# Prints the licences of the libraries in the agent: a list of the libraries, then each distinct licence text once. deny.toml
# defines which licences are allowed. Needs jq.
#
#   scripts/package/third-party.sh ARCH… > THIRD-PARTY.txt
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The agent's dependencies, except those of tests and build scripts, with all features that the workspace enables: the same list
# that `cargo auditable` embeds. It has a few more than are linked, which does no harm.
for arch in "$@"; do
    cargo metadata --locked --format-version 1 --filter-platform "$arch-unknown-linux-gnu" | jq --raw-output '
        (.resolve.nodes | map({key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | .pkg]}) | from_entries) as $needs
        | ([.packages[] | select(.name == "apim-probe") | .id]
            | until((. + map($needs[.][]) | unique) == .; . + map($needs[.][]) | unique)) as $built_in
        | .packages[] | select(.id | IN($built_in[])) | select(.name != "apim-probe")
        | [.name + " " + .version, .license // "see its text", .repository // "-", .manifest_path,
            (.authors | join(", ") | select(. != "") // "its contributors")] | @tsv'
done | sort --unique >"$work/libraries"
[[ -s $work/libraries ]] || exit 1

cat <<'END'
apim-probe contains the libraries below, each under its own licence. Their licence texts follow, by number.

It also contains Rust's standard library (https://www.rust-lang.org, MIT OR Apache-2.0), and parts of the GNU C
Library (https://www.gnu.org/software/libc/) under the GNU Lesser General Public License, version 2.1 or later:
https://www.gnu.org/licenses/old-licenses/lgpl-2.1.txt. To use another version of it, rebuild the program from the
sources with scripts/build-static.sh on a machine with that version.

END

# If a crate contains no licence text, the standard text applies, with the authors that the crate names.
declare -A number
texts=()
while IFS=$'\t' read -r name licence repository manifest authors; do
    numbers=()
    while IFS= read -r file; do
        sum=$(tr -d '[:space:]' <"$file" | sha256sum)
        if [[ ! -v number[$sum] ]]; then
            texts+=("$file")
            number[$sum]=${#texts[@]}
        fi
        if [[ " ${numbers[*]} " != *" ${number[$sum]} "* ]]; then numbers+=("${number[$sum]}"); fi
    done < <(find "${manifest%/*}" -type f -size -200k ! -path '*/tests/*' ! -path '*/fuzz/*' ! -name '*.rs' ! -name '*.html' \
        \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'copyright*' \) | sort)
    if ((${#numbers[@]} == 0)); then
        numbers=("the standard text, https://spdx.org/licenses/; by $authors")
    fi
    printf '%s  %s\n    %s\n    %s\n' "$name" "$repository" "$licence" "${numbers[*]}"
done <"$work/libraries"

for index in "${!texts[@]}"; do
    printf '\n%s %d\n\n' '--------------------------------------------------------------------' $((index + 1))
    cat "${texts[index]}"
done
