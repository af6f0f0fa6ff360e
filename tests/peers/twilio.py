"""Twilio, by its library `twilio`: RequestValidator, twiml.voice_response, rest.Client."""

import urllib.parse

from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse

from . import twiml
from .common import FORM, JSON, equal
from .orders import TARGETS, Orders

SID, TOKEN = "AC" + "0123456789abcdef" * 2, "an-auth-token"
KEY_ID, KEY = "webhooks_sharedkey_01", "a-shared-key"
PLACED = "CA" + "fedcba9876543210" * 2


def account(standin):
    return {
        "kind": "twilio",
        "account_id": SID,
        "secrets": [TOKEN],
        "shared_keys": [{"id": KEY_ID, "secret": KEY}],
        "api_url": standin.url,
    }


def call_id(name):
    return "CA" + name.encode().hex().rjust(32, "0")


def signer(token=TOKEN):
    """Headers by the library's own signature."""
    validator = RequestValidator(token)
    return lambda url, said: {"X-Twilio-Signature": validator.compute_signature(url, said)}


def webhooks(report, tenant, carrier, numbers):
    """(a) Twilio's library makes the requests, and says of ours what it thinks."""
    said, url = carrier.params(numbers["say"], "webhooks"), tenant.url()
    body = urllib.parse.urlencode(said)
    send = lambda url, headers, body=body, method="POST": tenant.daemon.post(url, headers, body, method)[0]
    with report.check("a webhook signed by RequestValidator is answered"):
        assert "We are closed &amp; sorry." in carrier.document(said)
    with report.check("what is tampered with, or signed by another token, is refused"):
        equal(carrier.ask(said, sent=said | {"From": "+14155550118"})[0], 403, "a changed parameter")
        equal(carrier.ask(said, sent=said | {"X": ""})[0], 403, "one more parameter")
        equal(carrier.ask(said, signed_as=url + "0")[0], 403, "another URL")
        equal(send(url, signer("another")(url, said) | {"Content-Type": FORM}), 403, "another token")
        equal(send(url, {"Content-Type": FORM}), 403, "no signature")
    with report.check("a GET is signed over its URL alone"):
        asked = f"{url}?{body}"
        equal(send(asked, signer()(asked, {}), None, "GET"), 200, "status")
        equal(send(asked + "0", signer()(asked, {}), None, "GET"), 403, "another URL")
    with report.check("a port on the signed URL is no difference"):
        equal(carrier.ask(said, signed_as=url.replace("edge.test", "edge.test:443"))[0], 200, "status")
    with report.check("a shared key's HMAC-SHA256 is taken, another key's is not"):
        for key, status in ((KEY, 200), ("another-key", 403)):
            settings = {"X-Twilio-Webhooks-Signature-Settings": f"key={KEY_ID},algorithm=HMAC_SHA256"}
            signature = RequestValidator(key).compute_signature(url, said, "HMAC_SHA256")
            headers = settings | {"X-Twilio-Signature": signature, "Content-Type": FORM}
            equal(send(url, headers), status, key)
    with report.check("a body that is no form is proven by compute_hash, and no other"):
        text = '{"CallSid":"' + PLACED + '"}'
        asked = f"{tenant.url('status')}?bodySHA256={RequestValidator(TOKEN).compute_hash(text)}"
        headers = signer()(asked, {}) | {"Content-Type": JSON}
        status = send(asked, headers, text)
        assert status != 403, f"status {status}"
        equal(send(asked, headers, text + " "), 403, "another body")
    with report.check("what the daemon signs as Twilio, validate accepts"):
        validator, asked = RequestValidator(TOKEN), tenant.url("status")
        signature = tenant.sign("POST", asked, body)["x-twilio-signature"]
        assert validator.validate(asked, said, signature)
        assert not validator.validate(asked, said | {"To": "+1"}, signature)


def run(report, stage):
    standin = stage.standin(twiml.answers(f"/2010-04-01/Accounts/{SID}", PLACED))
    tenant = stage.tenant("twilio", account(standin))
    carrier, orders = twiml.Carrier(tenant, SID, call_id, signer()), Orders(tenant, standin, 201)
    numbers = orders.answered_by(TARGETS)
    webhooks(report, tenant, carrier, numbers)
    twiml.documents(report, carrier, numbers, VoiceResponse)
    client = Client(SID, TOKEN)
    client.api.base_url = standin.url
    twiml.calls(report, orders, carrier, client, PLACED)
    twiml.numbers_for_sale(report, orders, client)
    twiml.pointing(report, orders, client)
    twiml.lost(report, orders, client)
