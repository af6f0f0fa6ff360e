#!/usr/bin/env bash
# Vendors' own packages, unmodified, against a daemon: a control API's client, the carriers' libraries, and a runtime.
# They are Python packages; they go into folders of the build's. Arguments name the peers to run, such as `twilio`;
# without any, all of them. Needs Python 3.11, and a network where the packages are not installed yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
target="${CARGO_TARGET_DIR:-target}"
export PYTHONDONTWRITEBYTECODE=1

# A folder of packages as the file says, made anew where it says otherwise.
packages() {
    local venv=$1 requirements=$2
    cmp -s "$requirements" "$venv/requirements.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv"
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"; then
        echo "peers: the packages of $requirements cannot be installed: is there a network?" >&2
        exit 1
    fi
    cp "$requirements" "$venv/requirements.txt"
}

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "peers: Python 3.11 or newer is needed, and this is $(python3 --version)" >&2
    exit 1
fi
packages "$target/peers-venv" tests/peers/requirements.txt
packages "$target/peers-signalwire-venv" tests/peers/requirements-signalwire.txt
target=$(cd "$target" && pwd)
cargo build --locked

failed=0
# A peer, with the packages it needs.
peer() {
    local python="$target/peers-venv/bin/python"
    [ "$1" = signalwire ] && python="$target/peers-signalwire-venv/bin/python"
    (cd tests && "$python" -m peers --binary "$target/debug/switchback" "$1") || failed=1
}

if [ $# -eq 0 ]; then
    SWITCHBACK_PYTHON="$target/peers-venv/bin/python" \
        cargo test --locked --test simulator peers -- --ignored || failed=1
    set -- twilio telnyx plivo vonage bandwidth signalwire pipecat link
fi
for name in "$@"; do peer "$name"; done
[ $failed -eq 0 ] || echo "peers: something failed, see above" >&2
exit $failed
