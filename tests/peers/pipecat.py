"""A runtime made of the unmodified `pipecat-ai`, with its Twilio serializer, takes a call from Twilio and calls from other
carriers: it greets, is interrupted, and either side hangs up."""

import asyncio
import audioop
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy

os.environ.setdefault("LOGURU_LEVEL", "ERROR")

from pipecat.frames.frames import InterruptionFrame, OutputAudioRawFrame
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from . import media_legs
from .common import WAIT, equal, until
from .pipecat_bot import GOODBYE_HZ, GREETING_HZ, HUM_HZ

CALLER_HZ, RATE, PIECE = 440, 8000, 160


class Bot:
    """The bot as a child; what it has told."""

    def __init__(self):
        script = pathlib.Path(__file__).with_name("pipecat_bot.py")
        # The folder that it lies in has files by the names of packages.
        environment = os.environ | {"PYTHONSAFEPATH": "1"}
        self.child = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment)
        self.url = json.loads(self.child.stdout.readline())["url"]
        self.told = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.child.stdout:
            self.told.append(json.loads(line))

    def tells(self, what, since=0, **more):
        """Waits until it tells that."""
        is_it = lambda told: all(told.get(name) == value for name, value in ({"what": what} | more).items())
        return until(lambda: next(filter(is_it, self.told[since:]), None),
                     lambda: f"the bot does not tell {what} {more}, only {self.told[since:]}")

    def stop(self):
        self.child.kill()
        self.child.wait()


class Ear:
    """What the caller hears, and when."""

    def __init__(self):
        self.audio, self.events = b"", []

    def pitch(self, after=0):
        """The loudest pitch of what was heard from there, in its loud pieces, and for how many milliseconds."""
        pieces = [self.audio[at:at + PIECE] for at in range(after, len(self.audio) - PIECE + 1, PIECE)]
        loud = [piece for piece in pieces if audioop.rms(audioop.ulaw2lin(piece, 2), 2) > 1000]
        if not loud:
            return 0, 0
        samples = numpy.frombuffer(audioop.ulaw2lin(b"".join(loud), 2), dtype=numpy.int16).astype(float)
        return int(numpy.abs(numpy.fft.rfft(samples)).argmax() * RATE / len(samples)), len(loud) * 20


class Line:
    """The carrier's end of a call's media: speaks every 20 ms, and hears."""

    def __init__(self, leg, address, url, headers):
        self.leg, self.ear, self.hertz = leg, Ear(), None
        path = url.split("/media/")[1]
        self.socket = connect(f"ws://{address}/media/{path}", additional_headers=headers, open_timeout=WAIT)
        for message in leg.begins():
            self.send(message)
        self.is_open = True
        threading.Thread(target=self.hear, daemon=True).start()
        threading.Thread(target=self.speak, daemon=True).start()

    def send(self, message):
        """Bytes as they are, anything else as JSON."""
        self.socket.send(message if isinstance(message, bytes) else json.dumps(message))

    def hear(self):
        try:
            for message in self.socket:
                kind, audio = self.leg.heard(message)
                self.ear.events.append(kind)
                self.ear.audio += audio or b""
                self.leg.shapes.setdefault(kind, message)
        finally:
            self.is_open = False

    def speak(self):
        """A tone of that pitch, or silence; in real time."""
        voices = {hertz: media_legs.tone(hertz, 1.0) for hertz in (CALLER_HZ, GOODBYE_HZ)}
        sent, started = 0, time.monotonic()
        while self.is_open:
            sent += 1
            chunk = self.leg.order(sent)
            at = chunk * PIECE % RATE
            piece = voices[self.hertz][at:at + PIECE] if self.hertz else b"\xff" * PIECE
            try:
                self.send(self.leg.says(piece, chunk))
            except ConnectionClosed:
                return
            time.sleep(max(0, started + sent * 0.02 - time.monotonic()))

    def press(self, digit):
        self.send(self.leg.presses(digit))

    def hang_up(self):
        self.is_open = False
        for message in self.leg.ends():
            self.send(message)
        self.socket.close()


