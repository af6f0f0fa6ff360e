#!/usr/bin/env python3
"""The daemon beside what people use today, in one run on one machine.

    benches/compare/run.sh [--short] [--json] [--only NAME,...] [--rounds N]

Every server does a return call's work over a million contacts: signature, look-up, an answer in
TwiML. The same signed requests go to each in turns, over 64 connections that are kept open. What
answers has one processor; the generator (`switchback load`) and what keeps things behind the
answers, which is Redis for the peers and the store's writer for the daemon, have the other. Each
peer is first asked whether it answers right, and refuses a wrong signature where it checks one.

For media, calls are talked over through each relay to the same echo: the daemon, `ws` on Node, and
tokio-tungstenite as it comes; what counts is the processor time of a frame there and back.

Peers are installed under target/compare by their own package managers; what cannot be had is said
and left out. Nothing of the system's services is touched. Standard library only.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BUILD = TARGET / "compare"

TOKEN = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70"
ACCOUNT_SID = "AC66acdc865fff60921f34dac80d62be2f"
PUBLIC_URL = "https://edge.example.com"
KEY = "sk_compare_0123456789abcdef0123456789abcdef"
OPERATOR_KEY = "op_compare_0123456789abcdef0123456789abcdef"
AGENT = "0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c"
FIRST_CONTACT = 14151000000
FIRST_NUMBER = 18005550000
NUMBERS = 1000
CONNECTIONS = 64
RATE = 2000

SERVER_CPU = "0"
LOAD_CPU = "1" if (os.cpu_count() or 1) > 1 else "0"

# What targets.md asks for: the daemon's requests a second against each peer's.
TARGETS = {"express": 28, "fastapi": 75, "kamailio": 7, "bare": 0.75}


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, child, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if child.poll() is not None:
            raise RuntimeError(f"it ended with code {child.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("it does not listen")


class Missing(Exception):
    """A peer that cannot be had here."""


class Server:
    """A server as a child, with all of its own children."""

    name = ""
    checks_signature = True
    expect = "<Stream"

    def __init__(self, stage):
        self.stage, self.port, self.child, self.log = stage, free_port(), None, None

    def start(self, command, env=None, cpu=SERVER_CPU, seconds=60):
        self.log = open(self.stage.folder / f"{self.name}.log", "wb")
        self.child = subprocess.Popen(
            ["taskset", "-c", cpu, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, **(env or {})},
            cwd=self.stage.folder,
            start_new_session=True,
        )
        try:
            wait_for_port(self.port, self.child, seconds)
        except RuntimeError as error:
            log = pathlib.Path(self.log.name).read_text(errors="replace")
            raise Missing(f"{error}: {log[-500:]}") from error

    def pids(self):
        """The child and what came of it: they are one session."""
        found = []
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    stat = pathlib.Path(entry.path, "stat").read_text()
                except OSError:
                    continue
                if int(stat.rsplit(")", 1)[1].split()[3]) == self.child.pid:
                    found.append(entry.name)
        return found

    # Threads that keep things behind the answers.
    keepers = ()

    def threads(self):
        """Its threads: id, whether it is a keeper's, processor time in seconds."""
        found = []
        for pid in self.pids():
            try:
                for task in os.scandir(f"/proc/{pid}/task"):
                    keeps = pathlib.Path(task.path, "comm").read_text().strip() in self.keepers
                    spent = int(pathlib.Path(task.path, "schedstat").read_text().split()[0])
                    found.append((int(task.name), keeps, spent / 1e9))
            except OSError:
                continue
        return found

    def cpu(self):
        """Processor time of what answers, and of what keeps."""
        threads = self.threads()
        return [sum(spent for _, keeps, spent in threads if keeps is which)
                for which in (False, True)]

    def part(self):
        """Keepers go to the other processor, behind the generator."""
        for thread, keeps, _ in self.threads():
            if keeps:
                os.sched_setaffinity(thread, {int(LOAD_CPU)})
                os.setpriority(os.PRIO_PROCESS, thread, 10)

    def stop(self):
        if self.child and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()


