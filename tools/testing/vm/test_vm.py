# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the guests' runner, with ATW_TARGETS (6.1, 6.12, 7.3, board; 7.3 and the board)."""

import contextlib
import glob
import hashlib
import http.server
import os
import pty
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
import uuid

import pytest

from common import emulator, locked, make, prepared

HERE = os.path.dirname(os.path.realpath(__file__))
RUN = os.path.join(HERE, "run")
BYTES = bytes(range(256)) * 16


def wait_for(what, condition, limit=100.0):
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "not within %g s: %s" % (limit, what)
        time.sleep(0.05)


def words(path):
    """Of a file of a process, which may have gone."""
    with contextlib.suppress(OSError), open(path, "rb") as f:
        return f.read().split(b"\0")
    return []


# For what the board has not.
uml_only = pytest.mark.uml_only
# For what each kind of guest has its own way for. All else is seen in UML, and on the
# board with --all.
each_guest = pytest.mark.each_guest


class Guest:
    """A target, and how to run something in it."""

    def __init__(self, target, scratch, shared=None):
        self.target = target
        self.board = target == "board"
        self.scratch = scratch
        self.shared = shared	# by all of pytest's workers
        self.options = ["--guest" if target in ("board", "pc") else "--kernel", target]

    def argv(self, *args):
        return [RUN, *self.options, *args]

    def run(self, *args, **kw):
        """Runs to the end and looks for what should have gone."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("timeout", 600)
        tmp, env = self.place()
        done = subprocess.run(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=env, check=False, **kw)
        self.nothing_left(tmp, env)
        return done

    def bare(self, *command, options=(), **kw):
        return self.run("--no-driver", "--no-module", *options, "--", *command, **kw)

    def place(self):
        tmp = tempfile.mkdtemp(dir=self.scratch)
        return tmp, {**os.environ, "TMPDIR": tmp, "ATW_CHECK": uuid.uuid4().hex}

    @staticmethod
    def left(env):
        """The processes that were started for a run: they have its mark."""
        mark = ("ATW_CHECK=" + env["ATW_CHECK"]).encode()
        return [p for p in glob.glob("/proc/[0-9]*") if mark in words(p + "/environ")]

    def sessions(self, env):
        found = set()
        for path in self.left(env):
            with contextlib.suppress(ProcessLookupError):
                found.add(os.getsid(int(os.path.basename(path))))
        return found

    def boots(self, env):
        return any({b"-initrd", b"umid=guest"} & set(words(p + "/cmdline"))
                   for p in self.left(env))

    def nothing_left(self, tmp, env):
        wait_for("no process left", lambda: not self.left(env))
        wait_for("no file left in TMPDIR", lambda: not os.listdir(tmp))

    def driver(self):
        """The driver that fails as it is told to."""
        where = os.path.join(self.shared, "faulty-" + self.target)
        ko = os.path.join(where, "atwifi.ko")
        with locked(where + ".lock"):
            if not os.path.exists(ko):
                shutil.copytree(os.path.join(HERE, "faulty"), where)
                make("-C", where, *shlex.split(prepared(self.target, "make")))
        return ko

    def fault(self, fault, *command, options=()):
        return self.run("--no-module", "--driver", self.driver(), "--param", "fault=" + fault,
                        *options, "--", *(command or ("echo", "alive")))


@pytest.fixture(scope="session", params=os.environ.get("ATW_TARGETS", "7.3 board").split(),
                name="session_guest")
def make_guest(request, tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    guest = Guest(request.param, str(tmp_path_factory.mktemp("vm")),
                  str(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base))
    # A build takes as long as it takes: the limits of the tests are for guests.
    subprocess.run(guest.argv("--build"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   check=True)
    return guest


@pytest.fixture
def guest(session_guest, request):
    if session_guest.board and request.node.get_closest_marker("uml_only"):
        pytest.skip("not for the board")
    return session_guest


# The tests: test_*(guest), and what they need.


@each_guest
def test_at_once(guest):
    """What a command is given, and that what it says comes as it was said, in one boot."""
    data = random.Random(8).randbytes(1 << 20)
    args = ["", "a b", "c\nd", "'", '"', "\\", "$HOME", "*", "\t", "é", "-n", "--", "`id`", "\x01",
            "=x", "x=y"]
    path = os.path.join(guest.scratch, "a file")
    with open(path, "wb") as f:
        f.write(BYTES)
    # Of the caller's environment nothing is passed on.
    script = ("cat; { cat \"$0\" /deep/er/x; printf '<%s>' \"$@\"; pwd; id -u; "
              "echo \"$ATW_GUEST $ATW_KERNEL $ATW_HOST $X$ATW_CHECK\"; } >&2; exit 3")
    done = guest.bare("sh", "-c", script, path, *args, stdin=None, input=data,
                      options=["--file", path, "--file", path + ":/deep/er/x", "--env", "X=1 2"])
    assert done.returncode == 3
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
    assert done.stderr == BYTES + BYTES + ("%s%s\n0\n%s 192.0.2.1 1 2\n" % (
        "".join("<%s>" % a for a in args), os.getcwd(),
        "board 6.1" if guest.board else "uml " + guest.target)).encode()


def test_exit_status(guest):
    for command, status in ((["sh", "-c", "kill -9 $$"], 137), (["/no/such"], 127),
                            (["/proc/version"], 126)):
        assert guest.bare(*command).returncode == status, shlex.join(command)


def test_nothing_to_say(guest):
    done = guest.bare("cat", options=["-n"], stdin=None, input=b"not for it")
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)


def test_much_output(guest):
    size = 4 << 20
    done = guest.bare("sh", "-c", "head -c %d /dev/zero | tr '\\0' x; echo end" % size)
    assert done.returncode == 0
    assert len(done.stdout) == size + 4
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(b"x" * size + b"end\n").digest()


def test_output_after_exit_of_the_command(guest):
    """What a child that lives on holds open must not hold the run."""
    done = guest.bare("sh", "-c", "sleep 10000 & echo done")
    assert (done.stdout, done.returncode) == (b"done\n", 0)


@uml_only
def test_host_is_safe(guest):
    where = tempfile.mkdtemp(dir=guest.scratch)
    with open(os.path.join(where, "kept"), "w") as f:
        f.write("kept")
    script = "echo x >new; echo x >kept; rm -f /etc/passwd; echo ok; cat kept"
    done = guest.bare("sh", "-c", script, cwd=where)
    assert done.stdout == b"ok\nx\n"
    assert os.listdir(where) == ["kept"]
    with open(os.path.join(where, "kept")) as f:
        assert f.read() == "kept"
    assert os.path.exists("/etc/passwd")
    guest.bare("sh", "-c", "echo x >new", cwd=where, options=["--rw", where])
    assert sorted(os.listdir(where)) == ["kept", "new"]


def test_side_by_side(guest):
    places = [guest.place() for _ in range(3)]
    procs = [subprocess.Popen(
        guest.argv("--no-driver", "--no-module", "--", "sh", "-c",
                   "sleep 1; echo %d; exit %d" % (i, i)),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env)
        for i, (_, env) in enumerate(places)]
    for i, (proc, place) in enumerate(zip(procs, places)):
        out = proc.communicate(timeout=600)[0]
        assert (out, proc.returncode) == (b"%d\n" % i, i), "run %d" % i
        guest.nothing_left(*place)


@pytest.mark.parametrize("when, signum, status", [
    ("start", signal.SIGTERM, 143), ("start", signal.SIGKILL, -9),
    ("boot", signal.SIGINT, 130), ("boot", signal.SIGKILL, -9),
    ("command", signal.SIGINT, 130), ("command", signal.SIGTERM, 143),
    pytest.param("command", signal.SIGKILL, -9, marks=each_guest)])
def test_interrupted(guest, when, signum, status):
    tmp, env = guest.place()
    with subprocess.Popen(
            guest.argv("--no-driver", "--", "sh", "-c", "echo up; sleep 100"), env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True) as proc:
        if when == "start":
            # The runner, what outlives it, and what it waits for: each has one of its own.
            wait_for("three sessions", lambda: len(guest.sessions(env)) >= 3)
        elif when == "boot":
            wait_for("a guest", lambda: guest.boots(env))
        else:
            assert proc.stdout.readline() == b"up\n"
        if signum == signal.SIGKILL:
            proc.kill()
        else:
            # As a terminal does: to all that are in the foreground.
            os.killpg(proc.pid, signum)
        proc.communicate(timeout=100)
        assert proc.returncode == status
    guest.nothing_left(tmp, env)


def test_output_nobody_wants(guest):
    tmp, env = guest.place()
    with subprocess.Popen(guest.argv("--no-driver", "--no-module", "--", "yes"), env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as proc:
        assert proc.stdout.read(2) == b"y\n"
        proc.stdout.close()
        assert proc.wait(100) == 141
    guest.nothing_left(tmp, env)


def test_time_out(guest):
    done = guest.bare("sleep", "100", options=["--timeout", "9"])
    assert done.returncode == 124
    assert b"time-out after 9 s" in done.stderr


@each_guest
def test_no_fault(guest):
    done = guest.fault("none", "sh", "-c", "echo alive; exit 4")
    assert (done.stdout, done.stderr, done.returncode) == (b"alive\n", b"", 4)


# What it is called in the kernel's log; the first four need what the board's kernel has not.
@pytest.mark.parametrize("fault, word", [
    pytest.param("uaf", "KASAN", marks=uml_only),
    pytest.param("deadlock", "possible circular locking", marks=uml_only),
    pytest.param("deaf", "lockdep has switched itself off", marks=uml_only),
    pytest.param("leak", r"atw_leak\+0x\w+ \[atwifi\]", marks=uml_only),
    pytest.param("warn", "WARNING: ", marks=each_guest), ("stuck", "cannot be unloaded"),
    pytest.param("panic", "Kernel panic", marks=each_guest),
    ("oops", r"at (addr 0x|virtual address 0+)8\b")])
def test_fault(guest, fault, word):
    done = guest.fault(fault)
    assert done.returncode == 99
    assert re.search(word, done.stderr.decode())
    if fault in ("warn", "leak"):
        assert done.stdout == b"alive\n"


def test_hang(guest):
    done = guest.fault("hang", options=["--timeout", "12"])
    assert done.returncode in (99, 124)


def test_whose_fault(guest):
    for frame, status in (("other+0x1/0x2 [other]", 0), ("atw_x+0x1/0x2 [atwifi]", 99)):
        done = guest.bare("sh", "-c", "echo 'WARNING: CPU: 0 at x.c %s' >/dev/kmsg; echo alive" %
                          frame)
        assert (done.returncode, done.stdout) == (status, b"alive\n"), "result after " + frame


@uml_only
def test_join(guest):
    done = guest.run("--driver", guest.driver(), "--param", "state=probing", "--join-timeout", "1",
                     "--", "echo", "no")
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"did not join within 1 s: its state is 'probing'" in done.stderr
    done = guest.run("--driver", guest.driver(), "--param", "state=probing", "--no-join",
                     "--", "echo", "yes")
    assert (done.returncode, done.stdout) == (0, b"yes\n")


def foreign(read, write, size, result, early=b""):
    """An emulator that knows nothing of ours: a word, then size bytes each way."""
    try:
        # Long before anybody listens; must neither get lost nor come back.
        write(early)
        got = b""
        while b"go\n" not in got:
            data = read(64)
            assert data, "end before the word"
            got += data
        result["first"] = got
        data = random.Random(3).randbytes(size)
        write(data)
        got = bytearray()
        while len(got) < size:
            part = read(65536)
            assert part, "end after %d of %d bytes" % (len(got), size)
            got += part
        result["same"] = got == data
        write(b"ok\n")
        # To hang up at once would be to take it back.
        while read(64):
            pass
    except (OSError, AssertionError) as e:
        result["error"] = str(e)


FOREIGN = ("exec 3<>$ATW_TTY; %s echo go >&3; head -c %d <&3 >/tmp/data; "
           "cat /tmp/data >&3; read -r word <&3; echo $word")
HEAR = "read -r word <&3; [ \"$word\" = hello ] || exit 9;"


def talk_to_foreign(guest, module, talk, size, hear=""):
    result = {}
    thread = threading.Thread(target=talk, args=(result,), daemon=True)
    thread.start()
    done = guest.run("--no-driver", "--module", module, "--timeout", "500", "--",
                     "sh", "-c", FOREIGN % (hear, size))
    wait_for("the emulator's view", lambda: "same" in result or "error" in result)
    assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr[-300:]
    assert result == {"first": b"go\n", "same": True}


@each_guest
def test_joins_if_told(guest):
    sim = ["--sim-args", "--no-autojoin --ap 'a \"b:se,\"cret'"]
    state = ["--", "cat", "/sys/class/atwifi/atw0/state"]
    network = os.path.join(guest.scratch, "network")
    with open(network, "w", encoding="ascii") as f:
        f.write("a \"b,se,\"cret\n")
    done = guest.run(*sim, "--join", "@" + network, *state)
    assert (done.returncode, done.stdout) == (0, b"joined\n"), done.stderr[-300:]
    done = guest.run(*sim, "--join", "a \"b,wrong", *state)
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"wrong" not in done.stderr
    done = guest.run("--join", "a\nb", *state)
    assert done.returncode == 125


def test_foreign_emulator(guest):
    size = 4 << 20 if not guest.board else 200000
    # A path longer than a socket's address can be.
    where = os.path.join(tempfile.mkdtemp(dir=guest.scratch), "long" * 30)
    os.mkdir(where)
    path = os.path.join(where, "sock")
    listener = socket.socket(socket.AF_UNIX)
    fd = os.open(where, os.O_PATH)
    listener.bind("/proc/self/fd/%d/sock" % fd)
    listener.listen(1)

    def talk(result):
        with listener.accept()[0] as conn:
            foreign(conn.recv, conn.sendall, size, result, b"hello\n")

    talk_to_foreign(guest, "unix:" + path, talk, size, HEAR)
    listener.close()
    os.close(fd)
    done = guest.run("--no-driver", "--module", "unix:" + path, "--", "true")
    assert done.returncode == 125


@pytest.mark.parametrize("line, module", [("--unix", "unix:%s"), ("--pty", "tty:%s@921600")])
def test_foreign_emulator_joins(guest, line, module):
    """With the driver, a module that somebody else has started, at the rate that is named."""
    path = os.path.join(tempfile.mkdtemp(dir=guest.scratch), "line")
    with emulator(path, "--profile", "p23", "--uart-rate", "921600", line=line,
                  stdout=subprocess.DEVNULL):
        done = guest.run("--module", module % path, "--", "cat", "/sys/class/atwifi/atw0/state")
        assert (done.returncode, done.stdout) == (0, b"joined\n"), done.stderr[-300:]


@each_guest
def test_serial_port(guest):
    size = 1 << 20 if not guest.board else 100000
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)

    def write_all(data):
        while data:
            data = data[os.write(master, data):]

    talk_to_foreign(guest, "tty:%s@921600" % os.ttyname(slave),
                    lambda result: foreign(lambda n: os.read(master, n), write_all, size, result),
                    size)
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_emulator(guest):
    script = ("exec 3<>$ATW_TTY; exec 4<>$ATW_SIM_CONTROL; printf 'AT\\r\\n' >&3; "
              "while read -r line <&3; do case $line in OK*) echo OK; break;; esac; done; "
              "echo stats >&4; read -r line <&4; echo ${line%% *}")
    done = guest.run("--no-driver", "--timeout", "500", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (0, b"OK\nok\n")


@pytest.mark.all_only
def test_acpi(tmp_path):
    """The manual's table, on a PC: nothing but it tells of the module."""
    script = ("cd /sys/bus/serial/devices/serial0-0 && cat firmware_node/hid modalias && "
              "basename $(readlink driver) && cat /sys/class/atwifi/atw0/state")
    done = Guest("pc", str(tmp_path)).run("--", "sh", "-c", script)
    assert (done.returncode, done.stdout.split()) == (
        0, [b"PRP0001", b"of:NwifiTCai-thinker,combo-at", b"atwifi", b"joined"]), done.stderr


