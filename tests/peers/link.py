"""The client for links in `examples/`, and the bot made with it: several calls on one socket, each as if it had its own."""

import os
import pathlib
import subprocess
import sys

from . import media_legs
from .common import until
from .pipecat import CALLER_HZ, Line

CALLS = 5


class Bot:
    """The example as it lies there."""

    def __init__(self):
        script = pathlib.Path(__file__).parents[2] / "examples" / "echo_link.py"
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        command = [sys.executable, script, "--port", "0"]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        port = int(self.child.stdout.readline().rsplit(" ", 1)[1])
        self.target = f"link:ws://127.0.0.1:{port}/calls"

    def stop(self):
        self.child.kill()
        self.child.wait()


def run(report, stage):
    bot, first = Bot(), media_legs.Twilio(stage.standin(lambda request: (200, {})))
    try:
        tenant = stage.tenant("twilio", first.account())
        tenant.agent("Bot", first.number, [bot.target, "say:Please call again."])
        calls = [(leg, Line(leg, tenant.daemon.edge, *leg.rings(tenant)))
                 for leg in (first.another() for _ in range(CALLS))]
        with report.check(f"{CALLS} callers hear themselves, on one socket"):
            for _, line in calls:
                line.hertz = CALLER_HZ
            for _, line in calls:
                until(lambda: line.ear.pitch()[1] >= 500, lambda: f"heard {line.ear.pitch()}")
                hertz, _ = line.ear.pitch()
                assert abs(hertz - CALLER_HZ) <= 10, f"{hertz} Hz"
        with report.check("one caller presses a key, and the bot hangs up that call alone"):
            leg, line = calls.pop()
            line.press("#")
            leg.is_hung_up(tenant, line)
            assert all(line.is_open for _, line in calls), "another call has ended"
        with report.check("one caller hangs up, and the others go on"):
            leg, line = calls.pop()
            line.hang_up()
            leg.over(tenant)
            before = [len(line.ear.audio) for _, line in calls]
            until(lambda: all(len(line.ear.audio) > heard + 8000 for (_, line), heard in zip(calls, before)),
                  "another call is not heard any more")
        with report.check("the bot dies, and every call goes on to the next target"):
            bot.stop()
            for leg, line in calls:
                until(lambda: not line.is_open, "the socket stays open")
                path = leg.resume.split(f"/carriers/{tenant.name}/")[1]
                carrier = leg.carrier(tenant)
                document = carrier.document(carrier.params(leg.number, "", CallStatus="in-progress"), path)
                assert "Please call again." in document, document
    finally:
        bot.stop()
