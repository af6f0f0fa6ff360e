#!/usr/bin/env python3
"""A daemon that mirrors another's hosted API, and prints as JSON how soon it knows what changed
there, and how it answers while that one is away.

    benches/performance/mirror.py [--changes N] [--restarts N] [--rate N] [--binary FILE]

First numbers are given to an agent at the source, one after the other, and called at both: at the
source as soon as the write is answered, at the mirror until the call is answered as at the source.
Then the source is killed, and the mirror restarted again and again under signed webhooks. Those
count as failed that are not answered, or otherwise than at the last sync.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "benches" / "common"))

import installation

# The shortest that may be configured.
INTERVAL = "1s"
SAID = "This is the front office"
FIRST = 12_125_560_000
CALLER = "+14155550199"
# A change that nobody knows of by then will never be known.
KNOWN_WITHIN = 30
# Between two restarts.
UP = 0.5


def upstream(source: installation.Daemon) -> str:
    return f"""
        [[upstream]]
        kind = "talkover"
        name = "source"
        base_url = "http://127.0.0.1:{source.control}"
        key = "{installation.KEY}"
        interval = "{INTERVAL}"
        carrier_account = "main"
        """


def called(daemon: installation.Daemon, to: str) -> bool:
    """Whether a call to the number is answered by the front office."""
    form = {"AccountSid": installation.ACCOUNT_SID, "ApiVersion": "2010-04-01",
            "CallSid": f"CA{time.time_ns():032x}", "CallStatus": "ringing",
            "Direction": "inbound", "From": CALLER, "To": to}
    path = "/carriers/main/voice"
    signed = installation.PUBLIC_URL + path + "".join(name + form[name] for name in sorted(form))
    proof = hmac.new(installation.TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
    link = http.client.HTTPConnection("127.0.0.1", daemon.edge, timeout=10)
    link.request("POST", path, urllib.parse.urlencode(form), {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": base64.b64encode(proof).decode(),
    })
    answer = link.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"a call is answered with {answer.status}: {said[:300]!r}")
    return SAID.encode() in said


def changes(source: installation.Daemon, mirror: installation.Daemon, count: int) -> dict:
    """How long after the write's answer each is known at the mirror; how many calls at the source
    were answered as before the write."""
    office = {"name": "Front office", "type": "inbound", "number_ids": [],
              "targets": [f"say:{SAID}"]}
    agent = source.ask("POST", "/v1/agents", office)["id"]
    has_target = False
    waited, stale = [], 0
    for place in range(count + 1):
        e164 = f"+{FIRST + place}"
        number = source.ask("POST", "/switchback/v1/numbers", {"e164": e164, "account": "main"})
        # So that changes come at any time between two pulls.
        time.sleep(0.37 * (place % 5))
        source.ask("POST", f"/v1/agents/{agent}/numbers", {"number_id": number["id"]})
        answered = time.monotonic()
        stale += not called(source, e164)
        while not has_target:
            # Who runs an agent is not the hosted API's to say.
            try:
                mirror.ask("PATCH", f"/v1/agents/{agent}", {"targets": [f"say:{SAID}"]})
                has_target = True
            except RuntimeError:
                time.sleep(0.1)
        while not called(mirror, e164):
            if time.monotonic() - answered > KNOWN_WITHIN:
                raise RuntimeError(f"{e164} was not known after {KNOWN_WITHIN} s")
            time.sleep(0.002)
        # The first waits for a target as well.
        if place > 0:
            waited.append(time.monotonic() - answered)
        print(f"change {place} of {count}", file=sys.stderr, flush=True)
    waited.sort()
    at = lambda share: round(waited[min(int(share * len(waited)), len(waited) - 1)] * 1000)
    return {"changes": count, "interval": INTERVAL, "stale_at_source": stale,
            "seen_ms_p50": at(0.5), "seen_ms_p999": at(0.999)}


def without_source(mirror: installation.Daemon, restarts: int, rate: int) -> dict:
    print(f"{restarts} restarts without the source", file=sys.stderr, flush=True)
    load = mirror.loaded(f"+{FIRST}", SAID, rate)
    _, told = mirror.restarted(load, restarts, UP)
    return {"restarts": restarts, "rate": rate, "sent": told["sent"],
            "answered": told["answered"], "failed": told["failed"], "errors": told["errors"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--restarts", type=int, default=50)
    parser.add_argument("--rate", type=int, default=1000, help="webhooks a second")
    parser.add_argument("--binary", type=Path, help="the daemon; without it, built here")
    asked = parser.parse_args()
    binary = (asked.binary or installation.built()).resolve()
    with tempfile.TemporaryDirectory(prefix="switchback-mirror-") as folder:
        folders = [Path(folder) / name for name in ("source", "mirror")]
        for each in folders:
            each.mkdir()
        source = installation.Daemon(binary, folders[0])
        mirror = installation.Daemon(binary, folders[1], upstream(source))
        try:
            source.start()
            mirror.start()
            seen = changes(source, mirror, asked.changes)
            source.close()
            away = without_source(mirror, asked.restarts, asked.rate)
        finally:
            source.close()
            mirror.close()
    print(json.dumps({"bench": "mirror", **seen, "away": away}))


if __name__ == "__main__":
    main()
