"""All servers of a run, in a temporary folder, and the loads that are put on them."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from daemon import Switchback
from installation import ACCOUNT_SID, BUILDING, PUBLIC_URL, TOKEN
from peers import Bare, Express, FastApi, Kamailio, Nginx, Redis
from server import FIRST_CONTACT, FIRST_NUMBER, LOAD_CPU, NUMBERS, ROOT, TARGET, Missing, say

CONNECTIONS = 64
RATE = 2000

PEERS = [Bare, Nginx, Kamailio, Express, FastApi, Switchback]


class Stage:
    """What all have in common, in a temporary folder."""

    def __init__(self, contacts):
        self.contacts, self.redis = contacts, None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="switchback-compare-"))
        self.switchback, self.servers = TARGET / "release" / "switchback", built_servers()
        self.up = []

    def env(self, port):
        return {"PORT": str(port), "REDIS_PORT": str(self.redis.port), "PUBLIC_URL": PUBLIC_URL,
                "TWILIO_AUTH_TOKEN": TOKEN}

    def raise_all(self, names):
        """Starts Redis and the peers; what is left out, and why."""
        left_out = {}
        if not names or {"express", "fastapi"} & set(names):
            self.redis = Redis(self)
            self.up.append(self.redis)
            try:
                self.redis.begin()
            except Missing as why:
                left_out["redis"] = str(why)
        for kind in PEERS:
            if names and kind.name not in names:
                continue
            if "redis" in left_out and kind in (Express, FastApi):
                left_out[kind.name] = "there is no Redis"
                continue
            server = kind(self)
            self.up.append(server)
            try:
                say(f"starting {kind.title} ...")
                server.begin()
                self.ask_first(server)
            except Missing as why:
                server.stop()
                self.up.remove(server)
                left_out[kind.name] = str(why)
                say(f"left out: {kind.title}: {why}")
        return [server for server in self.up if server is not self.redis], left_out

    def ask_first(self, server):
        """Whether it answers right, and refuses whom it should."""
        told = self.load(server, ["--rate", "100", "--duration", "500ms", "--ramp", "0s"])
        if told["failed"] or not told["answered"]:
            raise Missing(f"it does not answer as it should: {told['error_texts']}")
        if server.checks_signature:
            told = self.load(server, ["--rate", "20", "--duration", "500ms", "--ramp", "0s"],
                             secret="wrong" + TOKEN)
            if set(told["errors"]) != {"status_403"} or told["answered"]:
                raise Missing(f"it takes wrong signatures: {told['errors']}")

    def load(self, server, more, secret=TOKEN, seed=1):
        last = FIRST_CONTACT + self.contacts - 1
        return self.generate("calls", server, secret, [
            "--connections", CONNECTIONS, "--seed", seed, "--from", f"+{FIRST_CONTACT}-+{last}",
            "--to", f"+{FIRST_NUMBER}-+{FIRST_NUMBER + NUMBERS - 1}", "--expect", server.expect, *more])

    def talk(self, relay, echo, calls_at_once, seconds):
        return self.generate("media", relay, TOKEN, [
            "--to", f"+{FIRST_NUMBER}", "--calls", calls_at_once, "--ramp", "1s",
            "--duration", f"{seconds}s", "--echo", echo])

    def generate(self, what, server, secret, more):
        """What the generator reports, from its own processor."""
        command = ["taskset", "-c", LOAD_CPU, self.switchback, "load", what,
                   "--url", f"http://127.0.0.1:{server.port}", "--public-url", PUBLIC_URL,
                   "--kind", "twilio", "--account", "main", "--account-id", ACCOUNT_SID,
                   "--secret", secret, "--json", *more]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise RuntimeError(f"switchback load: {done.stderr or done.stdout}") from error

    def throughput(self, server, requests, seconds, seed):
        """A closed loop; every request is signed before the first is sent."""
        cpu, kept = server.cpu()
        told = self.load(server, ["--rate", "max", "--requests", requests, "--ahead", requests,
                                  "--ramp", "0s", "--duration", f"{seconds}s"], seed=seed)
        cpu, kept = (now - before for now, before in zip(server.cpu(), (cpu, kept)))
        if told["failed"]:
            raise RuntimeError(f"{server.name}: {told['errors']} {told['error_texts']}")
        return {
            "requests_per_second": told["answered_per_second"],
            "cpu_us": cpu * 1e6 / max(told["answered"], 1),
            "kept_us": kept * 1e6 / max(told["answered"], 1),
            "generator_busy": max(told["generator"]["cpu_share"], default=0),
        }

    def at_rate(self, server, seconds, seed):
        told = self.load(server, ["--rate", RATE, "--duration", f"{seconds}s", "--ramp", "500ms"],
                         seed=seed)
        latency, service = told["latency_us"], told["service_us"]
        return {"p50_us": latency["p50"], "p99_us": latency["p99"], "p99.9_us": latency["p99.9"],
                "service_p99_us": service["p99"], "failed": told["failed"],
                "answered_share": told["answered"] / max(told["sent"], 1),
                "generator_suspect": told["generator"]["was_bottleneck"]}

    def strike(self):
        for server in reversed(self.up):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def built_servers():
    """Builds the daemon, the generator and the ceilings; no more than is out of date."""
    if os.environ.get("COMPARE_BUILT"):
        return pathlib.Path(os.environ["COMPARE_BUILT"])
    say("building ...")
    made = subprocess.run(
        [*BUILDING, "--message-format=json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in made.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "servers":
            return pathlib.Path(message["executable"])
    raise RuntimeError("the bench `servers` was not built")
