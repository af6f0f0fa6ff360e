"""Plivo, by its library `plivo`: signatures V3 and V2, plivoxml, RestClient."""

import base64
import hashlib
import hmac
import inspect
import json
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

import plivo
import plivo.rest.client
import plivo.xml
from plivo.utils import validate_signature, validate_v3_signature
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3

from .common import FORM, equal, same_request
from .orders import CONTACT, TARGETS, Orders
from .twiml import same_document, snake

ID, TOKEN, APPLICATION = "MAMO7XWB2XYF3PE8DP3J", "an-auth-token", "21686794894743506"
PLACED, NONCE = "9834029e-58b6-11e1-b8b7-a5bd0e4e126f", "17075432685310360255"


NUMBER = {"number": "14155550123", "application": f"/v1/Account/{ID}/Application/1/", "voice_enabled": True,
          "active": True, "alias": None}


def account(standin):
    return {"kind": "plivo", "account_id": ID, "secrets": [TOKEN], "application_id": APPLICATION,
            "api_url": standin.url}


def answers(request):
    """What Plivo's API answers, as far as it is read."""
    place = request.place.removeprefix(f"/v1/Account/{ID}/")
    match request.method, place.split("/")[0]:
        case "POST", "Call" if place == "Call/":
            return 201, {"api_id": "a", "message": "call fired", "request_uuid": PLACED}
        case "POST", "Call":
            return 202, {"api_id": "a", "message": "call transferred", "call_uuids": [PLACED]}
        case "DELETE", _:
            return 204, None
        case "POST", "PhoneNumber":
            if "14155550124" in place:
                return 503, {}
            return 201, {"api_id": "a", "numbers": [], "status": "fulfilled"}
        case "GET", "PhoneNumber":
            return 200, {"api_id": "a", "meta": {}, "objects": [{"number": "14155550123", "region": "CA, US"}]}
        case "GET", "Number" if place == "Number/":
            return 200, {"api_id": "a", "meta": {"next": None}, "objects": [NUMBER]}
        case "GET", "Number":
            return (404, {"api_id": "a", "error": "not found"}) if "14155550124" in place else (200, NUMBER)
        case "GET", "Application":
            asked = dict.fromkeys(("answer_url", "fallback_answer_url", "hangup_url"), "")
            return 200, asked | {"app_id": APPLICATION, "app_name": "desk"}
        case "POST", "Number" | "Application":
            return 202, {"api_id": "a", "message": "changed"}
    return 200, {"api_id": "a", "meta": {"next": None}, "objects": []}


def params(to, call, **more):
    """What Plivo says of a call that comes in; numbers have no plus."""
    said = {"CallUUID": call, "From": CONTACT[1:], "To": to[1:], "Direction": "inbound", "ParentAuthID": ID,
            "CallStatus": "ringing", "Event": "StartApp", "BillRate": "0.0055", "CallerName": "Ann & Bo ñ"}
    return said | more


def v3(method, url, said, token=TOKEN):
    """The library's own signature of a request, with the nonce."""
    base = construct_get_url(url, {}) if method == "GET" else construct_post_url(url, dict(said))
    signature = get_signature_v3(token, base.decode(), NONCE).decode()
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-Ma-V3": signature,
            "X-Plivo-Signature-V3-Nonce": NONCE, "Content-Type": FORM}


class Plivo:
    """Who plays Plivo, with its own library's signatures."""

    def __init__(self, tenant):
        self.tenant = tenant

    def ask(self, said, path="voice", token=TOKEN, sent=None):
        url = self.tenant.url(path)
        headers = v3("POST", url, said, token)
        return self.tenant.daemon.post(url, headers, urllib.parse.urlencode(sent or said))

    def document(self, said, path="voice"):
        status, kind, document = self.ask(said, path)
        equal((status, kind), (200, "text/xml"), "answer")
        return document


