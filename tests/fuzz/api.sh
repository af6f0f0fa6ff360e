#!/usr/bin/env bash
# Fuzzes the three APIs of a running daemon from their own document. Arguments are api.py's: --help tells.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${CARGO_TARGET_DIR:-$here/../../target}/fuzz-venv

if ! "$venv/bin/python" -c 'import schemathesis' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
fi
exec "$venv/bin/python" "$here/api.py" "$@"
