# SPDX-License-Identifier: GPL-2.0-only
"""What the programs that run tests share."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.normpath(os.path.join(HERE, "../.."))
SETUP = os.path.join(HERE, "vm/setup")
ATSIM = os.path.join(HERE, "atsim")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "atwifi")
# What a make that runs us was told is not for those that we run.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in (
    "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "KDIR", "MO", "ARCH", "CROSS_COMPILE")}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """By the signal that is its argument."""


def interrupt(signum, unused_frame):
    for sig in SIGNALS:
        signal.signal(sig, signal.SIG_IGN)
    raise Interrupted(signum)


def on_signals(handler):
    for sig in SIGNALS:
        signal.signal(sig, handler)


def set_nice(session, nice):
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, session, nice)
        # Where the kernel schedules a session as one, that is what counts.
        with open("/proc/%d/autogroup" % session, "w", encoding="ascii") as f:
            f.write(str(nice))


def profiles():
    """The firmware that the emulator has the ways of."""
    with open(os.path.join(ATSIM, "profile.c"), encoding="utf-8") as table:
        return re.findall(r'\.name = "(\w+)"', table.read())


@contextlib.contextmanager
def locked(path):
    """One builder of a thing at a time; who waited finds it built."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def make(*what):
    """Builds; what is said is shown if that fails, and all ends."""
    done = subprocess.run(["make", "-j2", *what], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=ENVIRONMENT)
    if done.returncode:
        sys.exit(done.stdout + "the programs could not be built")


def prepared(target, what="build", run=subprocess.run):
    """Where WHAT of a target of vm/setup is, which is prepared if need be; "" if it cannot be."""
    for _ in range(2):
        path = run([SETUP, "--print", what, target], stdout=subprocess.PIPE,
                   stderr=subprocess.DEVNULL, text=True).stdout.strip()
        if path or run([SETUP, target], stdout=sys.stderr).returncode:
            break
    return path


def end(process, seconds=30):
    """Ends a process, gently if it heeds that in time."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def emulator(path, *options, line="--unix", **kw):
    """An emulated module on a unix socket, or on what else LINE says, which is there meanwhile."""
    with locked(os.path.join(ATSIM, ".obj/lock")):
        make("-C", ATSIM)
    with subprocess.Popen([os.path.join(ATSIM, "atsim"), line, path, *options],
                          stdin=subprocess.DEVNULL, **kw) as sim:
        try:
            while not os.path.exists(path) and sim.poll() is None:
                time.sleep(0.02)
            yield
        finally:
            end(sim)