# What the Pi runs, in place of udev and a whole system.
PI = r"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc && mount -t sysfs none /sys && mount -t devtmpfs none /dev
exec >/dev/kmsg 2>&1 </dev/null
read -r alias </sys/bus/serial/devices/serial0-0/modalias
modprobe "$alias"
dev=/sys/class/atwifi/atw0
until grep -qs joined $dev/state; do sleep 1; done
echo "pi: $alias, $(readlink -f $dev/device)"
ip link set atw0 up
udhcpc -i atw0 -n -q -t 5 -s /bin/lease
echo "pi: $(wget -q -O - http://192.0.2.1:PORT/)"
echo "pi: end"
sleep 1000
"""


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the first page\n")


@pytest.mark.all_only
def test_pi(tmp_path):
    """
    A Raspberry Pi with the tree that its firmware makes of Debian's: the module is on the UART
    of the header, the driver is loaded by its name there, and a page comes.
    """
    tools, firmware = os.path.join(HERE, ".."), tmp_path / "firmware"
    repo = os.path.join(tools, "../..")

    board, root = prepared("board", "image"), tmp_path / "root"
    with open(board + "/version", encoding="ascii") as f:
        version = f.read().strip()
    firmware.mkdir()
    (firmware / "config.txt").write_text("dtoverlay=atwifi-rpi,speed=921600\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    modules = root / "lib/modules" / version
    root.mkdir()
    (root / "init").write_text(PI.replace("PORT", str(server.server_port)))
    subprocess.run(["sh", "-ec", """
        dtc -q -@ -O dtb -o "$1/atwifi-rpi.dtbo" "$2/arch/arm/boot/dts/overlays/atwifi-rpi.dtso"
        "$2/tools/testing/pifirmware" "$3" "$1/config.txt" "$1" "$1/board.dtb"
        make -s -C "$2" MO="$1/built" $4 modules
        cd "$5"
        cpio -id --quiet <"$6/base.cpio"
        cp "$2/tools/testing/selftests/net/atwifi/lease.sh" bin/lease
        chmod 755 init bin/lease
        cp "$1/built/drivers/net/wireless/atwifi/atwifi.ko" "$7"
        /sbin/depmod -b . "${7##*/}"
        find . | cpio --quiet -o -H newc -R 0:0 >"$1/initrd"
        """, "sh", str(firmware), repo, prepared("dtbs") + "/broadcom/bcm2837-rpi-3-b.dtb",
        prepared("board", "make"), str(root), board, str(modules)], check=True)
    uart = str(tmp_path / "uart")
    with emulator(uart, "--map", "192.0.2.0/24=127.0.0.0"):
        # The tree has no UART for a console any more: what the kernel is told goes to the mini
        # UART without its driver.
        with subprocess.Popen([
                board + "/qemu", "-M", "raspi3b", "-accel", "tcg,thread=multi", "-display", "none",
                "-no-reboot", "-dtb", str(firmware / "board.dtb"), "-kernel", board + "/Image",
                "-initrd", str(firmware / "initrd"), "-chardev", "socket,id=uart,path=" + uart,
                "-serial", "chardev:uart", "-serial", "stdio", "-append",
                "earlycon=bcm2835aux,mmio32,0x3f215040 keep_bootcon printk.devkmsg=on panic=-1"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                errors="replace") as qemu:
            watch = threading.Timer(300, qemu.kill)
            watch.start()
            said = []
            for line in qemu.stdout:
                said.append(line.rstrip())
                if "pi: end" in line:
                    break
            watch.cancel()
            qemu.kill()
    server.shutdown()
    told = [line.partition("pi: ")[2] for line in said if "pi: " in line]
    assert told == ["of:NwifiT(null)Cai-thinker,combo-at, /sys/devices/platform/soc/"
                    "3f201000.serial/serial0/serial0-0", "the first page", "end"], \
        "\n".join(said[-30:])
