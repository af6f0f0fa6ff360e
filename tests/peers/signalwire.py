"""SignalWire, by its library `signalwire`: RequestValidator (both schemes), voice_response, rest.Client.

The library needs an old `twilio`: it runs with packages of its own, `requirements-signalwire.txt`.
"""

import json
import urllib.parse

from signalwire.request_validator import RequestValidator
from signalwire.rest import Client
from signalwire.voice_response import VoiceResponse

from . import twiml
from .common import FORM, JSON, equal
from .orders import TARGETS, Orders
from .signalwire_account import KEY, PROJECT, TOKEN, account

PLACED = "9834029e-58b6-41e1-b8b7-a5bd0e4e126f"

# The library knows no attribute of <Stream>: Twilio's own, and SignalWire's (its docs, cxml/voice/stream).
STREAM = ("url", "statusCallback", "codec", "realtime", "authBearerToken")


def call_id(name):
    hexadecimal = name.encode().hex().rjust(32, "0")
    return "-".join((hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20], hexadecimal[20:]))


def compatible(key=KEY):
    """Scheme B, Twilio's."""
    validator = RequestValidator(key)
    return lambda url, said: {"X-SignalWire-Signature": validator.build_signature_with_compatibility(url, said)}


def raw(key=KEY):
    """Scheme A, over the body as it is sent."""
    validator = RequestValidator(key)

    def sign(url, said):
        body = said if isinstance(said, str) else urllib.parse.urlencode(said)
        return {"X-SignalWire-Signature": validator.build_signature(url, body)}

    return sign


def webhooks(report, tenant, carrier, numbers):
    """(a) SignalWire's library makes the requests, and says of ours what it thinks."""
    said, url = carrier.params(numbers["say"], "webhooks"), tenant.url()
    body = urllib.parse.urlencode(said)
    for scheme, sign in (("build_signature_with_compatibility", compatible), ("build_signature", raw)):
        with report.check(f"a webhook signed by {scheme} is answered, another is refused"):
            carrier.sign = sign()
            assert "We are closed &amp; sorry." in carrier.document(said)
            equal(carrier.ask(said, sent=said | {"From": "+14155550118"})[0], 403, "a changed parameter")
            equal(carrier.ask(said, sent=said | {"X": "1"})[0], 403, "one more parameter")
            equal(carrier.ask(said, signed_as=tenant.url("status"))[0], 403, "another URL")
            headers = sign("another-key")(url, said) | {"Content-Type": FORM}
            equal(tenant.daemon.post(url, headers, body)[0], 403, "another key")
            equal(tenant.daemon.post(url, {"Content-Type": FORM}, body)[0], 403, "no signature")
            headers = {"X-Twilio-Signature": sign()(url, said)["X-SignalWire-Signature"], "Content-Type": FORM}
            equal(tenant.daemon.post(url, headers, body)[0], 200, "under the older name")
    with report.check("an object is proven by its raw text, and no other"):
        text = json.dumps(said)
        headers = raw()(url, text) | {"Content-Type": JSON}
        equal(tenant.daemon.post(url, headers, text)[0], 200, "status")
        equal(tenant.daemon.post(url, headers, text + " ")[0], 403, "another body")
    with report.check("what the daemon signs as SignalWire, validate accepts"):
        signature = tenant.sign("POST", url, body)["x-signalwire-signature"]
        validator = RequestValidator(KEY)
        assert validator.validate(url, said, signature)
        assert not validator.validate(url, said | {"To": "+1"}, signature)


def run(report, stage):
    # The library leaves `/api/laml` to whoever names the space; its pages have it.
    base = "/api/laml"
    standin = stage.standin(twiml.answers(f"{base}/2010-04-01/Accounts/{PROJECT}", PLACED))
    tenant = stage.tenant("signalwire", account(standin))
    carrier, orders = twiml.Carrier(tenant, PROJECT, call_id, compatible()), Orders(tenant, standin, 205)
    numbers = orders.answered_by(TARGETS)
    webhooks(report, tenant, carrier, numbers)
    found = twiml.documents(report, carrier, numbers, VoiceResponse, STREAM)
    with report.check("the media socket is shown a token, which the document gives it"):
        assert 'authBearerToken="' in found["media"] and 'realtime="true"' in found["media"], found["media"]
    client = Client(PROJECT, TOKEN, signalwire_space_url="example.signalwire.com")
    client.api.base_url = standin.url + base
    twiml.calls(report, orders, carrier, client, PLACED)
    twiml.numbers_for_sale(report, orders, client)
    twiml.pointing(report, orders, client)
    twiml.lost(report, orders, client)
