#!/usr/bin/env bash
# Measures the static binary against its budgets, in the lab. Arguments select
# measurements; without any, all run except those that take minutes
# (CONTRIBUTING.md, "The benchmark"):
#
#   scripts/bench.sh [MEASUREMENT…]
set -euo pipefail

case ${1:-} in
    --help)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
        exit
        ;;
    -*)
        echo "bench: expected names of measurements, not $1 (see --help)" >&2
        exit 2
        ;;
esac
cd "$(dirname "$0")/.."

scripts/build-static.sh
APIM_PROBE=$(realpath "${CARGO_TARGET_DIR:-target}/apim-probe") cargo bench --bench budgets -- "$@"
