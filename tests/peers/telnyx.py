"""Telnyx, Call Control and TeXML, by its library `telnyx`: webhooks.unwrap, the types of its requests, its client.

The library signs nothing: a key of PyNaCl's, with which it verifies, stands in for Telnyx's own.
"""

import base64
import json
import re
import time
import urllib.parse

import pydantic
import typing_extensions
from nacl.signing import SigningKey
from telnyx import Telnyx
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature
from telnyx.types import (
    AvailablePhoneNumberListParams,
    CallControlApplicationUpdateParams,
    CallDialParams,
    NumberOrderCreateParams,
    PhoneNumberListParams,
    PhoneNumberUpdateParams,
    TexmlApplicationUpdateParams,
    calls,
)
from telnyx.types.texml.accounts import call_calls_params, call_update_params
from twilio.twiml.voice_response import VoiceResponse

from .common import FORM, JSON, Request, equal, same_request
from .orders import CONTACT, TARGETS, Orders
from .twiml import rebuilt, same_document

KEY, CONNECTION = "KEY0123456789", "2852154973938025540"
SID = "fdff4639-fa80-4d19-b199-315b7abe95be"
SIGNING = SigningKey(bytes(range(32)))
PUBLIC = base64.b64encode(bytes(SIGNING.verify_key)).decode()
PLACED = "v3:placed-by-the-stand-in"

NUMBER = {"id": "1293384261075731499", "phone_number": "+14155550123", "status": "active", "connection_id": "1",
          "connection_name": "old"}

# What TeXML's <Stream> has besides TwiML's (Telnyx docs, texml-fundamentals).
STREAM = ("codec", "bidirectionalMode", "bidirectionalCodec", "bidirectionalSamplingRate", "enableReconnect")


def account(standin, kind):
    own = {"account_id": SID} if kind == "telnyx_texml" else {}
    return own | {"kind": kind, "api_key": KEY, "public_keys": [PUBLIC], "connection_id": CONNECTION,
                  "api_url": standin.url}


def answers(request):
    """What Telnyx's API answers, as far as it is read."""
    match request.method, request.place:
        case "POST", "/v2/calls":
            return 200, {"data": {"call_control_id": PLACED, "call_leg_id": "l", "call_session_id": "s"}}
        case "POST", "/v2/number_orders":
            if "14155550124" in request.body.decode():
                return 503, {}
            return 200, {"data": {"id": "o", "status": "success",
                                  "phone_numbers": [{"phone_number": "+14155550123"}]}}
        case "POST", place if place.startswith("/v2/texml/"):
            return 200, {"sid": PLACED, "status": "queued", "from": "", "to": ""}
        case "GET", "/v2/available_phone_numbers":
            offer = {"phone_number": "+14155550123", "region_information": [
                {"region_type": "country_code", "region_name": "US"},
                {"region_type": "state", "region_name": "CA"}]}
            return 200, {"data": [offer]}
        case "GET", "/v2/phone_numbers":
            found = [] if "filter[phone_number]" in request.query else [NUMBER]
            return 200, {"data": found, "meta": {"total_results": 1, "total_pages": 1, "page_number": 1}}
        case "GET", place if place.startswith("/v2/phone_numbers/"):
            return 200, {"data": NUMBER}
        case "GET", place if place.startswith("/v2/call_control_applications/"):
            asked = {"webhook_event_url": "https://old.example.com/", "webhook_event_failover_url": "",
                     "webhook_api_version": "2"}
            return 200, {"data": asked | {"id": CONNECTION, "application_name": "desk"}}
        case "GET", place if place.startswith("/v2/texml_applications/"):
            asked = {"voice_url": "https://old.example.com/", "voice_fallback_url": "", "voice_method": "get",
                     "status_callback": "", "status_callback_method": "post"}
            return 200, {"data": asked | {"id": CONNECTION, "friendly_name": "desk"}}
    return 200, {"data": {"result": "ok"}}


def signed(body, at=None, key=SIGNING):
    at = str(int(time.time() if at is None else at))
    signature = base64.b64encode(key.sign(f"{at}|{body}".encode()).signature).decode()
    return {"telnyx-signature-ed25519": signature, "telnyx-timestamp": at}


