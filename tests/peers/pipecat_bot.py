"""A bot as `pipecat-ai` has it built for Twilio, with nothing of the package changed: its websocket transport, its Twilio
serializer, its own reading of a call's first messages. No cloud service is needed: it hums and listens.

It greets with a tone and hums at length, stops when it is spoken to, and hangs up when `9` is pressed or somebody speaks
high. What happens to it, and what pitch it hears, is told on stdout, one JSON object a line.
"""

import asyncio
import json
import math
import socket
import struct

import fastapi
import numpy
import uvicorn
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import (
    EndWorkerFrame,
    InputAudioRawFrame,
    InputDTMFFrame,
    OutputAudioRawFrame,
    VADUserStartedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

RATE = 8000
GREETING_HZ, HUM_HZ = 523, 659
GOODBYE_HZ = 880


def tell(what, **more):
    print(json.dumps({"what": what} | more), flush=True)


def tone(hertz, seconds):
    samples = (int(8000 * math.sin(2 * math.pi * hertz * at / RATE)) for at in range(int(RATE * seconds)))
    return b"".join(struct.pack("<h", sample) for sample in samples)


class Loudness(VADAnalyzer):
    """Whatever is loud speaks: a tone is no speech to a model that was trained on people."""

    def num_frames_required(self):
        return self.sample_rate // 50

    def voice_confidence(self, buffer):
        samples = numpy.frombuffer(buffer, dtype=numpy.int16).astype(float)
        return 1.0 if math.sqrt((samples**2).mean()) > 1000 else 0.0


class Hummer(FrameProcessor):
    """What the bot does."""

    def __init__(self):
        super().__init__()
        self.heard = b""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.listen(frame.audio)
            return
        await self.push_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            tell("interrupted")
            await self.broadcast_interruption()
        elif isinstance(frame, InputDTMFFrame):
            tell("pressed", key=frame.button.value)
            if frame.button.value == "9":
                await self.hang_up()

    async def hang_up(self):
        # What it is saying would be said to its end first.
        await self.broadcast_interruption()
        await self.push_frame(EndWorkerFrame())

    async def listen(self, audio):
        """Says what the loudest pitch of each 200 ms is, where it is loud."""
        self.heard += audio
        while len(self.heard) >= 3200:
            samples = numpy.frombuffer(self.heard[:3200], dtype=numpy.int16).astype(float)
            self.heard = self.heard[3200:]
            if math.sqrt((samples**2).mean()) > 1000:
                hertz = int(numpy.abs(numpy.fft.rfft(samples)).argmax() * RATE / len(samples))
                tell("heard", hertz=hertz)
                if abs(hertz - GOODBYE_HZ) <= 10:
                    await self.hang_up()


async def serve_call(websocket: fastapi.WebSocket):
    await websocket.accept()
    carrier, call = await parse_telephony_websocket(websocket)
    tell("call", carrier=carrier, call_id=call.call_id, stream_id=call.stream_id, body=dict(call.body))
    serializer = TwilioFrameSerializer(
        stream_sid=call.stream_id,
        call_sid=call.call_id,
        # Ending the socket ends the call; the bot has no account at the carrier.
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0, serializer=serializer
        ),
    )
    analyzer = Loudness(params=VADParams(start_secs=0.1, stop_secs=0.2, min_volume=0.0))
    hummer = Hummer()
    stages = [transport.input(), VADProcessor(vad_analyzer=analyzer), hummer, transport.output()]
    params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    worker = PipelineWorker(Pipeline(stages), params=params)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(_transport, _websocket):
        says = tone(GREETING_HZ, 0.6) + tone(HUM_HZ, 20)
        await worker.queue_frames([OutputAudioRawFrame(audio=says, sample_rate=RATE, num_channels=1)])

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(_transport, _websocket):
        tell("disconnected")
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    tell("finished")


class Watched:
    """The app, and what goes over its sockets: the package itself tells neither `stop` nor the close code."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def received():
            message = await receive()
            if message["type"] == "websocket.disconnect":
                tell("closed", code=message.get("code"))
            elif message.get("text") and '"media"' not in message["text"]:
                tell("message", event=json.loads(message["text"]).get("event"))
            return message

        await self.app(scope, received, send)


def main():
    app = fastapi.FastAPI()
    app.add_api_websocket_route("/ws", serve_call)
    listener = socket.create_server(("127.0.0.1", 0))
    tell("listening", url=f"ws://127.0.0.1:{listener.getsockname()[1]}/ws")
    config = uvicorn.Config(Watched(app), log_level="warning", lifespan="off")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
