"""Runs the peers that are named, each against a daemon of its own, and says how many checks failed."""

import argparse
import importlib
import pathlib
import sys
import tempfile
import time

from .common import Daemon, Report, StandIn, Tenant


class Stage:
    """A daemon, made when it is first needed, and what stands around it."""

    def __init__(self, binary, folder):
        self.binary, self.folder, self.running = binary, folder, None

    @property
    def daemon(self):
        if not self.running:
            self.running = Daemon(self.binary, self.folder)
        return self.running

    def standin(self, answers):
        standin = StandIn()
        standin.answers = answers
        return standin

    def tenant(self, name, account):
        return Tenant(self.daemon, name, account)

    def stop(self):
        if self.running:
            self.running.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("peers", nargs="+")
    arguments = parser.parse_args()
    binary = arguments.binary.resolve(strict=True)
    failed = 0
    for name in arguments.peers:
        report, started = Report(name), time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(binary, folder)
            try:
                with report.check("the checks come to their end"):
                    importlib.import_module(f".{name}", __package__).run(report, stage)
            finally:
                stage.stop()
        seconds = time.monotonic() - started
        print(f"{name:<11} {report.count - report.failed} of {report.count} checks, {seconds:.1f} s", flush=True)
        failed += report.failed
    sys.exit(1 if failed else 0)


main()
