"""Bandwidth, by its library `bandwidth-sdk`: the models of its callbacks, BXML's verbs, CallsApi."""

import base64
import datetime
import inspect
import json
import xml.etree.ElementTree as ElementTree

from bandwidth import ApiClient, CallsApi, Configuration
from bandwidth.models import (
    CreateCall,
    DisconnectCallback,
    InitiateCallback,
    MachineDetectionConfiguration,
    RedirectCallback,
    TransferCompleteCallback,
    UpdateCall,
    bxml,
)

from .common import JSON, equal, same_request
from .orders import CONTACT, TARGETS, Orders
from .twiml import same_document, snake

ID, APPLICATION = "9900000", "93de2206-9669-4e07-948d-329f4b722ee2"
USER, PASSWORD = "webhooks", "a:password"
API_USER, API_PASSWORD = "api-user", "api-password"
CLIENT, CLIENT_SECRET = "CLIENT-1", "client-secret"
PLACED = "c-15ac29a2-1331029c-2cb0-4a07-b215-b22865662d85"


def account(standin, **own):
    return own | {"kind": "bandwidth", "account_id": ID, "application_id": APPLICATION, "webhook_user": USER,
                  "webhook_password": PASSWORD, "api_url": standin.url}


def answers(request):
    """What Bandwidth's API answers, as far as the daemon and the client read it."""
    now = datetime.datetime.now(datetime.UTC).isoformat()
    match request.method, request.place:
        case "POST", "/api/v1/oauth2/token":
            return 200, {"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600}
        case "POST", place if place.endswith("/calls"):
            said = {"applicationId": APPLICATION, "accountId": ID, "callId": PLACED, "to": CONTACT,
                    "from": CONTACT, "callUrl": "https://voice.bandwidth.com/", "answerUrl": "https://h/",
                    "answerMethod": "POST", "disconnectMethod": "POST", "enqueuedTime": now, "callTimeout": 30,
                    "callbackTimeout": 15, "tag": "", "priority": 5}
            return 201, said
        case "GET", _:
            return 200, []
    return 200, None


def call_id(name):
    return f"c-15ac29a2-{name}"


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Bandwidth:
    """Who plays Bandwidth."""

    def __init__(self, tenant):
        self.tenant = tenant

    def event(self, model, to, call, **more):
        """An event, by the library's model of it."""
        now = datetime.datetime.now(datetime.UTC)
        given = {"event_time": now, "start_time": now, "account_id": ID, "application_id": APPLICATION,
                 "var_from": CONTACT, "to": to, "direction": "inbound", "call_id": call_id(call),
                 "call_url": f"https://voice.bandwidth.com/api/v2/accounts/{ID}/calls/{call_id(call)}"}
        made = model(**(given | more)).to_dict()
        return json.dumps(made, default=lambda value: value.isoformat().replace("+00:00", "Z"))

    def rings(self, to, call):
        return self.event(InitiateCallback, to, call, event_type="initiate")

    def ask(self, body, path="voice", headers=None):
        headers = (basic(USER, PASSWORD) if headers is None else headers) | {"Content-Type": JSON}
        return self.tenant.daemon.post(self.tenant.url(path), headers, body)

    def document(self, body, path="voice"):
        status, kind, document = self.ask(body, path)
        equal(status, 200, "status")
        assert kind.split(";")[0] in ("application/xml", "text/xml"), kind
        return document


def webhooks(report, tenant, carrier, numbers):
    """(a) Events are the library's models; Bandwidth signs nothing, and shows a user and password."""
    body = carrier.rings(numbers["say"], "webhooks")
    with report.check("an InitiateCallback with the account's user and password is answered"):
        assert "We are closed &amp; sorry." in carrier.document(body)
    with report.check("who shows another, or none, is refused"):
        shown = {"another password": basic(USER, "password"), "another user": basic("web", PASSWORD),
                 "none": {}, "no basic": {"Authorization": "Bearer x"}}
        for what, headers in shown.items():
            assert carrier.ask(body, headers=headers)[0] in (401, 403), what
    with report.check("what the daemon shows as Bandwidth is what the library's events come with"):
        equal(tenant.sign("POST", tenant.url(), body)["authorization"], basic(USER, PASSWORD)["Authorization"])


def verb(node):
    """A verb of the library's own, with the attributes that it is known to have."""
    made = getattr(bxml, node.tag, None)
    assert made, f"there is no <{node.tag}>"
    known = list(inspect.signature(made.__init__).parameters)[1:]
    given = {}
    for name, value in node.attrib.items():
        assert snake(name) in known, f"<{node.tag}> has no {name}"
        given[snake(name)] = value == "true" if value in ("true", "false") else value
    if node.text:
        assert known and known[0] not in given, f"<{node.tag}> holds no text"
        given[known[0]] = node.text
    built = made(**given)
    for child in node:
        assert hasattr(built, "add_verb"), f"<{node.tag}> holds no <{child.tag}>"
        built.add_verb(verb(child))
    return built


def same(document):
    root = ElementTree.fromstring(document)
    equal(root.tag, "Response", "root")
    same_document(document, bxml.Response([verb(node) for node in root]).to_bxml())


def documents(report, carrier, numbers):
    """(b) Every verb and attribute is one of bandwidth.models.bxml's."""
    found = {}
    for name, number in numbers.items():
        with report.check(f"the document of {TARGETS[name].split(':')[0]}: is bxml.Response's"):
            found[name] = carrier.document(carrier.rings(number, name))
            same(found[name])
    with report.check("the document after a TransferCompleteCallback is as well"):
        url = ElementTree.fromstring(found["tel"]).find("Transfer").get("transferCompleteUrl")
        body = carrier.event(TransferCompleteCallback, numbers["tel"], "tel", event_type="transferComplete",
                             cause="hangup")
        document = carrier.document(body, url.split(f"/carriers/{carrier.tenant.name}/")[1])
        assert "<Hangup" in document, document
        same(document)


def api_client(standin, **credentials):
    """The library's hosts are its operations' own, unless it is told to ask another."""
    configuration = Configuration(host=f"{standin.url}/api/v2", ignore_operation_servers=True, **credentials)
    return CallsApi(ApiClient(configuration))


def modelled(model, fields):
    """A body by the library's model of it, which no unknown name passes."""
    made = model.from_dict(fields)
    unknown = made.additional_properties
    assert not unknown, f"{model.__name__} has no {list(unknown)}"
    return made


# What the models write out of their own, each at its default.
DEFAULTS = ("callbackTimeout", "priority", "redirectMethod", "redirectFallbackMethod")


def api(report, orders, carrier, client):
    """(c) What the daemon asks of the API, and what the official client asks for the same."""
    standin = orders.standin
    with report.check("a call is placed as create_call places it"):
        ours, call = orders.dial()
        request = modelled(CreateCall, ours.fields)
        modelled(MachineDetectionConfiguration, ours.fields["machineDetection"])
        theirs = standin.asked(lambda: client.create_call(ID, request))
        same_part(ours, theirs, "machineDetection")
        same_request(ours, theirs, DEFAULTS + ("machineDetection",))
        equal((request.to, request.var_from), (CONTACT, orders.e164(0)), "parties")
    with report.check("it is hung up as update_call does it"):
        ours = orders.hang_up(call["id"])
        request = modelled(UpdateCall, ours.fields)
        same_request(ours, standin.asked(lambda: client.update_call(ID, PLACED, request)), DEFAULTS)
    with report.check("a call is redirected as update_call does it"):
        row = orders.tenant.call_of(call_id("sip"))
        ours = orders.redirect(row["id"])
        request = modelled(UpdateCall, ours.fields)
        same_request(ours, standin.asked(lambda: client.update_call(ID, call_id("sip"), request)))
        told = carrier.event(RedirectCallback, orders.e164(0), "sip", event_type="redirect")
        document = carrier.document(told, request.redirect_url.split(f"/carriers/{orders.tenant.name}/")[1])
        assert "One moment." in document, document
    with report.check("a call of unknown fate is looked for as list_calls lists them"):
        ours = orders.lost()
        since = ours.query["minStartTime"]
        parties = {"to": ours.query["to"], "var_from": ours.query["from"]}
        equal(parties, {"to": CONTACT, "var_from": orders.e164(0)}, "parties")
        same_request(ours, standin.asked(lambda: client.list_calls(ID, min_start_time=since, **parties)))


def same_part(ours, theirs, name):
    """That a part of ours is in the library's, which writes out defaults."""
    part = ours.fields[name]
    equal(part, {key: value for key, value in theirs.fields[name].items() if key in part}, name)


def tokens(report, stage, standin):
    """An account with a client fetches a token, as the library does."""
    tenant = stage.tenant("bandwidth-token", account(standin, client_id=CLIENT, client_secret=CLIENT_SECRET))
    orders = Orders(tenant, standin, 208)
    is_token = lambda request: request.place.endswith("/oauth2/token")
    with report.check("a token is asked for as Configuration asks, and shown as it is"):
        client = api_client(standin, access_token="", access_token_url=f"{standin.url}/api/v1/oauth2/token",
                            client_id=CLIENT, client_secret=CLIENT_SECRET)
        ours, _ = orders.dial(is_token)
        placed = standin.requests[-1]
        request = modelled(CreateCall, placed.fields)
        same_request(ours, standin.asked(lambda: client.create_call(ID, request), is_token))
        equal(placed.headers["authorization"], standin.requests[-1].headers["authorization"], "credentials")


def run(report, stage):
    standin = stage.standin(answers)
    tenant = stage.tenant("bandwidth", account(standin, user=API_USER, password=API_PASSWORD))
    orders, carrier = Orders(tenant, standin, 207), Bandwidth(tenant)
    numbers = orders.answered_by(TARGETS)
    webhooks(report, tenant, carrier, numbers)
    documents(report, carrier, numbers)
    api(report, orders, carrier, api_client(standin, username=API_USER, password=API_PASSWORD))
    tokens(report, stage, standin)
