# SPDX-License-Identifier: GPL-2.0-only
"""Replay samples.txt."""
import signal
import time

import pytest

from harness import SLOW, Sim, free_port, unescape
from samples import Sample, load, peer_step


class Played(Sample):
    """One conversation, with an emulator."""

    def play(self):
        ports = {"{port}": str(free_port()), "{port2}": str(free_port())}
        peers, servers = {}, {}
        with Sim(*self.options, raw=self.raw) as sim:
            self.window = None
            self.limit = 5
            for number, word, rest in self.steps:
                for key, value in ports.items():
                    rest = rest.replace(key, value)
                try:
                    self.step(sim, word, rest, peers, servers)
                except (AssertionError, OSError) as e:
                    raise AssertionError(f"line {number}: {e}") from None
            sim.quiet(50)
            for p in [*peers.values(), *servers.values()]:
                p.close()

    def step(self, sim, word, rest, peers, servers):
        if word == ">>":
            sim.send(unescape(rest))
        elif word == "<<":
            self.receive(sim, unescape(rest))
        elif word == "silence":
            sim.quiet(int(rest))
        elif word == "wait":
            time.sleep(int(rest) / 1000)
        elif word == "within":
            self.limit = int(rest) / 1000
        elif word == "later":
            self.window = [int(n) / 1000 for n in rest.split()]
        elif word == "ctl":
            sim.ctl(rest)
        elif word in ("stop", "cont"):
            sim.proc.send_signal(signal.SIGSTOP if word == "stop" else
                                 signal.SIGCONT)
        else:
            peer_step(word, rest, peers, servers)

    def receive(self, sim, want):
        start = time.monotonic()
        if self.window:
            sim.expect(want, self.window[1] + 1)
            took = time.monotonic() - start
            assert self.window[0] <= took <= self.window[1] * SLOW, \
                f"{want!r} came after {took:.2f} s"
        else:
            sim.expect(want, self.limit)
        self.window = None
        self.limit = 5


@pytest.mark.parametrize("sample", load(Played), ids=lambda s: s.name)
def test_sample(sample):
    sample.play()