def webhooks(report, tenant, carrier, numbers):
    """(a) Plivo's library makes the signatures, and says of ours what it thinks."""
    said = params(numbers["say"], "webhooks")
    with report.check("a webhook signed by V3 is answered, with a query or without"):
        for path in ("voice", "voice?fallback=1&b=&a=%26", "voice?a=2&a=1"):
            assert "We are closed &amp; sorry." in carrier.document(said, path), path
    with report.check("what is tampered with, or signed by another token, is refused"):
        equal(carrier.ask(said, sent=said | {"From": "14155550118"})[0], 403, "a changed parameter")
        equal(carrier.ask(said, sent=said | {"X": "1"})[0], 403, "one more parameter")
        equal(carrier.ask(said, token="another-token")[0], 403, "another token")
        url, body = tenant.url(), urllib.parse.urlencode(said)
        equal(tenant.daemon.post(url, {"Content-Type": FORM}, body)[0], 403, "no signature")
        without = {name: value for name, value in v3("POST", url, said).items() if "Nonce" not in name}
        equal(tenant.daemon.post(url, without, body)[0], 403, "no nonce")
        equal(tenant.daemon.post(url, v3("POST", tenant.url("status"), said), body)[0], 403, "another URL")
    with report.check("a GET is signed with its query"):
        # The library reads queries in ASCII only.
        plain = said | {"CallerName": "Ann & Bo"}
        url = f"{tenant.url()}?{urllib.parse.urlencode(plain)}"
        equal(tenant.daemon.post(url, v3("GET", url, {}), None, "GET")[0], 200, "status")
        equal(tenant.daemon.post(url + "&X=1", v3("GET", url, {}), None, "GET")[0], 403, "tampered with")
    with report.check("V2 counts where V3 is not sent"):
        url = tenant.url()
        mac = hmac.new(TOKEN.encode(), (url + NONCE).encode(), hashlib.sha256).digest()
        signature = base64.b64encode(mac).decode()
        assert validate_signature(url, NONCE, signature, TOKEN), "the library takes it"
        headers = {"X-Plivo-Signature-V2": signature, "X-Plivo-Signature-V2-Nonce": NONCE, "Content-Type": FORM}
        body = urllib.parse.urlencode(said)
        equal(tenant.daemon.post(url, headers, body)[0], 200, "status")
        headers |= v3("POST", url, said, "another-token")
        equal(tenant.daemon.post(url, headers, body)[0], 403, "beside a wrong V3")
    with report.check("what the daemon signs as Plivo, validate_v3_signature accepts"):
        url, body = tenant.url("status?call=1"), urllib.parse.urlencode(said)
        headers = tenant.sign("POST", url, body)
        signature, nonce = headers["x-plivo-signature-v3"], headers["x-plivo-signature-v3-nonce"]
        assert validate_v3_signature("POST", url, nonce, TOKEN, signature, dict(said))
        assert not validate_v3_signature("POST", url, nonce, TOKEN, signature, said | {"X": "1"})


def element(node):
    """An element of the library's own, with the attributes that it is known to have."""
    made = getattr(plivo.xml, f"{node.tag}Element", None)
    assert made, f"there is no <{node.tag}>"
    known, given = inspect.signature(made.__init__).parameters, {}
    for name, value in node.attrib.items():
        argument = name if name in known else snake(name)
        assert argument in known, f"<{node.tag}> has no {name}"
        if value in ("true", "false"):
            value = value == "true"
        given[argument] = int(value) if isinstance(value, str) and value.isdigit() else value
    if node.text:
        assert "content" in known, f"<{node.tag}> holds no text"
        given["content"] = node.text
    built = made(**given)
    for child in node:
        built.add(element(child))
    return built


def same(document):
    same_document(document, element(ElementTree.fromstring(document)).to_string(pretty=False))


def documents(report, carrier, numbers):
    """(b) Every element and attribute is one of plivoxml's, of its type, and stands where it may."""
    found = {}
    for name, number in numbers.items():
        with report.check(f"the document of {TARGETS[name].split(':')[0]}: is plivoxml's"):
            found[name] = carrier.document(params(number, f"document-{name}"))
            same(found[name])
    with report.check("the document after a dial that was answered is as well"):
        url = re.search(r'action="([^"]*)"', found["tel"])[1].replace("&amp;", "&")
        path = url.split(f"/carriers/{carrier.tenant.name}/")[1]
        said = params(numbers["tel"], "document-tel", CallStatus="in-progress", DialStatus="completed")
        document = carrier.document(said, path)
        assert "<Hangup/>" in document, document
        same(document)


def client_at(standin):
    """The client sets its base anew for each request, from these names of its module."""
    module = plivo.rest.client
    for name in ("PLIVO_API_BASE_URI", "API_VOICE_BASE_URI", "API_VOICE_BASE_URI_FALLBACK_1",
                 "API_VOICE_BASE_URI_FALLBACK_2"):
        setattr(module, name, f"{standin.url}/v1/Account")
    return plivo.RestClient(ID, TOKEN)


