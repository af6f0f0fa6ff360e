#!/usr/bin/env bash
# Measures everything that docs/performance.md tells, and writes that page and its plots anew.
#
#   benches/performance/run.sh                 all of it: about two hours on two cores
#   benches/performance/run.sh --only decide   these measurements; the others stay as they were
#   benches/performance/run.sh --render        nothing is measured: the page from what is there
#
# What was measured is kept in docs/performance/figures.json. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${CARGO_TARGET_DIR:-target}/performance/venv"
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check -r benches/performance/requirements.txt
exec "$venv/bin/python" benches/performance "$@"
