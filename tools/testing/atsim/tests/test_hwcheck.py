# SPDX-License-Identifier: GPL-2.0-only
"""hwcheck, which compares a module with samples.txt, against modules that are known."""
import importlib.machinery
import importlib.util
import os
import re
import socketserver
import subprocess
import sys
import termios
import threading

import pytest

from common import end
from harness import BINARY, SLOW, WRAP, Sim, poll
from samples import load

HWCHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../hwcheck")
# It has half the patience that the tests have: it waits for some of that in each sample.
os.environ.setdefault("ATSIM_TEST_SLOW", str(SLOW / 2))
SECRETS = ("my,home", "mysecret", "7c:b9:4c:1d:d6:31", "7cb94c1dd631", "14:de:39:06:86:e4")


@pytest.fixture(scope="module")
def hwcheck():
    loader = importlib.machinery.SourceFileLoader("hwcheck", HWCHECK)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("hwcheck", loader))
    loader.exec_module(module)
    return module


def check(sim, *args):
    """What it prints, and its exit status; and nothing in the module has changed."""
    ask = ("AT+UARTCFG?", "AT+WJAP?", "AT+SOCKET?", "AT+WSDHCP?", "AT+WMODE?")

    def state():
        out = b""
        for line in ask:
            sim.send(line.encode() + b"\r\n")
            out += sim.until(b"OK\r\n")
        return out

    before = state()
    sim.close()
    run = subprocess.run([HWCHECK, "--module", "unix:" + sim.path, *args], text=True,
                         stdin=subprocess.DEVNULL, capture_output=True)
    print(run.stdout, run.stderr)
    sim.sock, sim.buf = sim.connect(), b""
    if "--restart" not in args:
        assert state() == before
    for secret in SECRETS:
        assert secret not in run.stdout + run.stderr
    return run.stdout, run.returncode


def test_hwcheck_middleware():
    with Sim("--ap", r"my,home:mysecret", "--mac", SECRETS[2],
             "--host", "www.baidu.com=14.119.104.189") as sim:
        out, status = check(sim, "--peer", "127.0.0.1")
    assert status == 0
    assert "taken for: middleware" in out
    for name in ("send", "list of sockets", "a client that loses its peer", "busy", "version"):
        assert re.search("^holds +%s " % name, out, re.M), name


@pytest.mark.parametrize("profile", ["classic", "bw16", "bw20", "p23"])
def test_hwcheck(profile):
    # Its echo is on.
    with Sim("--profile", profile, "--ap", "my,home:mysecret", "--mac", SECRETS[2],
             echo=True) as sim:
        out, status = check(sim, *(["--restart"] if profile == "bw16" else []))
        if profile == "bw16":
            assert re.search(r"^holds +boot \(bw16\)", out, re.M)
    assert status == 0
    assert "taken for: " + profile in out
    assert len(re.findall("^holds", out, re.M)) >= 9