def scenes(report, tenant, bot, leg, name):
    """One call through everything, and a second one that the bot ends."""
    with report.check(f"{name}: the bot reads the call as one of Twilio's"):
        line, since = begin(tenant, bot, leg)
        call = bot.tells("call", since)
        equal(call["carrier"], "twilio", "the bot's reading")
        row = tenant.call_of(leg.call)
        equal(call["body"]["call_id"], row["id"], "call_id")
        equal(call["call_id"], leg.call_sid or f"CA{row['id'].replace('-', '')}", "callSid")
    with report.check(f"{name}: the caller hears the bot's greeting"):
        until(lambda: line.ear.pitch()[1] >= 500, lambda: f"heard {line.ear.pitch()}")
        hertz, _ = line.ear.pitch()
        assert abs(hertz - GREETING_HZ) <= 5, f"{hertz} Hz"
    if leg.has_keys:
        with report.check(f"{name}: the bot is told of a key"):
            line.press("1")
            bot.tells("pressed", since, key="1")
    with report.check(f"{name}: the caller hears the bot hum, and the bot hears the caller"):
        after = len(line.ear.audio)
        until(lambda: line.ear.pitch(after)[1] >= 300 and abs(line.ear.pitch(after)[0] - HUM_HZ) <= 5,
              lambda: f"heard {line.ear.pitch(after)}")
        line.hertz = CALLER_HZ
        hertz = bot.tells("heard", since)["hertz"]
        assert abs(hertz - CALLER_HZ) <= 10, f"{hertz} Hz"
    with report.check(f"{name}: who speaks interrupts: the carrier is told to clear, and the hum ends"):
        bot.tells("interrupted", since)
        until(lambda: leg.clear in line.ear.events, lambda: f"events {set(line.ear.events)}")
        line.hertz = None
        time.sleep(0.3)
        after = len(line.ear.audio)
        time.sleep(0.5)
        _, loud_ms = line.ear.pitch(after)
        equal(loud_ms, 0, "milliseconds of hum after it")
    with report.check(f"{name}: the caller hangs up, and the bot is told `stop` and closed with 1000"):
        line.hang_up()
        leg.over(tenant)
        bot.tells("message", since, event="stop")
        equal(bot.tells("closed", since)["code"], 1000, "close code")
        bot.tells("finished", since)
        until(lambda: tenant.call_of(leg.call)["status"] == "completed", "the call goes on")
    with report.check(f"{name}: the bot hangs up, and the carrier ends the call"):
        again = leg.another()
        line, since = begin(tenant, bot, again)
        bot.tells("call", since)
        until(lambda: line.ear.pitch()[1] >= 300, "the bot is not heard")
        if leg.has_keys:
            line.press("9")
        else:
            line.hertz = GOODBYE_HZ
        bot.tells("finished", since)
        again.is_hung_up(tenant, line)
    with report.check(f"{name}: a caller who is gone before the audio leaves no bot behind; nobody else's socket opens"):
        since, never = len(bot.told), leg.another()
        url, headers = never.rings(tenant)
        if headers:
            refused(tenant, url)
        bot.tells("call", since)
        never.over(tenant)
        bot.tells("message", since, event="stop")
        equal(bot.tells("closed", since)["code"], 1000, "close code")
        bot.tells("finished", since)
    return leg.shapes


def refused(tenant, url):
    """A media socket does not open without the carrier's proof, where it has one."""
    try:
        connect(f"ws://{tenant.daemon.edge}/media/{url.split('/media/')[1]}", open_timeout=WAIT).close()
    except InvalidStatus as error:
        assert error.response.status_code in (401, 403), error
    else:
        raise AssertionError("it opens without a proof")


def begin(tenant, bot, leg):
    since = len(bot.told)
    url, headers = leg.rings(tenant)
    return Line(leg, tenant.daemon.edge, url, headers), since


def words(report, name, shapes, serializer, leg):
    """What the carrier was sent is what pipecat's own serializer for that carrier would send."""
    with report.check(f"{name}: what the carrier is sent is as pipecat's {type(serializer).__name__} has it"):
        frame = OutputAudioRawFrame(audio=bytes(320), sample_rate=RATE, num_channels=1)

        async def said():
            serializer._sample_rate = RATE
            audio = None
            while not audio:
                audio = await serializer.serialize(frame)
            return audio, await serializer.serialize(InterruptionFrame())

        audio, clear = asyncio.run(said())
        leg.same_audio(shapes[leg.audio], audio)
        equal(json.loads(shapes[leg.clear]), json.loads(clear), leg.clear)


def run(report, stage):
    bot = Bot()
    try:
        standin = stage.standin(lambda request: (200, {"data": {"result": "ok"}}))
        options = lambda made: made.InputParams(auto_hang_up=False)
        twilios = lambda leg: TwilioFrameSerializer(leg.stream, params=options(TwilioFrameSerializer))
        for name, made, serializer in (
            ("twilio", media_legs.Twilio, twilios),
            ("signalwire", media_legs.SignalWire, twilios),
            ("telnyx", media_legs.Telnyx, lambda leg: TelnyxFrameSerializer(
                leg.stream, "PCMU", "PCMU", params=options(TelnyxFrameSerializer))),
            ("plivo", media_legs.Plivo, lambda leg: PlivoFrameSerializer(
                leg.stream, params=options(PlivoFrameSerializer))),
            ("vonage", media_legs.Vonage, lambda _: VonageFrameSerializer(
                VonageFrameSerializer.InputParams(vonage_sample_rate=RATE))),
            # Of which pipecat knows nothing.
            ("bandwidth", media_legs.Bandwidth, None),
        ):
            leg = made(standin)
            tenant = stage.tenant(name, leg.account())
            tenant.agent("Bot", leg.number, [bot.url])
            shapes = scenes(report, tenant, bot, leg, name)
            if serializer:
                words(report, name, shapes, serializer(leg), leg)
    finally:
        bot.stop()
