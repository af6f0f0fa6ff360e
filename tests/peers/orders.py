"""Brings about every request that the daemon has for a carrier's API, through the public API, and gives them."""

import datetime

from .common import until

# Who is called, and who calls.
CONTACT = "+14155550117"

# What each number of a tenant is answered with. Numbers are a tenant's own: two digits tell them apart.
TARGETS = {
    "media": "builtin:echo",
    "tel": "tel:+14155550199",
    "sip": "sip:desk@pbx.example.com",
    "redirect": "redirect:https://other.example.com/voice",
    "say": "say:We are closed & sorry.",
    "busy": "busy",
    "reject": "reject",
}


class Orders:
    """A tenant at one carrier, whose API the stand-in plays."""

    def __init__(self, tenant, standin, area):
        self.tenant, self.standin, self.area = tenant, standin, area
        self.caller = tenant.agent(
            "Caller", self.e164(0), ["builtin:echo"], "outbound", voicemail_action="hangup"
        )

    def e164(self, at):
        """A number of the tenant's own."""
        return f"+1{self.area}55501{at:02}"

    def answered_by(self, targets):
        """An agent for each of those targets: their numbers by the target's name."""
        numbers = {}
        for at, name in enumerate(targets, 1):
            numbers[name] = self.e164(at)
            self.tenant.agent(name, self.e164(at), [TARGETS[name]])
        return numbers

    def dial(self, is_it=lambda request: request.method == "POST"):
        """A call that is placed: the request, and our row of it."""
        body = {"agent_id": self.caller, "to": CONTACT}
        place = lambda: self.tenant.ask("POST", "/v1/calls", body)
        return self.standin.next(place, is_it)

    def hang_up(self, call):
        path = f"/switchback/v1/calls/{call}/hangup"
        return self.standin.asked(lambda: self.tenant.ask("POST", path, {}))

    def redirect(self, call, target="say:One moment."):
        path = f"/switchback/v1/calls/{call}/transfer"
        return self.standin.asked(lambda: self.tenant.ask("POST", path, {"target": target}))

    def list_calls(self):
        since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
        path = f"/switchback/v1/carrier-accounts/{self.tenant.name}/import-calls"
        body = {"since": since.strftime("%Y-%m-%dT%H:%M:%SZ"), "dry_run": True}
        return self.standin.asked(lambda: self.tenant.ask("POST", path, body)), since

    def search(self, query="area_code=415&limit=5"):
        """Numbers that are looked for, and what of the carrier's answer the client is told."""
        path = f"/v1/numbers/available?{query}"
        return self.standin.next(lambda: self.tenant.ask("GET", path))

    def buy(self, e164):
        path = "/v1/numbers/purchase"
        ask = lambda: self.tenant.ask("POST", path, {"phone_number": e164})
        return self.standin.asked(ask, lambda request: request.method == "POST")

    def find(self, e164):
        """The number is looked for where nobody knows whether it was bought: the stand-in must not say."""
        path = "/v1/numbers/purchase"
        ask = lambda: self.tenant.tell("POST", path, {"phone_number": e164})
        return self.standin.asked(ask, lambda request: request.method == "GET")

    def listed(self):
        """The account's numbers, as the carrier lists them."""
        path = f"/switchback/v1/carrier-accounts/{self.tenant.name}/numbers"
        return self.standin.asked(lambda: self.tenant.ask("GET", path))

    def pointed(self, e164):
        """A number that is pointed here: every change that is asked for. The stand-in forgets them, so that it comes
        to nothing."""
        path = f"/switchback/v1/carrier-accounts/{self.tenant.name}/numbers/point"
        before = len(self.standin.requests)
        said = self.tenant.ask("POST", path, {"numbers": [e164], "passthrough": False})
        changes = [request for request in self.standin.requests[before:] if request.method != "GET"]
        assert changes, f"nothing was changed: {said}"
        return changes

    def lost(self):
        """A call whose fate nobody knows is looked for at the next start."""
        known, self.standin.answers = self.standin.answers, lambda request: (503, {})
        self.dial()
        self.standin.answers = known
        until(lambda: self.tenant.calls()[0]["status"] != "queued", "the call still waits")

        def again():
            self.tenant.daemon.stop()
            self.tenant.daemon.start()

        return self.standin.asked(again, lambda request: request.method == "GET")