def run(command, **kwargs):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        raise Missing((done.stderr or done.stdout).strip()[-500:])
    return done.stdout


def need(program):
    found = shutil.which(program)
    if not found:
        raise Missing(f"{program} is not installed")
    return found


class Bare(Server):
    """hyper alone: the form is parsed by the usual library, a constant answered."""

    name, title, checks_signature = "bare", "bare hyper", False

    def begin(self):
        self.start([self.stage.servers, "bare", f"127.0.0.1:{self.port}"])


class Nginx(Server):
    name, title, checks_signature, expect = "nginx", "nginx return 200", False, "<Response"

    def begin(self):
        program = need("nginx")
        folder = self.stage.folder / "nginx"
        folder.mkdir()
        answer = (
            '<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream '
            'url="wss://edge.example.com/media/0190f7a2c4d87e3b9a6c5d4e3f2a1b0c"/></Connect></Response>'
        )
        (folder / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
            events {{ worker_connections 1024; }}
            http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
              client_body_temp_path {folder}; proxy_temp_path {folder};
              fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
              server {{ listen 127.0.0.1:{self.port}; default_type text/xml;
                location / {{ return 200 '{answer}'; }} }} }}"""
        )
        self.start([program, "-p", folder, "-c", folder / "nginx.conf"])


class Express(Server):
    name, title = "express", "Express + twilio + Redis"

    def begin(self):
        node, folder = need("node"), install_node()
        self.start([node, folder / "app.js"], self.stage.env(self.port) | {"NODE_ENV": "production"})


class FastApi(Server):
    name, title = "fastapi", "FastAPI + twilio + Redis"

    def begin(self):
        folder = install_python()
        uvicorn = ["-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", self.port,
                   "--workers", "1", "--no-access-log", "--log-level", "warning",
                   "--loop", "uvloop", "--http", "httptools", "--app-dir", HERE / "fastapi"]
        self.start([folder / "bin" / "python", *uvicorn], self.stage.env(self.port))


class Kamailio(Server):
    name, title, checks_signature = "kamailio", "Kamailio xhttp + htable", False

    def begin(self):
        program = need("kamailio")
        folder = self.stage.folder / "kamailio"
        folder.mkdir()
        config = (HERE / "kamailio" / "kamailio.cfg").read_text()
        config = config.replace("@PORT@", str(self.port))
        config = config.replace("@CONTACTS@", str(self.stage.contacts))
        (folder / "kamailio.cfg").write_text(config)
        self.start([program, "-f", folder / "kamailio.cfg", "-DD", "-E", "-w", folder, "-Y", folder,
                    "-P", folder / "pid", "-m", 2048, "-M", 64])
        # It listens before its table is full.
        end = time.monotonic() + 120
        while time.monotonic() < end:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            try:
                link.request("POST", "/", "", {"content-length": "0"})
                link.getresponse().read()
                return
            except OSError:
                time.sleep(0.2)
        raise Missing("its table is not filled in two minutes")


class Switchback(Server):
    name, title = "switchback", "switchback"
    keepers = ("store-writer", "index-writer")

    def begin(self):
        data = self.stage.folder / "switchback"
        filled = BUILD / f"filled-{self.stage.contacts}"
        if filled.exists():
            shutil.copytree(filled, data)
            self.serve(data)
            return
        data.mkdir()
        self.serve(data)
        self.fill()
        # What was written in a hurry is put in order by a start; and the next run begins there.
        self.stop()
        shutil.copytree(data, BUILD / "filling")
        (BUILD / "filling").rename(filled)
        self.serve(data)

    def serve(self, data):
        self.control, admin = free_port(), free_port()
        (data / "switchback.toml").write_text(
            f"""[edge]
            listen = "127.0.0.1:{self.port}"
            public_url = "{PUBLIC_URL}"
            [control]
            listen = "127.0.0.1:{self.control}"
            [admin]
            listen = "127.0.0.1:{admin}"
            [runtime]
            prewarm = false
            [telemetry]
            log_filter = "warn"
            [[carrier_accounts]]
            name = "main"
            kind = "twilio"
            account_id = "{ACCOUNT_SID}"
            secrets = ["{TOKEN}"]
            """
        )
        keys = {"SWITCHBACK_BOOTSTRAP_KEY": KEY, "SWITCHBACK_OPERATOR_KEY": OPERATOR_KEY}
        self.start([self.stage.switchback, "serve", "--config", data / "switchback.toml",
                    "--data-dir", data], keys)
        wait_for_port(self.control, self.child)
        # Its ports are bound before its index is filled; who asks meanwhile waits.
        ready = http.client.HTTPConnection("127.0.0.1", admin, timeout=120)
        ready.request("GET", "/readyz")
        if ready.getresponse().status != 200:
            raise RuntimeError("it is not ready")
        self.admin = admin
        self.part()

    def rows_dropped(self):
        """Call rows that its full queue dropped: the store cannot follow for ever."""
        link = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        link.request("GET", "/metrics")
        for line in link.getresponse().read().decode().splitlines():
            if line.startswith("switchback_journal_dropped_total"):
                return int(float(line.rsplit(" ", 1)[1]))
        return 0

    def ask(self, method, path, body, kind="application/json"):
        link = http.client.HTTPConnection("127.0.0.1", self.control, timeout=120)
        headers = {"authorization": f"Bearer {KEY}", "content-type": kind}
        link.request(method, path, body if isinstance(body, bytes) else json.dumps(body), headers)
        answer = link.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def fill(self):
        """Through the public API: numbers, two sources, their callback agent, everybody's touch."""
        numbers = []
        for n in range(NUMBERS):
            number = {"e164": f"+{FIRST_NUMBER + n}", "account": "main"}
            numbers.append(self.ask("POST", "/switchback/v1/numbers", number)["id"])
        sources = [
            self.ask("POST", "/v1/agents", {"name": name, "type": "outbound"})["id"]
            for name in ("first", "second")
        ]
        desk = {"name": "return desk", "type": "inbound", "number_ids": numbers,
                "targets": ["wss://bot.example.com/{agent_id}"]}
        desk = self.ask("POST", "/v1/agents", desk)["id"]
        self.ask("POST", f"/api/v1/agents/{desk}/callback", {"source_agent_ids": sources})
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        for start in range(0, self.stage.contacts, 10_000):
            lines = [
                json.dumps({"id": f"compare-{n}", "source_agent_id": sources[n % 2],
                            "contact": f"+{FIRST_CONTACT + n}", "at": at, "outcome": "no_answer",
                            "caller_id": f"+{FIRST_NUMBER + n % NUMBERS}"})
                for n in range(start, min(start + 10_000, self.stage.contacts))
            ]
            body = "\n".join(lines).encode()
            merged = self.ask("POST", "/switchback/v1/touches", body, "application/x-ndjson")
            if merged["accepted"] != len(lines):
                raise RuntimeError(f"touches: {merged}")


