"""What people would use instead, and the ceilings."""

import http.client
import shutil
import subprocess
import sys
import time

from server import BUILD, FIRST_CONTACT, HERE, LOAD_CPU, Missing, Server, need, run, say

# Who takes a call, in the peers' Redis.
AGENT = "0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c"


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