class Carrier:
    """Who plays Telnyx for one account."""

    def __init__(self, tenant, standin):
        self.tenant, self.standin, self.count = tenant, standin, 0

    def body(self, kind, call, **payload):
        """An event; each has an id of its own."""
        self.count += 1
        payload |= {"call_control_id": call, "connection_id": CONNECTION, "call_leg_id": "leg",
                    "call_session_id": "session"}
        event = {"event_type": kind, "id": f"event-{self.count}", "payload": payload, "record_type": "event",
                 "occurred_at": "2026-01-20T13:40:29.123457Z"}
        return json.dumps({"data": event, "meta": {"attempt": 1}})

    def rings(self, to, call):
        return self.body("call.initiated", call, direction="incoming", state="parked", to=to, **{"from": CONTACT})

    def send(self, body, headers=None, kind=JSON):
        headers = (headers or signed(body)) | {"Content-Type": kind}
        return self.tenant.daemon.post(self.tenant.url(), headers, body)[0]

    def commanded(self, body):
        """The command that an event is answered with: its name, and the request."""
        def tell():
            equal(self.send(body), 200, "status")

        request = self.standin.asked(tell, lambda request: "/actions/" in request.path)
        return request.place.rsplit("/", 1)[1], request


def webhooks(report, client, carrier, numbers):
    """(a) What the library takes is taken, and what it refuses is refused."""
    body = carrier.rings(numbers["busy"], "v3:webhooks")
    with report.check("an event that webhooks.unwrap takes is answered"):
        headers = signed(body)
        event = client.webhooks.unwrap(body, headers=headers, key=PUBLIC)
        equal(type(event).__name__, "CallInitiatedWebhookEvent", "the library's reading")
        equal(carrier.send(body, headers), 200, "status")
    wrong = {
        "another body": (signed(body + " "), body),
        "another time": (signed(body) | {"telnyx-timestamp": str(int(time.time()) - 1)}, body),
        "too old": (signed(body, time.time() - 310), body),
        "of the future": (signed(body, time.time() + 310), body),
        "another key": (signed(body, key=SigningKey(bytes(32))), body),
        "no time": ({"telnyx-signature-ed25519": signed(body)["telnyx-signature-ed25519"]}, body),
        "no signature": ({"telnyx-timestamp": str(int(time.time()))}, body),
    }
    with report.check("what webhooks.unwrap refuses is refused: " + ", ".join(wrong)):
        for what, (headers, body) in wrong.items():
            try:
                client.webhooks.unwrap(body, headers=headers, key=PUBLIC)
            except (ValueError, WebhookVerificationError):
                equal(carrier.send(body, headers), 403, what)
            else:
                raise AssertionError(f"the library takes {what}")
    with report.check("the daemon, which has public keys alone, signs nothing as Telnyx"):
        equal(carrier.tenant.sign("POST", carrier.tenant.url(), body), {})


def bare(hint):
    """A hint without its notes, and what Annotated notes it has."""
    notes = []
    while typing_extensions.get_origin(hint) in (typing_extensions.Annotated, typing_extensions.Required):
        notes += getattr(hint, "__metadata__", ())
        hint = typing_extensions.get_args(hint)[0]
    return hint, notes


def typed(params, fields, **own):
    """A request's fields as the client takes them: every name is known, every value of its type."""
    given = respelled(params, fields) | own
    pydantic.TypeAdapter(params).validate_python(given, strict=True)
    return given


def respelled(hint, value):
    """The same by the client's names, which the request's own stand for."""
    hint, _ = bare(hint)
    if isinstance(value, list):
        return [respelled(typing_extensions.get_args(hint)[0], item) for item in value]
    if not typing_extensions.is_typeddict(hint):
        return value
    known = {}
    for name, inner in typing_extensions.get_type_hints(hint, include_extras=True).items():
        aliases = [note.alias for note in bare(inner)[1] if getattr(note, "alias", None)]
        known[aliases[0] if aliases else name.removesuffix("_")] = (name, inner)
    unknown = [name for name in value if name not in known]
    assert not unknown, f"{hint.__name__} has no {unknown}"
    return {known[name][0]: respelled(known[name][1], item) for name, item in value.items()}


class Commands:
    """(b) and (c) Commands, held against the client's of the same name."""

    def __init__(self, report, client, carrier):
        self.report, self.carrier = report, carrier
        actions, self.held = client.calls.actions, set()
        self.methods = {
            "answer": (actions.answer, calls.ActionAnswerParams),
            "hangup": (actions.hangup, calls.ActionHangupParams),
            "reject": (actions.reject, calls.ActionRejectParams),
            "speak": (actions.speak, calls.ActionSpeakParams),
            "streaming_start": (actions.start_streaming, calls.ActionStartStreamingParams),
            "streaming_stop": (actions.stop_streaming, calls.ActionStopStreamingParams),
            "transfer": (actions.transfer, calls.ActionTransferParams),
        }

    def hold(self, request, call):
        name = request.place.rsplit("/", 1)[1]
        method, params = self.methods[name]
        given = typed(params, request.fields)
        theirs = self.carrier.standin.asked(lambda: method(call_control_id=call, **given))
        same_request(request, theirs)
        return name, request.fields

    def answered(self, call, body, expected):
        """An event, and the command that it must be answered with."""
        with self.report.check(f"an event is answered with {expected}, as calls.actions sends it"):
            name, fields = self.hold(self.carrier.commanded(body)[1], call)
            equal(name, expected, "command")
            return fields
        return {}


