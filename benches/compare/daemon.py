"""The daemon, filled through its own public API."""

import http.client
import json
import shutil
import time

import installation
from server import BUILD, FIRST_CONTACT, FIRST_NUMBER, NUMBERS, Server


class Switchback(Server):
    name, title = "switchback", "switchback"
    # Carriers are answered by threads of their own (edge-0); the runtime's make rows of calls.
    keepers = ("store-writer", "index-writer", "tokio-rt-worker")
    answers_without_keepers = True

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
        self.control, admin = installation.free_port(), installation.free_port()
        settings = installation.settings(self.port, self.control, admin)
        (data / "switchback.toml").write_text(settings)
        self.start([self.stage.switchback, "serve", "--config", data / "switchback.toml",
                    "--data-dir", data], installation.KEYS)
        installation.wait_until_ready(admin, self.child)
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
        return installation.ask(self.control, method, path, body, kind)

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
