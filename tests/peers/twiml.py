"""What carriers that took over Twilio's words have in common: documents, held against the verbs of an official
library, and the requests to their API, held against an official client's."""

import inspect
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

from .common import FORM, equal, same_request
from .orders import CONTACT, TARGETS


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def rebuilt(document, response, own=()):
    """The document, written by the library's own verbs where each may stand, with the attributes that each is known
    to have. `own` are attributes of the carrier's that its library leaves to whoever knows."""
    root = ElementTree.fromstring(document)
    assert root.tag == "Response", root.tag
    for element in root:
        nest(response, element, own)
    return str(response)


def nest(parent, element, own):
    verb = getattr(type(parent), snake(element.tag), None)
    assert verb, f"<{element.tag}> is none of <{parent.name}>'s verbs"
    parameters = list(inspect.signature(verb).parameters.values())[1:]
    named = {parameter.name: parameter for parameter in parameters if parameter.kind != parameter.VAR_KEYWORD}
    given = {}
    for name, value in element.attrib.items():
        assert snake(name) in named or name in own, f"<{element.tag}> has no {name}"
        given[snake(name)] = value
    if element.text:
        first = next(iter(named), None)
        assert first and first not in given, f"<{element.tag}> holds no text"
        given[first] = element.text
    made = verb(parent, **given)
    for child in element:
        nest(made, child, own)


def same_document(ours, theirs):
    """That two documents say the same, whatever the order of attributes."""
    ours, theirs = (ElementTree.canonicalize(text) for text in (ours, theirs))
    assert ours == theirs, f"ours {ours}, theirs {theirs}"


# The carrier's id for a number.
NUMBER_ID = "PN" + "0" * 32


class Carrier:
    """Who plays the carrier: `sign` gives the header of a form's signature by the carrier's own library."""

    def __init__(self, tenant, account_id, call_id, sign):
        self.tenant, self.account_id, self.call_id, self.sign = tenant, account_id, call_id, sign

    def params(self, to, call, **more):
        """What is said of a call that comes in; of an answered one, what is said of it then."""
        said = {"AccountSid": self.account_id, "ApiVersion": "2010-04-01", "CallSid": self.call_id(call),
                "CallStatus": "ringing", "Called": to, "Caller": CONTACT, "CallerName": "Ann & Bo ñ",
                "Direction": "inbound", "From": CONTACT, "FromCity": "SAN FRANCISCO",
                "StirVerstat": "TN-Validation-Passed-A", "To": to}
        return said | more

    def ask(self, said, path="voice", sent=None, signed_as=None):
        """Sends a form that is signed over `said` and `signed_as`; what comes instead are `sent` and `path`."""
        url = self.tenant.url(path)
        headers = self.sign(signed_as or url, said) | {"Content-Type": FORM}
        return self.tenant.daemon.post(url, headers, urllib.parse.urlencode(sent or said))

    def document(self, said, path="voice"):
        status, kind, document = self.ask(said, path)
        equal((status, kind), (200, "text/xml"), "answer")
        return document


def answers(base, placed):
    """What such an API answers, as far as the daemon and the clients read it."""
    dated = {"date_created": "Thu, 01 Jan 2026 12:00:00 +0000", "date_updated": None}
    number = dict.fromkeys(
        ("api_version", "beta", "friendly_name", "sms_application_sid", "sms_fallback_method",
         "sms_fallback_url", "sms_method", "sms_url", "status_callback", "status_callback_method", "uri",
         "voice_application_sid", "voice_caller_id_lookup", "voice_fallback_method", "voice_fallback_url",
         "voice_method", "trunk_sid"), "") | dated
    number |= {"sid": NUMBER_ID, "phone_number": "+14155550123", "capabilities": {"voice": True},
               "voice_url": "https://old.example.com/voice"}
    offer = dict.fromkeys(("friendly_name", "lata", "rate_center", "postal_code", "beta", "capabilities"), "")
    offer |= {"phone_number": "+14155550123", "iso_country": "US", "region": "CA", "latitude": "1", "longitude": "1"}

    def answer(request):
        match request.method, request.place.removeprefix(base).split("/")[1].removesuffix(".json"):
            case "POST", "Calls":
                is_new = request.place == f"{base}/Calls.json"
                return (201, {"sid": placed, "status": "queued"}) if is_new else (200, {"sid": placed})
            case "POST", _:
                return (503, {}) if "14155550124" in request.body.decode() else (201, number)
            case _, "AvailablePhoneNumbers":
                return 200, {"available_phone_numbers": [offer], "next_page_uri": None}
            case _, "IncomingPhoneNumbers" if NUMBER_ID in request.place:
                return 200, number
            case _, "IncomingPhoneNumbers":
                found = [] if "PhoneNumber" in request.query else [number]
                return 200, {"incoming_phone_numbers": found, "next_page_uri": None}
        return 200, {"calls": [], "next_page_uri": None}

    return answer


