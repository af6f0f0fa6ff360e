"""The vendor's published client and its command, unmodified, against a running daemon.

Called once for each act, with the daemon's URL and key in CALLINGBOX_BASE_URL and
CALLINGBOX_API_KEY; what the next act needs is printed as JSON on the last line. Whoever calls it
plays the carrier in between.
"""

import http.server
import json
import os
import subprocess
import sys
import threading

from callingbox import Callingbox
from callingbox._exceptions import APIError, AuthenticationError, BadRequestError, NotFoundError

client = Callingbox()


def refused(kind, act):
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def command(*args, code=0):
    """The vendor's command, with `--json`: what it prints."""
    exe = os.path.join(os.path.dirname(sys.executable), "callingbox")
    done = subprocess.run([exe, "--json", *args], capture_output=True, text=True)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout.strip() else None


def numbers():
    """Numbers: searched, bought, listed in both directions, answered by what they say."""
    offers = client.numbers.search_available(area_code="628", limit=4)
    assert len(offers) == 4 and offers[0].phone_number.startswith("+1628"), offers
    bought = [client.numbers.purchase(offer.phone_number) for offer in offers[:3]]
    command("numbers", "buy", offers[3].phone_number, "--yes")
    newest_first = [n.e164 for n in client.numbers.iter_numbers(limit=2)]
    assert newest_first == [o.phone_number for o in reversed(offers)], newest_first
    page = client.numbers.list(limit=2, ending_before=bought[0].id)
    assert page.has_more and page[1].id == bought[1].id, "closest to the cursor"
    before = list(client.numbers.iter_numbers(limit=1, ending_before=bought[0].id))
    assert [n.e164 for n in before] == newest_first[:3], before
    listed = command("numbers", "list", "--all")
    rows = listed if isinstance(listed, list) else listed["data"]
    assert [row["e164"] for row in rows] == newest_first, listed
    assert len(command("numbers", "search", "--area-code", "628", "--limit", "2")) == 2
    refused(BadRequestError, lambda: client.numbers.purchase("+16285559999"))
    refused(AuthenticationError, lambda: Callingbox(api_key="sk_wrong").numbers.list())

    number = client.numbers.update_inbound_config(
        bought[0].id, enabled=True, prompt="Take a message.", returns={"name": "string"},
        webhook_url=None, language="en", tools=None, voicemail_action="hangup")
    assert number.inbound_enabled and number.inbound_prompt == "Take a message."
    assert number.inbound_returns == {"name": "string"} and number.inbound_language == "en"
    return {"number": number.e164}


def call(to):
    """A call that names no agent, told to an endpoint, by the client."""
    told = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((body, self.headers["CallingBox-Signature"], self.headers["CallingBox-Event-Id"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = client.webhooks.create_endpoint(
        f"http://127.0.0.1:{server.server_port}/events", description="test")
    assert endpoint.signing_secret.startswith("whsec_") and endpoint.status == "enabled"
    assert client.webhooks.list_endpoints()[0].signing_secret is None

    placed = client.calls.create(
        to, prompt="Ask about the invoice.", returns={"paid": "boolean"}, language="en",
        context={"invoice": 17})
    assert placed.prompt == "Ask about the invoice." and placed.language == "en", placed
    assert placed.returns == {"paid": "boolean"} and placed.direction == "outbound"
    done = command("call", "--to", to, "--prompt", "Again.", "--no-wait")
    assert done["prompt"] == "Again.", done
    refused(BadRequestError, lambda: client._request("POST", "/v1/calls", json={"to": to}))
    final = placed
    for _ in range(300):
        final = client.calls.retrieve(placed.id)
        if final.status in {"completed", "failed", "no_answer", "busy", "canceled"}:
            break
        threading.Event().wait(0.1)
    assert final.status == "busy", final
    assert client.calls.retrieve_transcript(placed.id) == []
    ids = [c.id for c in client.calls.iter_calls(limit=1)]
    assert placed.id in ids and done["id"] in ids, ids
    oldest = ids[-1]
    assert [c.id for c in client.calls.iter_calls(limit=1, ending_before=oldest)] == ids[:-1]
    rows = command("calls", "list", "--all")
    assert [row["id"] for row in (rows if isinstance(rows, list) else rows["data"])] == ids
    assert command("calls", "get", placed.id)["status"] == "busy"
    refused(NotFoundError, lambda: client.calls.retrieve("018f4a9e-0000-7000-8000-000000000001"))

    for _ in range(300):
        if any(json.loads(body)["type"] == "call.busy" and placed.id in body.decode() for body, *_ in told):
            break
        threading.Event().wait(0.1)
    events = [client.webhooks.construct_event(body, signature, endpoint.signing_secret)
              for body, signature, _ in told]
    mine = [e.type for e in events if e.data["call"]["id"] == placed.id]
    assert mine[-1] == "call.busy" and mine.count("call.busy") == 1, mine
    body, signature, _ = told[0]
    refused(BadRequestError, lambda: client.webhooks.construct_event(body + b" ", signature, endpoint.signing_secret))
    deliveries = client.webhooks.list_deliveries(endpoint_id=endpoint.id, call_id=placed.id)
    assert deliveries and all(d.status == "delivered" for d in deliveries), deliveries
    count = len(told)
    again = client.webhooks.redeliver(deliveries[0].id)
    assert again.id == deliveries[0].id
    for _ in range(100):
        if len(told) > count:
            break
        threading.Event().wait(0.1)
    assert told[-1][2] == deliveries[0].id, "the event keeps its id"
    assert client.webhooks.get_delivery(deliveries[0].id).manual_retry_count == 1
    rotated = client.webhooks.rotate_secret(endpoint.id)
    assert rotated.signing_secret != endpoint.signing_secret
    changed = client.webhooks.update_endpoint(endpoint.id, description=None, status="disabled")
    assert changed.description is None and changed.status == "disabled"
    client.webhooks.delete_endpoint(endpoint.id)
    assert client.webhooks.list_endpoints() == []
    return {"call": placed.id}


def rang(number):
    """A call that came in."""
    inbound = [c for c in client.calls.iter_calls() if c.direction == "inbound"]
    assert inbound and inbound[0].to_number == number, inbound
    assert inbound[0].prompt == "Take a message.", inbound[0]
    return {}


if __name__ == "__main__":
    act, *rest = sys.argv[1:]
    print(json.dumps({"numbers": numbers, "call": call, "rang": rang}[act](*rest)))