def test_hwcheck_tty(tmp_path):
    """By a serial line, as a user has it: the rate is found, and the line left as it was."""
    line = str(tmp_path / "tty")

    def settings():
        fd = os.open(line, os.O_RDWR | os.O_NOCTTY)
        try:
            return termios.tcgetattr(fd)
        finally:
            os.close(fd)

    options = ("--uart-rate", "921600", "--profile", "bw20", "--ap", "my,home:mysecret",
               "--mac", SECRETS[2])
    with subprocess.Popen([*WRAP, BINARY, "--pty", line, *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as sim:
        try:
            poll(lambda: os.path.exists(line), "atsim starts", 10)
            before = settings()
            run = subprocess.run([HWCHECK, "--module", "tty:" + line], text=True,
                                 stdin=subprocess.DEVNULL, capture_output=True)
            print(run.stdout, run.stderr)
            assert settings() == before
        finally:
            end(sim)
    assert run.returncode == 0
    assert re.search("^921600 bit/s, ", run.stdout, re.M)
    assert "taken for: bw20" in run.stdout
    assert len(re.findall("^holds", run.stdout, re.M)) >= 9
    for secret in SECRETS:
        assert secret not in run.stdout + run.stderr


def test_hwcheck_differs():
    """What is not as it is known is found, and shown."""
    with Sim("--ap", "my,home:mysecret", "--mac", SECRETS[2], "--without", "AT+WSDHCP",
             "--quirk", "error-at=0") as sim:
        sim.send(b"AT+WSDHCP?\r\n")
        answer = sim.until(b"\n").decode()
        sim.close()
        run = subprocess.run([HWCHECK, "--module", "unix:" + sim.path], text=True,
                             stdin=subprocess.DEVNULL, capture_output=True)
        sim.sock = sim.connect()
    assert run.returncode == 1
    assert re.search("^differs +dhcp ", run.stdout, re.M)
    assert "came  '%s'" % repr(answer)[1:-1] in run.stdout


class Stranger(socketserver.StreamRequestHandler):
    """A module of which nobody here knows: few commands, and words of its own."""

    def handle(self):
        for line in self.rfile:
            line = line.rstrip(b"\r\n").decode()
            self.server.heard.append(line)
            self.wfile.write({
                "AT": "\r\nOK\r\n",
                "AT+GMR": "firmware_version:NEW/V9.1\r\n\r\nOK\r\n",
                "AT+WJAP?": "\r\n+WJAP:3,my,home,mysecret,7c:b9:4c:1d:d6:31\r\nOK\r\n",
                "AT+SOCKET?": "\r\nOK\r\n"}.get(line, "\r\nNOT YET ERROR\r\n").encode())


def test_hwcheck_stranger(hwcheck, tmp_path):
    """What it says is shown, without what is private, and it is asked nothing that lasts."""
    path = str(tmp_path / "uart")
    with socketserver.UnixStreamServer(path, Stranger) as server:
        server.heard = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        run = subprocess.run([HWCHECK, "--module", "unix:" + path], text=True,
                             stdin=subprocess.DEVNULL, capture_output=True)
        server.shutdown()
        thread.join()
    assert run.returncode == 1
    assert "taken for: middleware" in run.stdout
    assert re.search("^holds +list of no sockets ", run.stdout, re.M)
    assert re.search("^differs +dhcp ", run.stdout, re.M)
    assert r"came  '\r\nNOT YET ERROR\r\n'" in run.stdout
    for secret in SECRETS:
        assert secret not in run.stdout + run.stderr
    for line in server.heard:
        assert line.endswith("?") or not line or hwcheck.HARMLESS.fullmatch(line), line


def test_hwcheck_nobody(tmp_path):
    run = subprocess.run([HWCHECK, "--module", "unix:%s/none" % tmp_path], text=True,
                         capture_output=True)
    assert run.returncode == 2 and "No such file" in run.stderr


def test_hwcheck_in_use(hwcheck, monkeypatch, capsys):
    """What the driver has is said to be in use."""
    def refuses(*_):
        raise termios.error(25, "Inappropriate ioctl for device")

    ends = os.openpty()
    monkeypatch.setattr(sys, "argv", ["hwcheck", "--module", "tty:" + os.ttyname(ends[1])])
    monkeypatch.setattr(termios, "tcflush", refuses)
    assert hwcheck.main() == 2
    assert "Inappropriate ioctl for device: is it in use?" in capsys.readouterr().err
    for fd in ends:
        os.close(fd)


@pytest.mark.parametrize("error, status, asked", [(KeyboardInterrupt, 130, False),
                                                  (OSError("gone"), 2, True)])
def test_hwcheck_ends_early(hwcheck, monkeypatch, error, status, asked):
    """Before or after the module asks for payload: nothing is left of it."""
    receive = hwcheck.Conversation.receive

    def fails(self, line, wanted):
        if asked:
            receive(self, line, wanted)
        if self.talk and self.talk[-1][0].startswith(b"AT+SOCKETSEND"):
            raise error
        if not asked:
            receive(self, line, wanted)

    with Sim("--ap", "my,home:mysecret") as sim:
        sim.close()
        monkeypatch.setattr(hwcheck.Conversation, "receive", fails)
        monkeypatch.setattr(sys, "argv", ["hwcheck", "--module", "unix:" + sim.path,
                                          "--peer", "127.0.0.1"])
        assert hwcheck.main() == status
        sim.sock, sim.buf = sim.connect(), b""
        sim.send(b"AT+SOCKET?\r\n")
        assert not re.search(rb"(?m)^\d+,", sim.until(b"OK\r\n"))


def test_hwcheck_harmless(hwcheck):
    """Nothing that lasts is ever asked, with whatever option."""
    class Args:
        peer, restart = "192.0.2.1", True

    asked = set()
    for known in (hwcheck.Known(s) for s in load()):
        if known.why_not(Args, 0) is None:
            asked |= {r.partition("=")[0] for w, r in known.sent if w == ">>"}
    assert any(line.startswith("AT+SOCKETSEND") for line in asked)
    assert not hwcheck.HARMLESS.fullmatch(r"AT+SOCKET=4,127.0.0.1,1\r\nAT+RST")
    for line in asked:
        assert not re.match(r"ATE|AT\+(UARTCFG$|WJAP$|WMODE|RST|RESTORE|SOCKETAUTOTT|SOCKETTT|"
                            r"SOCKETRECVCFG|WAUTOCONN|WSDHCP$|WDNS$|SSLCRET|SLEEP|SYSMSG)", line)


def test_hwcheck_masks(hwcheck):
    class Line:
        @staticmethod
        def ask(_):
            return b"\r\n+WJAP:3,home,secret99,14:de:39:06:86:e4,x\r\nOK\r\n"

    report = hwcheck.Report(Line)
    for data, sent in ((b"\r\n+WJAP:4,home,secret99,a\r\nOK\r\n", b"AT+WJAP?\r\n"),
                       (b"SSID:home\r\nPassword:secret99\r\n14:de:39:06:86:e4,b\r\n", b"AT+STAINFO?"),
                       (b"2 home,6,WPA2 AES,-50,14:de:39:06:86:e4\r\n", b"AT+WSCAN\r\n"),
                       (b"\r\nready home secret99 14de390686e4\r\n", b"AT\r\n")):
        said = report.masked(data, sent)
        for secret in ("home", "secret99", "14:de", "14de"):
            assert secret not in said
    assert report.masked(b"\r\n+WJAP:74\r\nERROR\r\n", b"AT+WJAP?") == r"\r\n+WJAP:74\r\nERROR\r\n"
