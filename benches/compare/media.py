"""Calls talked over through the daemon and through other relays, to the same echo."""

from daemon import Switchback
from installation import free_port
from peers import install_node
from server import FIRST_NUMBER, Missing, Server, need, say
from told import row


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