def commands(report, client, carrier, numbers):
    held = Commands(report, client, carrier)
    answered = held.answered("v3:media", carrier.rings(numbers["media"], "v3:media"), "answer")
    held.answered("v3:busy", carrier.rings(numbers["busy"], "v3:busy"), "reject")
    held.answered("v3:reject", carrier.rings(numbers["reject"], "v3:reject"), "reject")
    sip = held.answered("v3:sip", carrier.rings(numbers["sip"], "v3:sip"), "transfer")
    tel = held.answered("v3:tel", carrier.rings(numbers["tel"], "v3:tel"), "transfer")
    picked = held.answered("v3:say", carrier.rings(numbers["say"], "v3:say"), "answer")
    # What a command leaves on a call comes back with its events.
    left = lambda fields: {"client_state": fields.get("client_state")}
    event = carrier.body("call.answered", "v3:say", to=numbers["say"], **{"from": CONTACT}, **left(picked))
    spoken = held.answered("v3:say", event, "speak")
    event = carrier.body("call.speak.ended", "v3:say", status="completed", **left(spoken))
    held.answered("v3:say", event, "hangup")
    with report.check("what the commands say is what was decided"):
        assert answered["stream_url"].startswith("wss://edge.test/media/"), answered
        said = (sip["to"], tel["to"], spoken["payload"])
        equal(said, ("sip:desk@pbx.example.com", "+14155550199", "We are closed & sorry."), "to, to and payload")
    return held


def requests(report, orders, client, carrier, held):
    standin = orders.standin
    with report.check("a call is placed as calls.dial places it"):
        ours, call = orders.dial()
        given = typed(CallDialParams, ours.fields)
        same_request(ours, standin.asked(lambda: client.calls.dial(**given)))
        equal((given["to"], given["from_"]), (CONTACT, orders.e164(0)), "parties")
        equal(given["answering_machine_detection"], "detect", "answering_machine_detection")
    answered = carrier.body("call.answered", PLACED, to=CONTACT, client_state=given["client_state"],
                            **{"from": orders.e164(0)})
    held.answered(PLACED, answered, "streaming_start")
    with report.check("it is hung up as calls.actions.hangup does it"):
        equal(held.hold(orders.hang_up(call["id"]), PLACED)[0], "hangup", "command")
    with report.check("a call is moved as calls.actions.stop_streaming does it"):
        row = orders.tenant.call_of("v3:tel")
        equal(held.hold(orders.redirect(row["id"]), "v3:tel")[0], "streaming_stop", "command")
    numbers_api(report, orders, client)
    pointing(report, orders, "", client.call_control_applications, CallControlApplicationUpdateParams)


def deep(query):
    """`filter[a]=1` as the client takes it."""
    found = {}
    for name, value in query.items():
        inner = re.fullmatch(r"filter\[(\w+)\](\[\])?", name)
        assert inner, f"{name} is no filter"
        found[inner[1]] = [value] if inner[1] == "features" else value
    if "limit" in found:
        found["limit"] = int(found["limit"])
    return {"filter": found}


def same_search(ours, theirs):
    """A list of one is one value to us, and a list to the client: both are in Telnyx's pages."""
    query = {name.replace("[features][]", "[features]"): value for name, value in theirs.query.items()}
    equal((ours.method, ours.place), (theirs.method, theirs.place), "place")
    equal(ours.query, query, "query")
    equal(ours.headers["authorization"], theirs.headers["authorization"], "credentials")


def numbers_api(report, orders, client):
    standin = orders.standin
    with report.check("numbers are looked for as available_phone_numbers.list looks"):
        for query in ("area_code=415&limit=5", "number_type=toll_free&limit=5"):
            ours, offers = orders.search(query)
            equal(offers[0]["phone_number"], "+14155550123", "the offer")
            given = typed(AvailablePhoneNumberListParams, deep(ours.query))
            same_search(ours, standin.asked(lambda: client.available_phone_numbers.list(**given)))
    with report.check("a number is bought as number_orders.create buys it"):
        ours = orders.buy("+14155550123")
        given = typed(NumberOrderCreateParams, ours.fields)
        same_request(ours, standin.asked(lambda: client.number_orders.create(**given)))
    with report.check("a number is found as phone_numbers.list finds it"):
        ours = orders.find("+14155550124")
        given = typed(PhoneNumberListParams, deep(ours.query))
        same_search(ours, standin.asked(lambda: client.phone_numbers.list(**given)))


