"""A server as a child of the comparison, and what all of them are given."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from installation import ROOT, TARGET, free_port

HERE = pathlib.Path(__file__).resolve().parent
BUILD = TARGET / "compare"

FIRST_CONTACT = 14151000000
FIRST_NUMBER = 18005550000
NUMBERS = 1000

SERVER_CPU = "0"
LOAD_CPU = "1" if (os.cpu_count() or 1) > 1 else "0"


def say(text):
    print(text, file=sys.stderr, flush=True)


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
    # No answer waits for them: they run when the generator does not, at once and not after a slice
    # of some milliseconds.
    answers_without_keepers = False

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
                if self.answers_without_keepers:
                    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
                else:
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