def documents(report, carrier, numbers, response, own=()):
    """Every verb and attribute is one of the library's, and stands where it may."""
    found = {}
    for name, number in numbers.items():
        with report.check(f"the document of {TARGETS[name].split(':')[0]}: is VoiceResponse's"):
            found[name] = carrier.document(carrier.params(number, name))
            same_document(found[name], rebuilt(found[name], response(), own))
    with report.check("the document after a dial that was answered is as well"):
        url = re.search(r'action="([^"]*)"', found["tel"])[1].replace("&amp;", "&")
        path = url.split(f"/carriers/{carrier.tenant.name}/")[1]
        said = carrier.params(numbers["tel"], "tel", CallStatus="in-progress", DialCallStatus="completed")
        document = carrier.document(said, path)
        assert "<Hangup/>" in document, document
        same_document(document, rebuilt(document, response()))
    return found


def keywords(fields):
    """A form's fields as the client's keyword arguments, which no unknown name passes."""
    named = {snake(name): value for name, value in fields.items()}
    if "from" in named:
        named["from_"] = named.pop("from")
    return named


def calls(report, orders, carrier, client, placed):
    """What the daemon asks of the API about calls, and what the official client asks for the same."""
    standin = orders.standin
    with report.check("a call is placed as calls.create places it"):
        ours, call = orders.dial()
        same_request(ours, standin.asked(lambda: client.calls.create(**keywords(ours.fields))))
        equal((ours.fields["To"], ours.fields["From"]), (CONTACT, orders.e164(0)), "parties")
        equal(ours.fields["Url"].split("?")[0], carrier.tenant.url(), "Url")
        equal(ours.fields["MachineDetection"], "Enable", "MachineDetection")
    with report.check("it is hung up as calls(sid).update does it"):
        ours = orders.hang_up(call["id"])
        same_request(ours, standin.asked(lambda: client.calls(placed).update(status="completed")))
    with report.check("a call is redirected as calls(sid).update does it"):
        dialled = carrier.call_id("sip")
        ours = orders.redirect(carrier.tenant.call_of(dialled)["id"])
        same_request(ours, standin.asked(lambda: client.calls(dialled).update(**keywords(ours.fields))))
        path = ours.fields["Url"].split(f"/carriers/{carrier.tenant.name}/")[1]
        said = carrier.params(orders.e164(0), "sip", CallStatus="in-progress")
        assert "One moment." in carrier.document(said, path)
    with report.check("calls are listed as calls.list lists them"):
        ours, since = orders.list_calls()
        # Of a date the library makes midnight; both are in Twilio's pages.
        day = f"{since:%Y-%m-%d}"
        same_request(ours, standin.asked(lambda: client.calls.list(start_time_after=day, page_size=1000)))


def numbers_for_sale(report, orders, client):
    """The same about numbers."""
    standin, offered = orders.standin, client.available_phone_numbers("US")
    with report.check("numbers are looked for as available_phone_numbers lists them"):
        ours, offers = orders.search()
        equal(offers[0]["phone_number"], "+14155550123", "the offer")
        look = lambda: offered.local.list(area_code="415", voice_enabled="true", page_size=5)
        same_request(ours, standin.asked(look))
        ours, _ = orders.search("number_type=toll_free&limit=5")
        same_request(ours, standin.asked(lambda: offered.toll_free.list(voice_enabled="true", page_size=5)))
    with report.check("a number is bought as incoming_phone_numbers.create buys it"):
        ours = orders.buy("+14155550123")
        same_request(ours, standin.asked(lambda: client.incoming_phone_numbers.create(**keywords(ours.fields))))
    with report.check("a number is found as incoming_phone_numbers.list finds it"):
        ours = orders.find("+14155550124")
        find = lambda: client.incoming_phone_numbers.list(phone_number="+14155550124")
        same_request(ours, standin.asked(find))


def pointing(report, orders, client):
    """The same about who answers a number."""
    standin = orders.standin
    with report.check("numbers are listed as incoming_phone_numbers.list lists them"):
        same_request(orders.listed(), standin.asked(lambda: client.incoming_phone_numbers.list(page_size=1000)))
    with report.check("a number is pointed here as incoming_phone_numbers(sid).update does it"):
        ours, = orders.pointed("+14155550123")
        update = lambda: client.incoming_phone_numbers(NUMBER_ID).update(**keywords(ours.fields))
        same_request(ours, standin.asked(update))
        equal(ours.fields["VoiceUrl"].split("#")[0], orders.tenant.url(), "VoiceUrl")


def lost(report, orders, client):
    """The same about a call whose fate nobody knows."""
    with report.check("a call of unknown fate is looked for as calls.list lists it"):
        ours = orders.lost()
        given = keywords(ours.query)
        given["start_time_after"] = given.pop("start_time>")
        equal((given["from_"], given["to"]), (orders.e164(0), CONTACT), "parties")
        same_request(ours, orders.standin.asked(lambda: client.calls.list(**given)))
