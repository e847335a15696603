# SPDX-License-Identifier: GPL-2.0-only
"""Read samples.txt."""
import os
import shlex

from harness import accept, dial, listen, unescape

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "samples.txt")


class Sample:
    """One conversation: its steps are (line, word, rest of the line)."""

    def __init__(self, name):
        self.name = name
        self.options = []
        self.raw = False
        self.steps = []

    def add(self, number, line):
        word, _, rest = line.partition(" ")
        if word == "opt":
            self.options += shlex.split(rest)
        elif word == "raw":
            self.raw = True
        else:
            self.steps.append((number, word, rest))


def load(kind=Sample):
    """All samples of the file."""
    samples = []
    with open(PATH, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("== "):
                samples.append(kind(line[3:]))
            elif line and not line.startswith("# ") and line != "#":
                samples[-1].add(number, line)
    return samples


def peer_step(word, rest, peers, servers):
    """What the other end of a connection does."""
    name, _, arg = rest.partition(" ")
    addr, _, port = arg.partition(":")
    if word == "listen":
        servers[name] = listen(addr, int(port))
    elif word == "accept":
        peers[name] = accept(servers[name])
    elif word == "dial":
        peers[name] = dial(int(port), addr)
    elif word == "put":
        peers[name].send(unescape(arg))
    elif word == "get":
        peers[name].expect(unescape(arg))
    elif word == "shut":
        peers[name].close()
    else:
        raise ValueError("unknown step: " + word)
