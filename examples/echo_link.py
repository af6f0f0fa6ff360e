"""Says back what it hears, for as many calls as come on one socket: a target of `link:ws://127.0.0.1:8765`.

    pip install websockets
    python examples/echo_link.py --port 8765
"""

import argparse
import asyncio

import switchback_link


async def echo(call):
    async for message in call:
        if message["event"] == "start":
            print(call.about["callId"], message["start"]["customParameters"].get("reason"), flush=True)
        elif message["event"] == "media":
            payload = message["media"]["payload"]
            await call.send({"event": "media", "streamSid": message["streamSid"], "media": {"payload": payload}})
        elif message["event"] == "dtmf" and message["dtmf"]["digit"] == "#":
            return  # It hangs up.


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    arguments = parser.parse_args()
    async with switchback_link.serve(echo, arguments.host, arguments.port) as server:
        print("listening on", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
