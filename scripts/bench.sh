#!/usr/bin/env bash
# Measures the static binary against its budgets, in the lab; arguments pick measurements: scripts/bench.sh healthy
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build-static.sh
APIM_PROBE=$(realpath "${CARGO_TARGET_DIR:-target}/apim-probe") cargo bench --bench budgets -- "$@"