def pointing(report, orders, what, applications, params):
    """The same about who answers a number."""
    standin, client = orders.standin, applications._client
    with report.check(f"{what}numbers are listed as phone_numbers.list lists them"):
        list_them = lambda: client.phone_numbers.list(page_number=1, page_size=250, sort="phone_number")
        same_request(orders.listed(), standin.asked(list_them))
    with report.check(f"{what}an application is pointed here as its update does it, with all that is required"):
        ours = orders.pointed("+14155550123")[0]
        given = typed(params, ours.fields)
        same_request(ours, standin.asked(lambda: applications.update(CONNECTION, **given)))
    with report.check(f"{what}a number is put to it as phone_numbers.update does it"):
        # Its application is as it is wanted by now.
        told, wanted = standin.answers, ours.fields

        def answered(request):
            status, said = told(request)
            if "_applications/" in request.place:
                said = {"data": said["data"] | wanted}
            return status, said

        standin.answers = answered
        ours, = orders.pointed("+14155550123")
        given = typed(PhoneNumberUpdateParams, ours.fields)
        same_request(ours, standin.asked(lambda: client.phone_numbers.update(NUMBER["id"], **given)))
        standin.answers = told


class Texml(Carrier):
    """Who plays Telnyx for a TeXML account: the same signature, over forms."""

    def form(self, to, call, **more):
        said = {"AccountSid": SID, "CallSid": call, "CallerId": CONTACT, "From": CONTACT, "To": to,
                "ConnectionId": CONNECTION, "CallStatus": "ringing", "ShakenStirAttestation": "A",
                "ShakenStirValidated": "true", "CallingPartyType": "pstn"}
        return urllib.parse.urlencode(said | more)

    def document(self, body, path="voice"):
        headers = signed(body) | {"Content-Type": FORM}
        status, kind, document = self.tenant.daemon.post(self.tenant.url(path), headers, body)
        equal((status, kind), (200, "text/xml"), "answer")
        return document


def texml(report, client, carrier, orders, numbers):
    standin = orders.standin
    with report.check("TeXML: a form that verify_webhook_signature takes is answered, another is not"):
        body = carrier.form(numbers["say"], "v3:texml")
        verify_webhook_signature(body, signed(body), PUBLIC)
        assert "We are closed" in carrier.document(body)
        try:
            verify_webhook_signature(body + "&X=1", signed(body), PUBLIC)
        except WebhookVerificationError:
            equal(carrier.send(body + "&X=1", signed(body), FORM), 403, "tampered with")
        else:
            raise AssertionError("the library takes it")
    for name, number in numbers.items():
        with report.check(f"TeXML: the document of {TARGETS[name].split(':')[0]}: is TwiML, with Telnyx's attributes"):
            document = carrier.document(carrier.form(number, f"v3:texml-{name}"))
            same_document(document, rebuilt(document, VoiceResponse(), STREAM))
    calls_of = client.texml.accounts.calls
    with report.check("TeXML: a call is placed as texml.accounts.calls.calls places it"):
        ours, call = orders.dial()
        # 4.189 does not spell a body's names as its types say: it is given them as they are sent.
        typed(call_calls_params.BodyWithURL, ours.fields)
        theirs = standin.asked(lambda: calls_of.calls(account_sid=SID, body=ours.fields))
        same_request(ours, theirs)
        equal((ours.fields["To"], ours.fields["From"]), (CONTACT, orders.e164(0)), "parties")
    with report.check("TeXML: it is hung up as texml.accounts.calls.update does it"):
        ours = orders.hang_up(call["id"])
        updated(ours, calls_of, standin, PLACED)
    with report.check("TeXML: a call is redirected as texml.accounts.calls.update does it"):
        row = orders.tenant.call_of("v3:texml-tel")
        updated(orders.redirect(row["id"]), calls_of, standin, "v3:texml-tel")
    pointing(report, orders, "TeXML: ", client.texml_applications, TexmlApplicationUpdateParams)


def updated(ours: Request, calls_of, standin, call):
    given = typed(call_update_params.CallUpdateParams, ours.fields, account_sid=SID)
    theirs = standin.asked(lambda: calls_of.update(call, **given))
    same_request(ours, theirs)


def run(report, stage):
    standin = stage.standin(answers)
    client = Telnyx(api_key=KEY, base_url=f"{standin.url}/v2", max_retries=0)
    tenant = stage.tenant("telnyx", account(standin, "telnyx"))
    orders, carrier = Orders(tenant, standin, 202), Carrier(tenant, standin)
    numbers = orders.answered_by([name for name in TARGETS if name != "redirect"])
    webhooks(report, client, carrier, numbers)
    held = commands(report, client, carrier, numbers)
    requests(report, orders, client, carrier, held)
    tenant = stage.tenant("texml", account(standin, "telnyx_texml"))
    orders, carrier = Orders(tenant, standin, 203), Texml(tenant, standin)
    texml(report, client, carrier, orders, orders.answered_by(TARGETS))
