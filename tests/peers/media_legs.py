"""Carriers' ends of a call: the webhooks around it, and its media socket's messages in each carrier's words."""

import audioop
import base64
import datetime
import json
import math
import struct
import urllib.parse
import uuid
import xml.etree.ElementTree as ElementTree

from . import bandwidth, plivo, signalwire_account, telnyx, twilio, twiml, vonage
from .common import equal, until
from .orders import CONTACT


def tone(hertz, seconds, rate=8000):
    """Mu-law."""
    samples = (int(8000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(int(rate * seconds)))
    return audioop.lin2ulaw(b"".join(struct.pack("<h", sample) for sample in samples), 2)


def base64_of(audio):
    return base64.b64encode(audio).decode()


class Leg:
    """What all have in common."""

    audio, clear, call_sid = "media", "clear", None
    # Fields of pipecat's messages that the carrier's pages leave out.
    needless = ()
    has_keys = True

    def __init__(self, standin):
        self.standin, self.shapes, self.sequence = standin, {}, 0
        self.call, self.stream = str(uuid.uuid4()), str(uuid.uuid4())

    def another(self):
        return type(self)(self.standin)

    def order(self, chunk):
        """Which piece is sent in this one's place; they count from one."""
        return chunk

    def heard(self, message):
        """What kind of message it is, and its audio in mu-law."""
        message = json.loads(message)
        payload = message.get("media", {}).get("payload")
        return message["event"], payload and base64.b64decode(payload)

    def same_audio(self, ours, theirs):
        """That a message of audio has the shape of pipecat's."""
        ours, theirs = (json.loads(message) for message in (ours, theirs))
        for message in (ours, theirs):
            message["media"]["payload"] = "..."
        equal(ours, {name: value for name, value in theirs.items() if name not in self.needless}, self.audio)

    def next(self):
        self.sequence += 1
        return self.sequence


class Twilio(Leg):
    """Twilio's Media Streams."""

    number = "+12015550180"

    def __init__(self, standin):
        super().__init__(standin)
        self.call = self.call_sid = f"CA{uuid.uuid4().hex}"
        self.stream = f"MZ{uuid.uuid4().hex}"

    def account(self):
        return twilio.account(self.standin)

    def carrier(self, tenant):
        return twiml.Carrier(tenant, twilio.SID, lambda _: self.call, twilio.signer())

    def rings(self, tenant):
        carrier = self.carrier(tenant)
        document = ElementTree.fromstring(carrier.document(carrier.params(self.number, "")))
        stream = document.find("Connect/Stream")
        self.parameters = {one.get("name"): one.get("value") for one in stream.iter("Parameter")}
        self.resume = document.find("Redirect").text
        return stream.get("url"), self.shows(stream)

    def shows(self, stream):
        """What the socket's upgrade is proven by."""
        return twilio.signer()(stream.get("url"), {})

    def begins(self):
        yield {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        start = {"accountSid": self.account()["account_id"], "streamSid": self.stream, "callSid": self.call, "tracks": ["inbound"],
                 "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                 "customParameters": self.parameters}
        yield {"event": "start", "sequenceNumber": str(self.next()), "start": start, "streamSid": self.stream}

    def says(self, audio, chunk):
        media = {"track": "inbound", "chunk": str(chunk), "timestamp": str(chunk * 20), "payload": base64_of(audio)}
        return {"event": "media", "sequenceNumber": str(self.next()), "media": media, "streamSid": self.stream}

    def presses(self, digit):
        dtmf = {"track": "inbound_track", "digit": digit}
        return {"event": "dtmf", "streamSid": self.stream, "sequenceNumber": str(self.next()), "dtmf": dtmf}

    def ends(self):
        stop = {"accountSid": self.account()["account_id"], "callSid": self.call}
        yield {"event": "stop", "sequenceNumber": str(self.next()), "stop": stop, "streamSid": self.stream}

    def over(self, tenant):
        carrier = self.carrier(tenant)
        said = carrier.params(self.number, "", CallStatus="completed", CallDuration="3")
        equal(carrier.ask(said, "status")[0] // 100, 2, "status callback")

    def is_hung_up(self, tenant, line):
        until(lambda: not line.is_open, "the socket stays open")
        path = self.resume.split(f"/carriers/{tenant.name}/")[1]
        carrier = self.carrier(tenant)
        document = carrier.document(carrier.params(self.number, "", CallStatus="in-progress"), path)
        assert "<Hangup/>" in document, document


class SignalWire(Twilio):
    """SignalWire's streams: Twilio's messages, and a token for the socket that the document gives."""

    number = "+12055550180"

    def __init__(self, standin):
        super().__init__(standin)
        self.call, self.call_sid = str(uuid.uuid4()), None

    def account(self):
        return signalwire_account.account(self.standin)

    def carrier(self, tenant):
        sign = lambda url, said: tenant.sign("POST", url, urllib.parse.urlencode(said))
        return twiml.Carrier(tenant, signalwire_account.PROJECT, lambda _: self.call, sign)

    def shows(self, stream):
        return {"Authorization": f"Bearer {stream.get('authBearerToken')}"}


class Telnyx(Leg):
    """Telnyx, Call Control."""

    number = "+12025550180"

    def account(self):
        return telnyx.account(self.standin, "telnyx")

    def rings(self, tenant):
        self.carrier = telnyx.Carrier(tenant, self.standin)
        name, request = self.carrier.commanded(self.carrier.rings(self.number, self.call))
        equal(name, "answer", "command")
        self.state = request.fields["client_state"]
        return request.fields["stream_url"], {}

    def order(self, chunk):
        """Neighbours come in each other's place, as they may."""
        return chunk + 1 if chunk % 2 else chunk - 1

    def begins(self):
        yield {"event": "connected", "version": "1.0.0"}
        start = {"user_id": telnyx.SID, "call_control_id": self.call, "call_session_id": "s", "from": CONTACT,
                 "to": self.number, "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}}
        yield {"event": "start", "sequence_number": str(self.next()), "start": start, "stream_id": self.stream}

    def says(self, audio, chunk):
        media = {"track": "inbound", "chunk": str(chunk), "timestamp": str(chunk * 20), "payload": base64_of(audio)}
        return {"event": "media", "sequence_number": str(self.next()), "media": media, "stream_id": self.stream}

    def presses(self, digit):
        return {"event": "dtmf", "stream_id": self.stream, "sequence_number": str(self.next()),
                "occurred_at": "2026-01-09T17:05:54.000000Z", "dtmf": {"digit": digit}}

    def ends(self):
        stop = {"user_id": telnyx.SID, "call_control_id": self.call}
        yield {"event": "stop", "sequence_number": str(self.next()), "stop": stop, "stream_id": self.stream}

    def over(self, tenant):
        body = self.carrier.body("call.hangup", self.call, hangup_cause="normal_clearing", to=self.number,
                                 **{"from": CONTACT})
        equal(self.carrier.send(body), 200, "call.hangup")

    def is_hung_up(self, tenant, line):
        until(lambda: not line.is_open, "the socket stays open")
        body = self.carrier.body("streaming.stopped", self.call, client_state=self.state)
        equal(self.carrier.commanded(body)[0], "hangup", "command")


class Plivo(Leg):
    """Plivo's audio streams."""

    number, audio, clear = "+12045550180", "playAudio", "clearAudio"
    needless = ("streamId",)

    def account(self):
        return plivo.account(self.standin)

    def rings(self, tenant):
        carrier = plivo.Plivo(tenant)
        document = ElementTree.fromstring(carrier.document(plivo.params(self.number, self.call)))
        self.resume, url = document.find("Redirect").text, document.find("Stream").text
        return url, tenant.sign("GET", url)

    def begins(self):
        start = {"callId": self.call, "streamId": self.stream, "accountId": plivo.ID, "tracks": ["inbound"],
                 "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}
        yield {"event": "start", "start": start, "extra_headers": "{}", "sequenceNumber": self.next()}

    def says(self, audio, chunk):
        media = {"track": "inbound", "timestamp": str(1791209784447 + chunk * 20), "chunk": chunk,
                 "payload": base64_of(audio)}
        return {"event": "media", "streamId": self.stream, "media": media, "extra_headers": "{}",
                "sequenceNumber": self.next()}

    def presses(self, digit):
        dtmf = {"track": "inbound", "digit": digit, "timestamp": "1791209784447"}
        return {"event": "dtmf", "streamId": self.stream, "dtmf": dtmf, "extra_headers": "{}",
                "sequenceNumber": self.next()}

    def ends(self):
        return []

    def over(self, tenant):
        said = plivo.params(self.number, self.call, CallStatus="completed", Event="Hangup", Duration="3")
        equal(plivo.Plivo(tenant).ask(said, "status")[0] // 100, 2, "hangup")

    def is_hung_up(self, tenant, line):
        until(lambda: not line.is_open, "the socket stays open")
        path = self.resume.split(f"/carriers/{tenant.name}/")[1]
        said = plivo.params(self.number, self.call, CallStatus="in-progress")
        document = plivo.Plivo(tenant).document(said, path)
        assert "<Hangup/>" in document, document


class Vonage(Leg):
    """Vonage's websockets: bytes are linear audio, texts are the rest."""

    number, audio = "+12065550180", "bytes"

    def account(self):
        return vonage.account(self.standin)

    def rings(self, tenant):
        self.carrier = vonage.Vonage(tenant)
        action = self.carrier.document(self.asks())[0]
        self.endpoint, self.step = action["endpoint"][0], action["eventUrl"][0]
        equal(self.endpoint["content-type"], "audio/l16;rate=8000", "content-type")
        return self.endpoint["uri"], {"Authorization": self.endpoint["authorization"]["value"]}

    def asks(self):
        body = json.loads(self.carrier.body(self.number, ""))
        return json.dumps(body | {"uuid": self.call})

    def begins(self):
        connected = {"event": "websocket:connected", "content-type": self.endpoint["content-type"]}
        yield connected | self.endpoint["headers"]

    def says(self, audio, chunk):
        return audioop.ulaw2lin(audio, 2)

    def heard(self, message):
        if isinstance(message, bytes):
            equal(len(message), 320, "bytes of a frame")
            return "bytes", audioop.lin2ulaw(message, 2)
        return json.loads(message)["action"], None

    def same_audio(self, ours, theirs):
        equal((type(ours), len(ours)), (type(theirs), len(theirs)), "bytes")

    def presses(self, digit):
        return {"event": "websocket:dtmf", "digit": digit, "duration": 260}

    def ends(self):
        return []

    def event(self, **said):
        return json.dumps({"conversation_uuid": "CON-1", "timestamp": "2026-01-20T13:40:29.123Z"} | said)

    def over(self, tenant):
        told = self.event(uuid=self.call, status="completed", direction="inbound", duration="3", to=self.number[1:],
                          start_time="2026-01-20T13:40:26.000Z", **{"from": CONTACT[1:]})
        equal(self.carrier.ask(told, "status")[0] // 100, 2, "event")

    def is_hung_up(self, tenant, line):
        until(lambda: not line.is_open, "the socket stays open")
        told = self.event(uuid=str(uuid.uuid4()), status="disconnected", direction="outbound",
                          to=self.endpoint["uri"], headers=self.endpoint["headers"], **{"from": self.number[1:]})
        path = self.step.split(f"/carriers/{tenant.name}/")[1]
        equal(self.carrier.document(told, path), [], "what follows: nothing, which ends the call")


class Bandwidth(Leg):
    """Bandwidth's streams. No key is told there."""

    number, audio, has_keys = "+12075550180", "playAudio", False

    def __init__(self, standin):
        super().__init__(standin)
        self.call = bandwidth.call_id(self.call)

    def account(self):
        return bandwidth.account(self.standin, user=bandwidth.API_USER, password=bandwidth.API_PASSWORD)

    def event(self, model, kind, **more):
        return self.carrier.event(model, self.number, "", event_type=kind, call_id=self.call, **more)

    def rings(self, tenant):
        self.carrier = bandwidth.Bandwidth(tenant)
        document = ElementTree.fromstring(self.carrier.document(self.event(bandwidth.InitiateCallback, "initiate")))
        stream = document.find("StartStream")
        self.parameters = {one.get("name"): one.get("value") for one in stream.iter("StreamParam")}
        self.resume = document.find("Redirect").get("redirectUrl")
        shown = bandwidth.basic(stream.get("destinationUsername"), stream.get("destinationPassword"))
        return stream.get("destination"), shown

    def begins(self):
        track = {"name": "inbound", "mediaFormat": {"encoding": "PCMU", "sampleRate": 8000}}
        metadata = {"accountId": bandwidth.ID, "callId": self.call, "streamId": self.stream, "streamName": "s",
                    "tracks": [track]}
        yield {"eventType": "start", "metadata": metadata, "streamParams": self.parameters}

    def says(self, audio, chunk):
        return {"eventType": "media", "track": "inbound", "sequenceNumber": str(self.next()),
                "payload": base64_of(audio)}

    def heard(self, message):
        message = json.loads(message)
        payload = message.get("media", {}).get("payload")
        return message["eventType"], payload and base64.b64decode(payload)

    def ends(self):
        metadata = {"accountId": bandwidth.ID, "callId": self.call, "streamId": self.stream, "streamName": "s"}
        yield {"eventType": "stop", "metadata": metadata}

    def over(self, tenant):
        now = datetime.datetime.now(datetime.UTC)
        told = self.event(bandwidth.DisconnectCallback, "disconnect", cause="hangup", answer_time=now, end_time=now)
        equal(self.carrier.ask(told, "status")[0] // 100, 2, "disconnect")

    def is_hung_up(self, tenant, line):
        until(lambda: not line.is_open, "the socket stays open")
        path = self.resume.split(f"/carriers/{tenant.name}/")[1]
        document = self.carrier.document(self.event(bandwidth.RedirectCallback, "redirect"), path)
        assert "<Hangup" in document, document