def requests(report, orders, carrier, client):
    """(c) What the daemon asks of the API, and what the official client asks for the same."""
    standin = orders.standin
    with report.check("a call is placed as calls.create places it"):
        ours, call = orders.dial()
        given = ours.fields
        given["from_"], given["to_"] = given.pop("from"), given.pop("to")
        theirs = standin.asked(lambda: client.calls.create(**given))
        # Defaults that the client writes out.
        same_request(ours, theirs, ("machine_detection_time", "error_if_parent_not_found"))
        equal((given["to_"], given["from_"]), (CONTACT[1:], orders.e164(0)[1:]), "parties")
        equal(given["machine_detection"], "true", "machine_detection")
    with report.check("it is hung up as calls.hangup does it"):
        ours = orders.hang_up(call["id"])
        # The client says the path once more in a body.
        same_request(ours, standin.asked(lambda: client.calls.hangup(PLACED)), ("call_uuid",))
    with report.check("a call is redirected as calls.transfer does it"):
        row = orders.tenant.call_of("document-sip")
        ours = orders.redirect(row["id"])
        theirs = standin.asked(lambda: client.calls.transfer("document-sip", **ours.fields))
        same_request(ours, theirs, ("call_uuid",))
        path = ours.fields["aleg_url"].split(f"/carriers/{orders.tenant.name}/")[1]
        said = params(orders.e164(3), "document-sip", CallStatus="in-progress")
        assert "One moment." in carrier.document(said, path)
    with report.check("calls are listed as calls.list lists them"):
        ours, since = orders.list_calls()
        given = ours.fields | {"limit": int(ours.fields["limit"])}
        equal(given["end_time__gte"], f"{since:%Y-%m-%d} 00:00:00", "end_time__gte")
        same_request(ours, standin.asked(lambda: client.calls.list(**given)), ("offset",))
    with report.check("numbers are looked for as numbers.search looks"):
        for query in ("area_code=415&limit=5", "number_type=toll_free&limit=5"):
            ours, offers = orders.search(query)
            equal(offers[0]["phone_number"], "+14155550123", "the offer")
            same_request(ours, standin.asked(lambda: client.numbers.search(**ours.fields)))
    with report.check("a number is bought as numbers.buy buys it"):
        ours = orders.buy("+14155550123")
        theirs = standin.asked(lambda: client.numbers.buy("14155550123", **ours.fields))
        same_request(ours, theirs, ("number",))
    with report.check("a number is found as numbers.get finds it"):
        ours = orders.find("+14155550124")

        def find():
            try:
                client.numbers.get("14155550124")
            except plivo.exceptions.ResourceNotFoundError:
                pass

        same_request(ours, standin.asked(find))


def pointing(report, orders, client):
    """The same about who answers a number."""
    standin = orders.standin
    with report.check("numbers are listed as numbers.list lists them"):
        list_them = lambda: client.numbers.list(services="voice", limit=20, offset=0)
        same_request(orders.listed(), standin.asked(list_them))
    with report.check("an application and a number are pointed here as applications and numbers.update do it"):
        application = orders.pointed("+14155550123")[0]
        theirs = standin.asked(lambda: client.applications.update(APPLICATION, **application.fields))
        # Defaults that the client writes out.
        same_request(application, theirs, ("default_number_app", "default_endpoint_app", "fallback_method",
                                           "log_incoming_messages", "message_method"))
        equal(application.fields["answer_url"], orders.tenant.url(), "answer_url")


def lost(report, orders, client):
    """A call whose fate nobody knows is looked for at the next start."""
    standin = orders.standin
    with report.check("a call of unknown fate is looked for as calls.list lists it"):
        ours = orders.lost()
        given = ours.fields | {"limit": int(ours.fields["limit"])}
        equal((given["from_number"], given["to_number"]), (orders.e164(0)[1:], CONTACT[1:]), "parties")
        same_request(ours, standin.asked(lambda: client.calls.list(**given)), ("offset",))


def run(report, stage):
    standin = stage.standin(answers)
    tenant = stage.tenant("plivo", account(standin))
    orders, carrier = Orders(tenant, standin, 204), Plivo(tenant)
    numbers = orders.answered_by(TARGETS)
    webhooks(report, tenant, carrier, numbers)
    documents(report, carrier, numbers)
    client = client_at(standin)
    requests(report, orders, carrier, client)
    pointing(report, orders, client)
    lost(report, orders, client)
