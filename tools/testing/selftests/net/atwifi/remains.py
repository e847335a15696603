#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What is left of passwords in the memory of the machine, which the runner looks through.
Environment as for netdev.py; the runner hears of a secret at standard output and answers at
standard input.
"""

import contextlib
import errno
import re
import sys

from atwnet import Family, atwctl, join, main
from guest import DEV, becomes, check, same, sysfs, test

# As digits, as are all of them: else this program would have them in its own memory.
SSID, PASSWORD = b"kept", "4920616d206b65707420736563726574"
WRONG = "4920616d206e6f74207468617420616e"


def in_memory(secret):
    """How often the machine's memory has it, but as the module itself tells it."""
    # Not all kernels keep the word that tells the directory, but each its first program.
    with open("/proc/cmdline", encoding="ascii") as f:
        where = re.search(r"=(\S*/atwifi-vm\.[^/\s]+)", f.read()).group(1)
    print("@memory %s %s" % (where, secret), flush=True)
    return int(sys.stdin.readline())


def ask(family, command, password):
    """Has the module do what needs a password; what comes of it, as an errno."""
    size = len(password) // 2
    message = family.message(command, [
        (family.DEV, DEV.encode() + b"\0"), (2, SSID), (3, bytes(size + 1))])
    begin = len(message) - (size + 1 + 3) // 4 * 4
    for i in range(size):
        message[begin + i] = int(password[2 * i:2 * i + 2], 16)
    family.socket.send(message)
    for i in range(size):
        message[begin + i] = 0
    try:
        family.result()
    except OSError as e:
        return e.errno
    return 0


@contextlib.contextmanager
def elsewhere():
    try:
        with contextlib.closing(Family()) as family:
            yield family
    finally:
        join("atsim", "12345678")


@test
def of_a_network():
    """As long as the driver may have to join it again, and no longer."""
    with elsewhere() as family:
        same(0, ask(family, "join", PASSWORD), "join")
        becomes(lambda: sysfs("state") == "joined", "not joined")
        check(in_memory(PASSWORD), "it is not found where it must be")
        family.ask("leave", [(family.DEV, DEV.encode() + b"\0")])
        same(0, in_memory(PASSWORD), "in memory after it was left")


@test
def of_a_refused_join():
    with elsewhere() as family:
        same(errno.EKEYREJECTED, ask(family, "join", WRONG), "join")
        same(0, in_memory(WRONG), "in memory")


@test
def of_an_access_point():
    """It is the module's alone."""
    with elsewhere() as family:
        same(0, ask(family, "ap-set", PASSWORD), "access point")
        same(0, in_memory(PASSWORD), "in memory")
        atwctl("--off ap")


if __name__ == "__main__":
    sys.exit(main())
