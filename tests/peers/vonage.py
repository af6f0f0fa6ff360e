"""Vonage, by its libraries `vonage-jwt`, `vonage-http-client` and `vonage-voice`: verify_signature, the models of an NCCO's
actions, Voice.

The libraries verify webhooks and sign none: a token is PyJWT's, with which they verify, by what Vonage's pages say.
"""

import hashlib
import json
import time

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from vonage_http_client.auth import Auth
from vonage_http_client.http_client import HttpClient
from vonage_jwt.verify_jwt import verify_signature
from vonage_voice import Voice
from vonage_voice.models import connect_endpoints, ncco
from vonage_voice.models.requests import CreateCallRequest, ListCallsFilter
from vonage_voice.models.webhooks import AnswerWebhook

from .common import JSON, equal, same_request
from .orders import CONTACT, TARGETS, Orders

API_KEY, SECRET = "abcd1234", "a-signature-secret-of-thirty-two-b"
APPLICATION = "78d335fa-323d-0114-9c3d-d6f0d48968cf"
PLACED = "63f61863-4a51-4f6b-86e1-46edebcf9356"
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()

ACTIONS = {"connect": ncco.Connect, "talk": ncco.Talk, "notify": ncco.Notify}
ENDPOINTS = {
    "phone": connect_endpoints.PhoneEndpoint,
    "sip": connect_endpoints.SipEndpoint,
    "websocket": connect_endpoints.WebsocketEndpoint,
}


def account(standin):
    return {"kind": "vonage", "api_key": API_KEY, "application_id": APPLICATION, "private_key": PEM,
            "signature_secrets": [SECRET], "api_url": standin.url}


def answers(request):
    """What Vonage's API answers, as far as the daemon and the client read it."""
    links = {"self": {"href": "/calls"}}
    match request.method:
        case "POST":
            return 201, {"uuid": PLACED, "status": "started", "direction": "outbound", "conversation_uuid": "CON-1"}
        case "GET":
            page = {"count": 0, "page_size": 100, "record_index": 0}
            return 200, page | {"_embedded": {"calls": []}, "_links": links}
    return 204, None


def uuid(name):
    return name.encode().hex().rjust(32, "0")


def token(body, secret=SECRET, **other):
    """What Vonage shows with a body."""
    claims = {"iat": int(time.time()), "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5", "iss": "Vonage",
              "payload_hash": hashlib.sha256(body.encode()).hexdigest(), "api_key": API_KEY,
              "application_id": APPLICATION}
    claims = {name: value for name, value in (claims | other).items() if value is not None}
    return jwt.encode(claims, secret, algorithm="HS256")


class Vonage:
    """Who plays Vonage."""

    def __init__(self, tenant):
        self.tenant = tenant

    def body(self, to, call, **more):
        """What is asked when a call comes in; numbers have no plus."""
        model = AnswerWebhook(from_=CONTACT[1:], to=to[1:], uuid=uuid(call), endpoint_type="phone",
                              conversation_uuid="CON-f972836a-550f-45fa-956c-12a2ab5b7d22",
                              region_url="https://api-us-1.nexmo.com")
        return json.dumps(model.model_dump(by_alias=True, exclude_none=True) | more, separators=(",", ":"))

    def ask(self, body, path="voice", shown=None):
        headers = {"Authorization": f"Bearer {shown or token(body)}", "Content-Type": JSON}
        return self.tenant.daemon.post(self.tenant.url(path), headers, body)

    def document(self, body, path="voice"):
        status, kind, document = self.ask(body, path)
        equal((status, kind), (200, JSON), "answer")
        return json.loads(document)


def webhooks(report, tenant, carrier, numbers):
    """(a) What the library verifies is taken where it is about what was sent, and nothing else is."""
    body = carrier.body(numbers["say"], "webhooks")
    with report.check("a webhook whose token verify_signature takes is answered"):
        shown = token(body)
        assert verify_signature(shown, SECRET), "the library takes it"
        equal(json.loads(carrier.ask(body, shown=shown)[2])[0]["text"], "We are closed & sorry.", "text")
    with report.check("what verify_signature refuses is refused"):
        shown = token(body, "another-secret-of-thirty-two-bytes")
        assert not verify_signature(shown, SECRET), "the library refuses it"
        equal(carrier.ask(body, shown=shown)[0], 401, "another secret")
        none = jwt.encode(jwt.decode(token(body), options={"verify_signature": False}), None, algorithm="none")
        equal(carrier.ask(body, shown=none)[0], 401, "no algorithm")
        # Vonage sends it again then, with its token (its support's article 19033783342876).
        equal(tenant.daemon.post(tenant.url(), {"Content-Type": JSON}, body)[0], 503, "no token")
    wrong = {"another body": {"payload_hash": hashlib.sha256(b"{}").hexdigest()}, "no hash": {"payload_hash": None},
             "too old": {"iat": int(time.time()) - 400}, "over": {"exp": int(time.time()) - 1},
             "another account": {"api_key": "dcba4321"}}
    with report.check(f"what is left to whoever verifies is verified: {', '.join(wrong)}"):
        for what, other in wrong.items():
            status = 403 if "api_key" in other else 401
            equal(carrier.ask(body, shown=token(body, **other))[0], status, what)
    with report.check("what the daemon signs as Vonage, verify_signature accepts"):
        shown = tenant.sign("POST", tenant.url(), body)["authorization"].removeprefix("Bearer ")
        assert verify_signature(shown, SECRET)
        assert not verify_signature(shown, SECRET + "0")
        claims = jwt.decode(shown, SECRET, algorithms=["HS256"])
        equal(claims["payload_hash"], hashlib.sha256(body.encode()).hexdigest(), "payload_hash")
        equal(set(claims), {"iat", "jti", "iss", "payload_hash", "api_key", "application_id"}, "claims")


