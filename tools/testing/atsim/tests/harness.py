# SPDX-License-Identifier: GPL-2.0-only
"""Run an emulator and talk to it."""
import contextlib
import functools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from common import end

BINARY = os.environ.get("ATSIM", "./atsim")
SLOW = float(os.environ.get("ATSIM_TEST_SLOW", "6"))    # valgrind needs more
WRAP = os.environ.get("ATSIM_TEST_WRAP", "").split()


# The family whose every byte is known; a test of another one says so.
PROFILE = "middleware"


@functools.cache
def families():
    """The traits of each family, as "--quirk help" has them."""
    out = subprocess.run([BINARY, "--quirk", "help"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    head, *rows = (line.split() for line in out.splitlines())
    return {name: {row[0]: int(row[n]) for row in rows}
            for n, name in enumerate(head) if n}


def poll(condition, what, timeout=5):
    """Wait until condition() holds."""
    end = time.monotonic() + timeout * SLOW
    while not condition():
        assert time.monotonic() < end, "timeout: " + what
        time.sleep(0.005)


def unescape(text):
    r"""Bytes from text with \r, \n, \xNN."""
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


class Wire:
    """One side of a byte stream, with exact expectations."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""

    def send(self, data):
        self.sock.settimeout(30 * SLOW)
        self.sock.sendall(data)

    def more(self, timeout):
        """Read what there is; False on timeout or end."""
        self.sock.settimeout(max(timeout, 0.001))
        try:
            data = self.sock.recv(65536)
        except (TimeoutError, BlockingIOError, ConnectionResetError):
            return False
        self.buf += data
        return bool(data)

    def fill(self, enough, timeout):
        end = time.monotonic() + timeout * SLOW
        while not enough():
            left = end - time.monotonic()
            if left <= 0 or not self.more(left):
                return False
        return True

    def expect(self, want, timeout=5):
        """Exactly these bytes come next."""
        self.fill(lambda: len(self.buf) >= len(want) or
                  not want.startswith(self.buf), timeout)
        assert self.buf.startswith(want), f"expected {want[:300]!r}, got {self.buf[:300]!r}"
        self.take(len(want))

    def until(self, want, timeout=5):
        """Everything up to and with these bytes."""
        assert self.fill(lambda: want in self.buf, timeout), f"no {want!r} in {self.buf[-300:]!r}"
        return self.take(self.buf.index(want) + len(want))

    def take(self, count, timeout=5):
        """That many bytes."""
        assert self.fill(lambda: len(self.buf) >= count, timeout), \
            f"{len(self.buf)} of {count} bytes came"
        data, self.buf = self.buf[:count], self.buf[count:]
        return data

    def quiet(self, ms=200):
        """Nothing comes."""
        end = time.monotonic() + ms / 1000
        while not self.buf and time.monotonic() < end:
            self.more(end - time.monotonic())
        assert not self.buf, f"expected silence, got {self.buf[:300]!r}"

    def end(self, timeout=5):
        """The stream ends."""
        self.sock.settimeout(timeout * SLOW)
        with contextlib.suppress(ConnectionResetError):
            data = self.sock.recv(1)
            assert not data, f"expected the end, got {data!r}"

    def close(self):
        self.sock.close()


class Peer(Wire):
    """A host on the other side of the air."""

    def abort(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b"\1\0\0\0\0\0\0\0")
        self.sock.close()


def listen(addr="127.0.0.1", port=0, backlog=8):
    server = socket.create_server((addr, port), backlog=backlog)
    server.settimeout(5 * SLOW)
    return server


def accept(server):
    return Peer(server.accept()[0])


def dial(port, addr="127.0.0.1"):
    return Peer(socket.create_connection((addr, port), 5 * SLOW))


def free_port():
    """A port that nobody uses, below those that the kernel gives out."""
    while True:
        port = random.randrange(10000, 30000)
        with contextlib.suppress(OSError), socket.socket() as s, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            s.bind(("127.0.0.1", port))
            u.bind(("127.0.0.1", port))
            return port


class Sim(Wire):
    """An emulator on a unix socket."""

    def __init__(self, *args, raw=False, echo=False, join=True):
        self.dir = tempfile.mkdtemp(prefix="atsim-test.")
        self.path = self.dir + "/uart"
        self.control = self.dir + "/control"
        self.args = [str(a) for a in args]
        if "--profile" not in self.args:
            self.args = ["--profile", PROFILE, *self.args]
        self.family = families()[self.args[self.args.index("--profile") + 1]]
        self.err = open(self.dir + "/stderr", "w+b")
        self.proc = subprocess.Popen(
            WRAP + [BINARY, "--unix", self.path, "--control", self.control] +
            self.args, stdin=subprocess.DEVNULL, stderr=self.err)
        try:
            self.start(raw, echo, join)
        except BaseException:
            self.kill()
            raise

    def start(self, raw, echo, join):
        poll(lambda: os.path.exists(self.path) or
             self.proc.poll() is not None, "atsim starts", 10)
        assert self.proc.poll() is None, "atsim did not start: " + self.stderr()
        super().__init__(self.connect())
        if raw:
            return
        self.banner()
        if join and "--no-autojoin" not in self.args:
            self.until(b"+EVENT:WIFI_GOT_IP\r\n")
        if not echo:
            # Whatever it begins with: "+OK" is one of another firmware.
            self.send(b"ATE0\r\n")
            self.until(b"OK\r\n")

    def banner(self):
        """The end of what the module says when it has started."""
        self.until(b"(May 30 2023-10:28:28)\r\n" if self.family["banner"] == 2 else
                   b"ready\r\n\r\n" + b"#" * 48 + b"\r\n")

    def connect(self, path=None):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5 * SLOW)
        sock.connect(path or self.path)
        return sock

    def stderr(self):
        with open(self.dir + "/stderr", encoding="latin-1") as f:
            return f.read()

    def cmd(self, line, want=b"\r\nOK\r\n", timeout=5):
        """A command and its whole answer."""
        self.send((line if isinstance(line, bytes) else
                   line.encode("latin-1")) + b"\r\n")
        self.expect(want if isinstance(want, bytes) else
                    want.encode("latin-1"), timeout)

    def fails(self, line, code, timeout=5):
        """A command that is answered with an error."""
        name = re.match(r"AT[^=?]*", line).group(0)
        if not self.family["error-at"]:
            self.cmd(line, f"\r\n{name[2:]}:{code}\r\nERROR\r\n", timeout)
        else:
            self.cmd(line, f"\r\n{name}:{code}\r\n+ERROR\r\n", timeout)

    def ctl(self, line, want="ok"):
        with self.connect(self.control) as s:
            s.sendall(line.encode() + b"\n")
            with s.makefile("r") as f:
                reply = f.readline().rstrip("\n")
        assert reply.split(" ")[0] == want, f"control: {line}: {reply}"
        return reply

    def stats(self):
        words = self.ctl("stats").split()[1:]
        return {k: int(v) for k, v in (w.split("=") for w in words)}

    def client(self, conid=1, kind=4):
        """Connect a TCP client of the module; returns its peer."""
        with listen() as server:
            port = server.getsockname()[1]
            self.cmd(f"AT+SOCKET={kind},127.0.0.1,{port},0,{conid}",
                     f"connect success ConID={conid}\r\n\r\nOK\r\n")
            return accept(server)

    def write(self, conid, data, answer=b"\r\nOK\r\n", timeout=5):
        self.cmd(f"AT+SOCKETSEND={conid},{len(data)}", b">")
        self.send(data)
        self.expect(answer, timeout)

    def kill(self):
        self.proc.send_signal(signal.SIGCONT)
        end(self.proc, 10 * SLOW)
        self.err.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def finish(self):
        """Stop it and look at what it leaves."""
        try:
            self.proc.terminate()
            status = self.proc.wait(10 * SLOW)
            err = self.stderr()
            assert not status, f"exit status {status}: {err[-2000:]}"
            assert not err or "-v" in self.args, "standard error: " + err[-2000:]
            for path in (self.path, self.control):
                assert not os.path.exists(path), "left behind: " + os.path.basename(path)
        finally:
            self.kill()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        if kind:
            died = self.proc.poll()
            err = self.stderr()
            self.kill()
            assert died is None, f"atsim ended with {died}: {err[-3000:]}"
        else:
            self.finish()
        self.close()
