"""Many calls on one websocket, as a runtime: what `docs/runtime.md` calls a link. Needs `websockets` 13 or newer.

    async def answer(call):              # one task a call
        async for message in call:       # Twilio's messages, as dictionaries
            await call.send({...})       # and back; it waits while the caller's side is full
                                         # returning hangs up; raising sends the caller to the next target
    async with switchback_link.serve(answer, "0.0.0.0", 8765) as server:
        await server.serve_forever()
"""

import asyncio
import collections
import json
import logging

import websockets.asyncio.server

PROTOCOL = "switchback.link.v1"
# What may be under way of one call towards the caller, in bytes of messages.
WINDOW = 256 * 1024
# The longest message of the websocket that we write; one of more than 1 MiB ends the link.
MESSAGE = 256 * 1024
# Messages of one call that wait to be read: five seconds of audio. Past it the oldest audio goes.
WAITING_MAX = 250


class Closed(Exception):
    """The call, or the link under it, is no more."""


class Call:
    """One call. `about` is what the link tells of it: `callId`, `token`, `traceparent`."""

    def __init__(self, link, number, about):
        self.link, self.number, self.about = link, number, about
        self.dropped, self._waiting, self._room, self._closed = 0, collections.deque(), WINDOW, False
        self._heard, self._credited = asyncio.Event(), asyncio.Event()

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._heard.clear()
            await self._heard.wait()
        return json.loads(self._waiting.popleft())

    async def send(self, message):
        """Says something. At most 256 KiB at once, which is twenty seconds of mu-law."""
        text = json.dumps(message, separators=(",", ":"))
        size = len(text.encode())
        if size > WINDOW:
            raise ValueError("too much at once: cut the audio")
        while size > self._room and not self._closed:
            self._credited.clear()
            await self._credited.wait()
        if self._closed:
            raise Closed
        self._room -= size
        self.link.write(f"{self.number} {text}")

    def close(self, code=1000):
        """1000 hangs up; anything else sends the caller to the next target."""
        if not self._closed:
            self.link.write(f"{self.number} close {code}")
            self.ended()

    def ended(self):
        self._closed = True
        self.link.calls.pop(self.number, None)
        self._heard.set()
        self._credited.set()

    def hear(self, text):
        if len(self._waiting) >= WAITING_MAX:
            # What the agent would hear of the past goes first; what is no audio stays.
            audio = next((old for old in self._waiting if '"event":"media"' in old), None)
            if audio is None:
                return self.close(1011)
            self._waiting.remove(audio)
            self.dropped += 1
        self._waiting.append(text)
        self._heard.set()

    def credit(self, size):
        self._room += size
        self._credited.set()


class Link:
    def __init__(self, socket, answer):
        self.socket, self.answer, self.calls = socket, answer, {}
        self._lines, self._written, self._tasks = collections.deque(), asyncio.Event(), set()

    def write(self, line):
        self._lines.append(line)
        self._written.set()

    async def run(self):
        writer = asyncio.create_task(self._write())
        try:
            async for message in self.socket:
                for line in message.split("\n"):
                    if line:
                        self._hear(line)
        except websockets.ConnectionClosed:
            pass
        finally:
            writer.cancel()
            for call in list(self.calls.values()):
                call.ended()

    async def _write(self):
        while True:
            await self._written.wait()
            self._written.clear()
            # All that the calls have to say by now, in one message, or a few where it is much.
            while self._lines:
                lines, size = [], 0
                while self._lines and (not lines or size + len(self._lines[0]) < MESSAGE):
                    lines.append(self._lines.popleft())
                    size += len(lines[-1]) + 1
                await self.socket.send("\n".join(lines))

    def _hear(self, line):
        number, said = line.split(" ", 1)
        call = self.calls.get(int(number))
        if said.startswith("open "):
            call = self.calls[int(number)] = Call(self, int(number), json.loads(said[5:]))
            self.write(f"{number} accept")
            task = asyncio.create_task(self._answer(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif call is None:
            pass  # It has been closed a moment ago.
        elif said.startswith("{"):
            call.hear(said)
        elif said.startswith("credit "):
            call.credit(int(said[7:]))
        elif said.startswith("close"):
            call.ended()

    async def _answer(self, call):
        try:
            await self.answer(call)
            call.close(1000)
        except Closed:
            pass
        except Exception:
            logging.exception("call %s", call.about.get("callId"))
            call.close(1011)


def serve(answer, host, port):
    """A server of links: every call that comes on any of them is given to `answer`."""
    return websockets.asyncio.server.serve(
        lambda socket: Link(socket, answer).run(), host, port, subprotocols=[PROTOCOL], compression=None, max_size=2**21
    )
