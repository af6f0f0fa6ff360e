#!/usr/bin/env bash
# The vendors' own clients, unmodified, against a daemon and a simulated carrier.
# They are Python packages; they go into a folder of the build's.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv="${CARGO_TARGET_DIR:-target}/peers-venv"
if [ ! -x "$venv/bin/callingbox" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/peers/requirements.txt
fi
SWITCHBACK_PYTHON="$(cd "$venv" && pwd)/bin/python" \
    cargo test --locked --test simulator peers -- --ignored