def modelled(action):
    """An action of a document as the library's models write it; a name that they lack is lost."""
    given = dict(action)
    if "from" in given:
        given["from_"] = given.pop("from")
    if "endpoint" in given:
        endpoints = []
        for endpoint in given["endpoint"]:
            fields = {name.replace("content-type", "contentType"): value for name, value in endpoint.items()}
            endpoints.append(ENDPOINTS[endpoint["type"]](**fields))
        given["endpoint"] = endpoints
    return ACTIONS[action["action"]](**given)


def same(document):
    """That every action is one of the library's, with fields that it has, of their types."""
    for action in document:
        written = modelled(action).model_dump(mode="json", by_alias=True, exclude_none=True)
        if "endpoint" in action:
            for ours, theirs in zip(action.pop("endpoint"), written.pop("endpoint"), strict=True):
                equal(ours, theirs, "endpoint")
        equal(action, written, action["action"])


def documents(report, carrier, numbers):
    """(b) Every action is one that vonage_voice's models take."""
    for name, number in numbers.items():
        with report.check(f"the document of {TARGETS[name].split(':')[0]}: is made of vonage_voice's models"):
            same(carrier.document(carrier.body(number, name)))


def api_client(standin):
    """The client speaks HTTPS to whichever host: what it sends goes to the stand-in."""

    class Instead(requests.adapters.HTTPAdapter):
        def send(self, request, **more):
            request.url = standin.url + request.path_url
            return super().send(request, **more)

    client = HttpClient(Auth(application_id=APPLICATION, private_key=PEM))
    client._session.mount("https://", Instead())
    return Voice(client)


def same_bearer(ours, theirs):
    """Tokens are new for each request: the same header and claims, for as long, by the same key."""
    def parts(shown):
        shown = shown.removeprefix("Bearer ")
        claims = jwt.decode(shown, PRIVATE.public_key(), algorithms=["RS256"])
        lasts = claims["exp"] - claims["iat"]
        return jwt.get_unverified_header(shown), claims["application_id"], sorted(claims), lasts

    equal(parts(ours), parts(theirs), "token")


def same_as(ours, theirs):
    same_request(ours, theirs, credentials=same_bearer)


def api(report, orders, carrier, voice):
    """(c) What the daemon asks of the API, and what the official client asks for the same."""
    standin = orders.standin
    with report.check("a call is placed as create_call places it"):
        ours, call = orders.dial()
        given = dict(ours.fields)
        given["from_"] = given.pop("from")
        request = CreateCallRequest(**given)
        same_as(ours, standin.asked(lambda: voice.create_call(request)))
        equal((given["to"][0]["number"], given["from_"]["number"]), (CONTACT[1:], orders.e164(0)[1:]), "parties")
    with report.check("it is hung up as hangup does it"):
        same_as(orders.hang_up(call["id"]), standin.asked(lambda: voice.hangup(PLACED)))
    with report.check("a call is redirected as transfer_call_ncco does it"):
        row = orders.tenant.call_of(uuid("sip"))
        ours = orders.redirect(row["id"])
        actions = [modelled(action) for action in ours.fields["destination"]["ncco"]]
        same_as(ours, standin.asked(lambda: voice.transfer_call_ncco(uuid("sip"), actions)))
        asked = actions[0].eventUrl[0]
        told = json.dumps({"payload": actions[0].payload, "conversation_uuid": "CON-1",
                           "timestamp": "2026-01-20T13:40:29.123Z"})
        document = carrier.document(told, asked.split(f"/carriers/{orders.tenant.name}/")[1])
        equal(document[0]["text"], "One moment.", "what follows")
    with report.check("calls are listed as list_calls lists them"):
        ours, since = orders.list_calls()
        equal(ours.query["date_start"], f"{since:%Y-%m-%d}T00:00:00Z", "date_start")
        same_as(ours, standin.asked(lambda: voice.list_calls(ListCallsFilter(**ours.query))))
    with report.check("a call of unknown fate is looked for as list_calls lists them"):
        ours = orders.lost()
        same_as(ours, standin.asked(lambda: voice.list_calls(ListCallsFilter(**ours.query))))


def run(report, stage):
    standin = stage.standin(answers)
    tenant = stage.tenant("vonage", account(standin))
    orders, carrier = Orders(tenant, standin, 206), Vonage(tenant)
    # What cannot be done there is refused when it is saved.
    numbers = orders.answered_by([name for name in TARGETS if name != "redirect"])
    webhooks(report, tenant, carrier, numbers)
    documents(report, carrier, numbers)
    api(report, orders, carrier, api_client(standin))