PEERS = [Bare, Nginx, Kamailio, Express, FastApi, Switchback]


def install_node():
    folder = BUILD / "express"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "express" / "package-lock.json").read_bytes()
    for name in ("package.json", "package-lock.json", "app.js", "relay.js"):
        shutil.copy(HERE / "express" / name, folder / name)
    done = folder / "installed"
    if not done.exists() or done.read_bytes() != wanted:
        say("installing Express and twilio ...")
        run([need("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
        done.write_bytes(wanted)
    return folder


def install_python():
    folder, wanted = BUILD / "python", (HERE / "fastapi" / "requirements.txt").read_bytes()
    done = folder / "installed"
    if not done.exists() or done.read_bytes() != wanted:
        say("installing FastAPI and twilio ...")
        run([sys.executable, "-m", "venv", "--clear", folder])
        run([folder / "bin" / "pip", "install", "-q", "-r", HERE / "fastapi" / "requirements.txt"])
        done.write_bytes(wanted)
    return folder


class Redis(Server):
    name = "redis"

    def begin(self):
        program, cli = need("redis-server"), need("redis-cli")
        self.start([program, "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no"], cpu=LOAD_CPU)
        feed = subprocess.Popen([cli, "-p", str(self.port), "--pipe"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL)
        for n in range(self.stage.contacts):
            feed.stdin.write(b"SET contact:+%d %s\r\n" % (FIRST_CONTACT + n, AGENT.encode()))
        feed.stdin.close()
        if feed.wait() != 0:
            raise Missing("Redis does not take the contacts")


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
        command = ["taskset", "-c", LOAD_CPU, self.switchback, "load", "calls",
                   "--url", f"http://127.0.0.1:{server.port}", "--public-url", PUBLIC_URL,
                   "--kind", "twilio", "--account", "main", "--account-id", ACCOUNT_SID,
                   "--secret", secret, "--connections", CONNECTIONS, "--seed", seed,
                   "--from", f"+{FIRST_CONTACT}-+{last}",
                   "--to", f"+{FIRST_NUMBER}-+{FIRST_NUMBER + NUMBERS - 1}",
                   "--expect", server.expect, "--json", *more]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise RuntimeError(f"switchback load: {done.stderr or done.stdout}") from error

    def talk(self, relay, echo, calls_at_once, seconds):
        command = ["taskset", "-c", LOAD_CPU, self.switchback, "load", "media",
                   "--url", f"http://127.0.0.1:{relay.port}", "--public-url", PUBLIC_URL,
                   "--kind", "twilio", "--account", "main", "--account-id", ACCOUNT_SID,
                   "--secret", TOKEN, "--to", f"+{FIRST_NUMBER}", "--calls", calls_at_once,
                   "--ramp", "1s", "--duration", f"{seconds}s", "--echo", echo, "--json"]
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
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    made = subprocess.run(
        ["cargo", "bench", "--locked", "--bench", "servers", "--no-run",
         "--message-format=json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in made.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "servers":
            return pathlib.Path(message["executable"])
    raise RuntimeError("the bench `servers` was not built")


def spread(values):
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3),
            "max": round(max(values), 3)}


def row(name, values, unit, ratios=None):
    return {"name": name, "value": round(statistics.median(values), 3), "unit": unit,
            "ratio": spread(ratios) if ratios else None,
            "spread": [round(min(values), 3), round(max(values), 3)]}


def calls(stage, servers, rounds, seconds):
    """Rounds of every server in turns, so that what changes on the machine changes for all."""
    fast = {server.name: [] for server in servers}
    most = {server.name: 4000 for server in servers}
    # Two only warm up, and tell how many requests fill the time.
    for turn in range(-2, rounds):
        for server in servers:
            seed = 100 + turn * 50 + servers.index(server)
            took = stage.throughput(server, most[server.name], seconds, seed)
            if turn >= 0:
                fast[server.name].append(took)
            else:
                most[server.name] = int(took["requests_per_second"] * seconds) + 1000
        say(f"round {turn + 1} of {rounds}" if turn >= 0 else "warming up")
    return fast


def latencies(stage, servers, rounds, seconds):
    calm = {server.name: [] for server in servers}
    for turn in range(rounds):
        for server in servers:
            seed = 1000 + turn * 50 + servers.index(server)
            calm[server.name].append(stage.at_rate(server, seconds, seed))
        say(f"{RATE}/s: round {turn + 1} of {rounds}")
    return calm


class MediaDaemon(Switchback):
    """The daemon with one number, whose agent is the echo."""

    name, title, keepers = "switchback media", "switchback", ()

    def begin(self):
        data = self.stage.folder / "media"
        data.mkdir()
        self.serve(data)
        number = {"e164": f"+{FIRST_NUMBER}", "account": "main"}
        number = self.ask("POST", "/switchback/v1/numbers", number)["id"]
        self.ask("POST", "/v1/agents", {"name": "echo", "type": "inbound", "number_ids": [number],
                                        "targets": [self.stage.echo]})


class NodeRelay(Server):
    name, title = "node ws", "Node ws"

    def begin(self):
        node, folder = need("node"), install_node()
        self.start([node, folder / "relay.js"],
                   {"PORT": str(self.port), "RUNTIME_URL": self.stage.echo,
                    "NODE_ENV": "production"})


class PlainRelay(Server):
    name, title = "tokio-tungstenite", "tokio-tungstenite"

    def begin(self):
        self.start([self.stage.servers, "relay", f"127.0.0.1:{self.port}", self.stage.echo])


def media(stage, left_out, calls_at_once, rounds, seconds):
    """Calls talked over through each relay in turns; the echo is the generator's."""
    place = f"127.0.0.1:{free_port()}"
    stage.echo = f"ws://{place}/"
    relays = []
    for kind in (PlainRelay, NodeRelay, MediaDaemon):
        relay = kind(stage)
        stage.up.append(relay)
        try:
            relay.begin()
            relays.append(relay)
        except Missing as why:
            left_out[kind.name] = str(why)
            say(f"left out: {kind.title}: {why}")
    took = {relay.name: [] for relay in relays}
    for turn in range(rounds):
        for relay in relays:
            cpu = sum(relay.cpu())
            told = stage.talk(relay, place, calls_at_once, seconds)
            cpu = sum(relay.cpu()) - cpu
            if told["failed"] or not told["frames_heard"]:
                raise RuntimeError(f"{relay.name}: {told['errors']} {told['error_texts']}")
            took[relay.name].append({
                "cpu_us": cpu * 1e6 / told["frames_heard"],
                "p99_us": told["latency_us"]["p99"],
                "lost": told["frames_lost"] / max(told["frames_said"], 1),
            })
        say(f"media: round {turn + 1} of {rounds}")
    rows, ours = [], took.get(MediaDaemon.name)
    for relay in relays:
        name = f"media, {calls_at_once} calls, {relay.title}"
        cpu = [one["cpu_us"] for one in took[relay.name]]
        cheaper = None
        if ours and relay.name != MediaDaemon.name:
            cheaper = [c / us["cpu_us"] for us, c in zip(ours, cpu)]
        rows.append(row(f"{name}: CPU a frame", cpu, "us", cheaper))
        rows.append(row(f"{name}: p99", [one["p99_us"] for one in took[relay.name]], "us"))
        rows.append(row(f"{name}: lost", [one["lost"] for one in took[relay.name]], "share"))
    return rows


def rows_of(servers, fast, calm):
    rows = []
    ours = fast.get("switchback")
    for server in servers:
        took = fast[server.name]
        rate = [one["requests_per_second"] for one in took]
        cpu = [one["cpu_us"] for one in took]
        faster = cheaper = None
        if ours and server.name != "switchback":
            faster = [us["requests_per_second"] / r for us, r in zip(ours, rate)]
            cheaper = [c / us["cpu_us"] for us, c in zip(ours, cpu)]
        rows.append(row(f"{server.name}: requests/s", rate, "1/s", faster))
        rows.append(row(f"{server.name}: CPU a request", cpu, "us", cheaper))
        if server.keepers:
            kept = [one["kept_us"] for one in took]
            rows.append(row(f"{server.name}: CPU a request behind the answer", kept, "us"))
        busy = [one["generator_busy"] for one in took]
        rows.append(row(f"{server.name}: the generator's own CPU", busy, "share"))
    base = calm.get("nginx")
    for name, took in calm.items():
        for what in ("p50_us", "p99_us"):
            values = [one[what] for one in took]
            ratios = None
            if base and name != "nginx":
                ratios = [v / max(b[what], 1) for v, b in zip(values, base)]
            rows.append(row(f"{name}: {what[:-3]} at {RATE}/s", values, "us", ratios))
    return rows


def verdicts(rows):
    """What was aimed at, and what came of it."""
    found = {one["name"]: one for one in rows}
    told = []
    for name, target in TARGETS.items():
        one = found.get(f"{name}: requests/s")
        if one and one["ratio"]:
            told.append({"name": f"requests/s against {name}", "target": f">= {target} x",
                         "is": one["ratio"]["median"], "met": one["ratio"]["median"] >= target})
    one = found.get(f"switchback: p99 at {RATE}/s")
    if one and one["ratio"]:
        told.append({"name": f"p99 at {RATE}/s against nginx", "target": "<= 1.5 x",
                     "is": one["ratio"]["median"], "met": one["ratio"]["median"] <= 1.5})
    return told


def show(report):
    print(f"{report['contacts']} contacts, {CONNECTIONS} connections, {report['rounds']} rounds in "
          "turns; server on one processor, generator on the other; median (least to most)\n")
    print(f"{'':<50}{'value':>12}{'':>7}  {'spread':<24}{'ratio':>8}  spread")
    for one in report["rows"]:
        least, most = one["spread"]
        text = f"{one['name']:<50}{one['value']:>12,.2f} {one['unit']:<6}  {least:,.2f} to {most:,.2f}"
        if one["ratio"]:
            ratio = one["ratio"]
            text = f"{text:<95}{ratio['median']:>8.2f}  {ratio['min']:.2f} to {ratio['max']:.2f}"
        print(text)
    print("\nA ratio is the daemon's requests/s over the peer's, the peer's CPU over the daemon's, "
          "or a\nlatency over nginx's, round by round.\n")
    for one in report["targets"]:
        print(f"{'met' if one['met'] else 'NOT MET':<8} {one['name']}: {one['is']:.2f} "
              f"(target {one['target']})")
    for name, why in report["left_out"].items():
        print(f"left out: {name}: {why}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--short", action="store_true", help="a tenth of the contacts, two rounds")
    parser.add_argument("--rounds", type=int, help="rounds of every server")
    parser.add_argument("--only", default="", help="these servers, by name: bare,nginx,...")
    parser.add_argument("--contacts", type=int, help="how many are remembered")
    parser.add_argument("--prepare", action="store_true", help="install, build and fill only")
    asked = parser.parse_args()
    rounds = asked.rounds or (2 if asked.short else 5)
    contacts = asked.contacts or (100_000 if asked.short else 1_000_000)
    if contacts > 1_000_000:
        parser.error("--contacts: at most 1000000")
    seconds = 1 if asked.short else 2
    calls_at_once = 50 if asked.short else 200
    names = [name for name in asked.only.split(",") if name]
    unknown = set(names) - {kind.name for kind in PEERS} - {"media"}
    if unknown:
        parser.error(f"--only: {', '.join(unknown)}: known are "
                     + ", ".join(kind.name for kind in PEERS) + ", media")
    BUILD.mkdir(parents=True, exist_ok=True)
    stage = Stage(contacts)
    try:
        servers, left_out = stage.raise_all(names)
        if asked.prepare:
            return
        fast = calls(stage, servers, rounds, seconds) if servers else {}
        quick = [s for s in servers if s.name in ("bare", "nginx", "switchback")]
        calm = latencies(stage, quick, rounds, 2 * seconds) if quick else {}
        rows = rows_of(servers, fast, calm)
        for server in servers:
            if server.name == "switchback":
                rows.append(row("switchback: call rows dropped", [server.rows_dropped()], "rows"))
        if not names or "media" in names:
            rows += media(stage, left_out, calls_at_once, min(rounds, 3), 2 * seconds)
    finally:
        stage.strike()
    report = {"bench": "compare", "contacts": contacts, "rounds": rounds,
              "connections": CONNECTIONS, "rows": rows, "targets": verdicts(rows),
              "left_out": left_out}
    if asked.json:
        print(json.dumps(report))
    else:
        show(report)


if __name__ == "__main__":
    main()
