#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The services as systemd has them by their units: begun and ended with modules, without
privileges, and begun again whatever has ended them. It is the first process of a container,
since the guest has another; and udev runs under it. Environment as for netdev.py; ATW_LIB is
where the services are.
"""

import base64
import concurrent.futures
import contextlib
import fcntl
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import socket
import socketserver
import sys
import threading

import goresolver
from atwnet import (HOST, TMP, configure, daemon, install, module_resolves, newer, no_network,
                    no_sockets, sim_stat)
from guest import (DEV, LIMIT, Module, becomes, check, counter, receive, reset, run, run_tests,
                   same, sysfs, test)
from servers import DnsTcp, serve

NAME = os.environ["ATW_NAME"]
LIB = os.environ["ATW_LIB"]
SOURCE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../../net/atwifi")
DEBIAN = SOURCE + "/../../../debian"
UNITS = TMP + "/units"
AGENT, STUB, HOOK = "atwifi-agent.service", "atwifid.service", "atwifid-hook.socket"
HOOK_PATH = "/run/systemd/resolve.hook/atwifid"
TARGET = "atwifi.target"
ATTACH = "atwifi-attach@%s.service"
LINKS = "/usr/lib/systemd/network"
TIOCVHANGUP = 0x5437
# Python does not know it.
SO_RCVBUFFORCE = 33
ADDRESS = "127.0.0.57"
SERVICE = "[Unit]\nDefaultDependencies=no\n[Service]\n"
# Beside ours, in place of a whole system.
OTHERS = {
    **{name + ".target": "[Unit]\nDefaultDependencies=no\n"
       for name in ("sysinit", "basic", "shutdown")},
    "test.target": "[Unit]\nDefaultDependencies=no\nWants=udevd.service dbus.service\n"
                   "After=udevd.service dbus.service\n",
    # As a module does.
    **{"for-%s.target" % unit: "[Unit]\nDefaultDependencies=no\nWants=%s\n" % unit
       for unit in (AGENT, STUB, HOOK)},
    "udevd.service": SERVICE + "Type=notify\nDelegate=yes\nExecStart=/lib/systemd/systemd-udevd\n",
    "dbus.service": SERVICE + "Type=notify\nExecStart=dbus-daemon --system --nofork --nopidfile\n",
    "resolved.service": SERVICE + "Type=notify\nExecStart=/lib/systemd/systemd-resolved\n",
}
CONTAINER = """
mount -t tmpfs -o mode=0755 none /run
mkdir -p /run/dbus /run/systemd/resolve
chown systemd-resolve:nogroup /run/systemd/resolve
mount -t cgroup2 none /sys/fs/cgroup
mount --bind /dev/null /dev/console
exec env -i container=test PATH=/usr/local/sbin:/usr/sbin:/usr/bin \
    SYSTEMD_UNIT_PATH=%s:/run/systemd/system \
    SYSTEMD_GENERATOR_PATH=/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/none \
    /lib/systemd/systemd --system --unit=test.target --log-target=kmsg --show-status=no
""" % UNITS


class Init:
    """The first process of the container."""

    pid = 0
    end = contextlib.ExitStack()


def inside(command, good=True):
    return run("nsenter -t %d -p -m -u %s" % (Init.pid, command), good=good)


def systemctl(words, good=True):
    return inside("systemctl " + words, good)


def shown(unit, name):
    return systemctl("show -P %s %s" % (name, unit)).strip()


def is_active(unit, state="active"):
    return shown(unit, "ActiveState") == state


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def install_services():
    """As make does it."""
    for name, text in OTHERS.items():
        write("%s/%s" % (UNITS, name), text)
    for to, file in ((UNITS + "/" + AGENT, AGENT + ".in"), (UNITS + "/" + STUB, STUB + ".in"),
                     (UNITS + "/" + HOOK, HOOK + ".in"), (UNITS + "/" + TARGET, TARGET),
                     ("/usr/lib/udev/rules.d/90-atwifi.rules", "90-atwifi.rules"),
                     (LINKS + "/70-atwifi.link", "70-atwifi.link")):
        with open(os.path.join(SOURCE, file), encoding="ascii") as f:
            write(to, re.sub("@(SBINDIR|sbindir)@", "/usr/sbin", f.read()))
    # No pty is a device to udev.
    with open(os.path.join(SOURCE, ATTACH % ""), encoding="ascii") as f:
        write("%s/%s" % (UNITS, ATTACH % ""), re.sub(r"\w+=dev-%i\.device\n", "", f.read())
              .replace("@sbindir@", "/usr/sbin"))
    for name in ("atwctl", "atwifi-agent", "atwifid"):
        shutil.copy(LIB + "/" + name, "/usr/sbin")
    shutil.copy(LIB + "/libatwifi.so.0", "/usr/lib")
    run("ldconfig; ip link set lo up")


@contextlib.contextmanager
def systemd():
    with daemon(["unshare", "--fork", "--pid", "--mount", "--uts", "--mount-proc", "--kill-child",
                 "sh", "-ec", CONTAINER]) as process:
        try:
            becomes(lambda: run("pgrep -P %d" % process.pid, good=False), "no container")
            Init.pid = int(run("pgrep -P %d" % process.pid))
            becomes(lambda: systemctl("is-active test.target", good=False) == "active\n",
                    "systemd does not run")
            yield
        finally:
            # It waits for its child whatever it is told, and its child for orders.
            process.kill()
            becomes(lambda: not os.path.exists("/proc/%d" % Init.pid), "the container is left")


def commands(unit, when):
    """What systemd runs then."""
    with open("%s/%s" % (UNITS, unit), encoding="ascii") as f:
        return re.findall("^Exec%s=(.*)" % when, f.read(), re.M)


@contextlib.contextmanager
def away(path):
    """What is there now is not meanwhile; and what comes there is not afterwards."""
    kept = path + ".away"
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, kept)
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with contextlib.suppress(FileNotFoundError):
            os.rename(kept, path)


@contextlib.contextmanager
def with_unit(name, text):
    path = "%s/%s" % (UNITS, name)
    try:
        write(path, text)
        systemctl("daemon-reload")
        yield
    finally:
        os.unlink(path)
        systemctl("daemon-reload")


def changed(unit, text):
    """The unit, by an administrator's file."""
    return with_unit(unit + ".d/override.conf", text)


@contextlib.contextmanager
def running(unit):
    # Ours end by themselves where nobody wants them.
    wanted = "for-%s.target" % unit if unit in (AGENT, STUB, HOOK) else unit
    try:
        systemctl("start " + wanted)
        becomes(lambda: is_active(unit), "%s does not run" % unit)
        yield
    finally:
        systemctl("stop %s %s" % (wanted, unit))


@contextlib.contextmanager
def systemd_resolved(unit="resolved.service"):
    """What it is told of links it keeps for the next one, which is not to know that."""
    try:
        with running(unit):
            yield
    finally:
        inside("find /run/systemd/resolve -path '*/netif/*' -delete")


@contextlib.contextmanager
def configured():
    """The network device has an address: as long as no link has one resolved asks nobody."""
    try:
        configure()
        yield
    finally:
        run("ip -4 addr flush dev %s; ip link set %s down" % (DEV, DEV))


def another_module(number):
    """It can be taken out, and plugged in again."""
    return Module("%s/module%d" % (TMP, number), dev="atw%d" % number)


def modules():
    """Those that systemd knows by udev: not the guest's own, which was there before."""
    units = systemctl("list-units --plain --no-legend --type=device")
    return sorted(set(re.findall(r"-(atw\d)\.device", units)))


def states():
    """What ours are."""
    ours = AGENT, STUB, HOOK
    return zip(ours, systemctl("show -P ActiveState " + " ".join(ours)).split())


def active():
    """Those of ours that run."""
    return [unit for unit, state in states() if state == "active"]


def nobody_runs():
    """Nor is about to, or to end."""
    return all(state in ("inactive", "failed") for _, state in states())


@contextlib.contextmanager
def run_by(module, *units):
    """These run as long as this module is there, and no others."""
    becomes(lambda: active() == list(units), "they are not started")
    try:
        yield
        same(list(units), active(), "units that run")
    finally:
        module.detach()
    becomes(lambda: not active(), "they are not stopped")


@contextlib.contextmanager
def enabled(unit):
    systemctl("enable --runtime " + unit)
    try:
        yield
    finally:
        systemctl("disable --runtime " + unit)


@test
def with_modules():
    """The agent runs as long as there is a module; the name server, where somebody says so."""
    same([], active(), "units that run without a module")
    with another_module(1) as first:
        with run_by(first, AGENT):
            pass
        with enabled(STUB):
            first.attach()
            with another_module(2) as second, run_by(second, AGENT, STUB):
                same([HOST], goresolver.lookup(NAME, ADDRESS), "addresses")
                before = [shown(unit, "MainPID") for unit in (AGENT, STUB)]
                becomes(lambda: modules() == ["atw1", "atw2"], "udev knows no modules")
                first.detach()
                becomes(lambda: modules() == ["atw2"], "udev knows a module that is gone")
                same(before, [shown(unit, "MainPID") for unit in (AGENT, STUB)], "processes")
        # It brings the service along.
        with enabled(HOOK):
            first.attach()
            with run_by(first, AGENT, STUB, HOOK):
                pass


def made_of(dev):
    """What udev's files make of a network device: by which of them, and its name."""
    out = inside("udevadm test-builtin net_setup_link /sys/class/net/%s 2>&1" % dev)
    # What it does not understand it says with the line's number.
    same([], re.findall(r"/70-atwifi\.link:.*", out), "complaints")
    return (*re.findall(r"^ID_NET_LINK_FILE=.*/(.*)", out, re.M),
            *re.findall(r"^ID_NET_NAME=(.*)", out, re.M))


@test
def keeps_its_name():
    """Where the adapter is on USB, too: udev has a file which names those by their address."""
    ours, usb, net = LINKS + "/70-atwifi.link", "73-usb-net-by-mac.link", "/sys/class/net/atw1"
    with open("%s/%s" % (LINKS, usb), encoding="ascii") as f:
        text = f.read()
    try:
        # As if the pty were on USB.
        write("/etc/systemd/network/" + usb, text.replace("Path=*-usb-*", "OriginalName=*"))
        inside("udevadm control --reload")
        with another_module(1):
            # It has heard of the network device and done with it, or has renamed it.
            becomes(lambda: not os.path.exists(net) or "ID_NET_DRIVER=atwifi\n" in inside(
                "udevadm info -q property " + net, good=False), "udev knows nothing")
            same(("70-atwifi.link", "atw1"), made_of("atw1"), "by our file")
            os.rename(ours, ours + ".away")
            same((usb, "wlx" + sysfs("mac", "atw1").replace(":", "")), made_of("atw1"),
                 "without it")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.rename(ours + ".away", ours)
        os.unlink("/etc/systemd/network/" + usb)
        inside("udevadm control --reload")


@test
def socket_beside_service():
    """By the lines of the manual, while the service runs."""
    with open(SOURCE + "/atwifid.8", encoding="utf-8") as f:
        lines = re.findall(r"^systemctl (.*)", f.read(), re.M)
    with enabled(STUB), another_module(1) as module, run_by(module, AGENT, STUB):
        try:
            for line in lines:
                systemctl(line.replace("enable", "enable --runtime"))
            becomes(lambda: active() == [AGENT, STUB, HOOK], "there is no socket")
            run("test -S " + hook_path())
        finally:
            systemctl("disable --runtime --now " + HOOK)


def privileges(unit):
    text = inside("cat /proc/%s/status" % shown(unit, "MainPID"))
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


@test
def without_privileges():
    """Each has one, and does with it what it is for."""
    with systemd_resolved(), running(AGENT), running(STUB):
        for unit, number, user in ((AGENT, 12, "0"), (STUB, 10, None)):
            same(("notify", "30s"), (shown(unit, "Type"), shown(unit, "WatchdogUSec")), unit)
            has = privileges(unit)
            for name in ("CapEff", "CapPrm", "CapBnd"):
                same(1 << number, int(has[name], 16), "%s of %s" % (name, unit))
            same(("1", "2"), (has["NoNewPrivs"], has["Seccomp"]), "limits of " + unit)
            uid = has["Uid"].split()[0]
            check(uid == user if user else int(uid) > 60000, "%s of %s" % (uid, unit))
            same("", inside("nsenter -t %s -m ls -A /root /tmp" % shown(unit, "MainPID"))
                 .replace("/root:", "").replace("/tmp:", "").strip(), "files")
            inside("systemd-analyze security --no-pager --threshold=20 " + unit)
        becomes(lambda: inside("resolvectl dns atw0").split()[3:] == [sysfs("gateway")],
                "resolved is not told")
        same([HOST], goresolver.lookup(NAME, ADDRESS), "addresses")


def examples(page, section):
    """Of the manual: what an administrator writes who wants something else."""
    with open("%s/%s" % (SOURCE, page), encoding="utf-8") as f:
        return re.findall(r"^\.Bd -literal.*\n(\[%s\]\n(?:.*\n)*?)\.Ed" % section, f.read(), re.M)


@test
def keeps_who_may():
    """A file of sysctl.d is read when the driver is loaded, which is after the boot."""
    path, file = "/proc/sys/net/atwifi/socket_group_range", "/etc/sysctl.d/atwifi.conf"
    with open(SOURCE + "/../../../Documentation/networking/atwifi/programming.rst",
              encoding="utf-8") as f:
        line, = re.findall(r"^\t(net\.atwifi\.socket_group_range = .*\n)", f.read(), re.M)

    def now():
        with open(path, encoding="ascii") as f:
            return f.read().split()

    before = now()
    write(file, line)
    try:
        # As the kernel says it then.
        inside("udevadm trigger --action=add /sys/module/atwifi")
        becomes(lambda: now() == line.split()[2:], "the file is not read")
    finally:
        os.unlink(file)
        with open(path, "w", encoding="ascii") as f:
            f.write(" ".join(before))


@test
def as_the_manual_says():
    told = "/etc/resolv.told"
    server = "nameserver %s\n" % sysfs("gateway")
    resolvconf, module = examples("atwifi-agent.8", "Service")
    file = "/run/atwifi-agent/resolv.conf"
    with away(told), away("/usr/sbin/resolvconf") as program:
        # Debian's has as many processes at a time.
        write(program, "#!/bin/sh\n(echo \"$*\"; (((cat; :); :); :)) >%s\n" % told)
        os.chmod(program, 0o755)
        for text, where, what in ((resolvconf, told, "-a atw0.atwifi\n" + server),
                                  (resolvconf, file, server), (module, file, server),
                                  ("", file, server)):
            with changed(AGENT, text), running(AGENT):
                becomes(lambda w=where, t=what: inside("cat " + w, good=False).endswith(t), where)
                inside("setpriv --reuid 65534 --clear-groups cat " + where)
    # Whoever has it write none has none, and not what was there before.
    with running(AGENT):
        becomes(lambda: inside("cat " + file, good=False).endswith(server), file)
        with changed(AGENT, "[Service]\nExecStart=\nExecStart=/usr/sbin/atwifi-agent\n"):
            systemctl("restart " + AGENT)
            inside("test ! -e " + file)
    # A server of whoever wants another one, who does not answer here; or nobody's.
    mx = goresolver.question(NAME, 15)
    with running(AGENT), running(STUB):
        for text, code in zip(examples("atwifid.8", "Service"), (2, 4)):
            with changed(STUB, text):
                systemctl("restart " + STUB)
                same(code, goresolver.exchange(ADDRESS, mx).code, "code by " + text)


def hook_path():
    return "/proc/%d/root%s" % (Init.pid, HOOK_PATH)


@contextlib.contextmanager
def hook():
    """A connection as systemd-resolved's."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(hook_path())
        yield s


@test
def asks_the_modules_servers():
    """For what the module cannot tell, by way of the module, as it is installed."""
    with socketserver.ThreadingTCPServer(("127.0.0.9", 53), DnsTcp) as server, \
         contextlib.ExitStack() as stack, another_module(1) as module, running(AGENT), \
         running(HOOK), running(STUB):
        serve(server)
        stack.callback(server.shutdown)
        module.configure(metric=500)
        run("%s/atwctl -d atw1 dns 192.0.2.9" % LIB)

        def is_named():
            systemctl("kill --signal=HUP " + AGENT)
            return "# device: atw1\nnameserver 192.0.2.9\n" in inside(
                "cat /run/atwifi-agent/resolv.conf")

        becomes(is_named, "the server is not named")
        before = counter("tcp_flows", "atw1")
        texts = goresolver.lookup_txt("size1200.test", ADDRESS)
        same({b"v"}, {text[:1] for text in texts}, "texts")
        # For systemd-resolved nobody is asked: it has servers of other networks, too.
        with hook() as s:
            same({}, asks(s, "ResolveRecord", ("nobody.test", 1))["parameters"], "its answer")
        same(before + 1, counter("tcp_flows", "atw1"), "connections by way of the module")


@test
def watchdog():
    """Whoever says nothing any more is replaced."""
    with running(AGENT), running(STUB):
        with contextlib.ExitStack() as stack:
            process = {}
            for unit in (AGENT, STUB):
                stack.enter_context(changed(
                    unit, "[Service]\nWatchdogSec=10\nRestartSec=100ms\n"))
                systemctl("restart " + unit)
                process[unit] = shown(unit, "MainPID")
            # Both at once: each has its ten seconds.
            for unit in process:
                systemctl("kill --kill-who=main --signal=STOP " + unit)
            for unit, was in process.items():
                becomes(lambda u=unit, p=was: shown(u, "MainPID") not in (p, "0") and
                        is_active(u), "%s is not replaced" % unit)
        same([HOST], goresolver.lookup(NAME, ADDRESS), "addresses")


@test
def attached_again():
    """After a hang-up that is no unplugging, of a tty that a rule has given to a user."""
    with another_module(1) as module:
        module.detach()
        os.chown(module.pty, 65534, 65534)
        os.chmod(module.pty, 0o600)
        unit = ATTACH % os.path.relpath(os.path.realpath(module.pty), "/dev").replace("/", "-")
        with changed(ATTACH % "", "[Service]\nRestartSec=100ms\n"), running(unit):
            becomes(lambda: os.path.exists("/sys/class/atwifi/atw1"), "not attached")
            process = shown(unit, "MainPID")
            inside("systemd-analyze security --no-pager --threshold=20 " + unit)
            tty = os.open(module.pty, os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(tty, TIOCVHANGUP)
            os.close(tty)
            becomes(lambda: shown(unit, "MainPID") not in (process, "0") and
                    os.path.exists("/sys/class/atwifi/atw1"), "not attached again")


@contextlib.contextmanager
def package():
    """
    Its scripts are run. Then the guest's own module, which they tell udev of, is nobody's again:
    with another one it would have all run on.
    """
    # A container's says that nothing is to be started or stopped.
    with away("/usr/sbin/policy-rc.d"):
        try:
            yield
        finally:
            inside("udevadm trigger --action=remove --subsystem-match=atwifi")
            becomes(lambda: not modules(), "udev knows the module still")
            becomes(nobody_runs, "they do not end")


@test
def installed_again():
    """
    By the packages' own scripts, while the module is there all the time: the guest's, which
    udev has not known before.
    """
    with package():
        for words in ("they are not started", "they are not started again"):
            inside("sh %s/atwifi-utils.postinst configure" % DEBIAN)
            becomes(lambda: active() == [AGENT], words)
            inside("sh %s/atwifi-utils.prerm remove" % DEBIAN)
            same([], active(), "units that run without the package")


@test
def adapters_installed_again():
    """They are there all the time, too: what a file names is attached again, and nothing else."""
    link, file = "/dev/serial/by-id/test", "/etc/atwifi/attach.d/test"
    os.makedirs(os.path.dirname(link), exist_ok=True)

    def attached():
        units = systemctl("list-units --plain --no-legend '%s'" % ATTACH % "*")
        return [line.split()[0] for line in units.splitlines()]

    with package(), away(link), away(file):
        os.symlink("../../ttyS9", link)
        write(file, "# mine\n\n%s 115200\n" % link)
        try:
            for words in ("it is not attached", "it is not attached again"):
                same([], attached(), "adapters without the package")
                inside("sh %s/atwifi-utils.postinst configure" % DEBIAN)
                becomes(lambda: attached() == [ATTACH % "ttyS9"], words)
                inside("sh %s/atwifi-utils.prerm remove" % DEBIAN)
        finally:
            inside("udevadm trigger --action=remove --name-match=/dev/ttyS9")
            systemctl("stop '%s'" % ATTACH % "*")


@test
def resolv_conf():
    """It is the administrator's: whatever of ours is installed, it stays until he says so."""
    path, server = "/etc/resolv.conf", "nameserver %s\n" % sysfs("gateway")

    def file():
        at = os.stat(path)
        with open(path, encoding="ascii") as f:
            return at.st_ino, at.st_ctime_ns, f.read()

    with away(path), package():
        write(path, "nameserver 192.0.2.1\n")
        before = file()
        inside("sh %s/atwifi-utils.postinst configure" % DEBIAN)
        becomes(lambda: active() == [AGENT], "it is not started")
        with systemd_resolved(), running(HOOK), running(STUB):
            becomes(lambda: sysfs("gateway") in inside("resolvectl dns atw0"),
                    "resolved is not told")
            same([HOST], goresolver.lookup(NAME, ADDRESS), "addresses")
            check(inside("cat /run/atwifi-agent/resolv.conf").endswith(server), "another server")
        same(before, file(), path)
        with changed(AGENT, "[Service]\nReadWritePaths=/etc\nExecStart=\n"
                            "ExecStart=/usr/sbin/atwifi-agent --write %s\n" % path):
            systemctl("restart " + AGENT)
            becomes(lambda: file()[-1].endswith(server), path)
            inside("sh %s/atwifi-utils.prerm remove" % DEBIAN)


class Load:
    """
    Programs that ask for names all the time: they are answered right, or not at all. By TCP,
    which tells them at once that a server has ended.
    """

    PROGRAMS = 8

    def __init__(self):
        self.ended, self.wrong = threading.Event(), []
        self.right = self.failed = 0
        self.asked = []

    def ask(self, n):
        while not self.ended.is_set():
            n = n % 250 + 1
            name = "192.0.2.%d" % n
            try:
                got = goresolver.lookup(name, ADDRESS, tcp=True)
            except (goresolver.NoSuchHost, goresolver.Misbehaving) as e:
                self.failed += 1
                if isinstance(e, goresolver.NoSuchHost):
                    self.wrong.append(name)
                continue
            self.right += 1
            if got != [name]:
                self.wrong.append("%s: %r" % (name, got))

    def goes_on(self):
        """With a process that was begun only now."""
        before = self.right
        becomes(lambda: self.right > before + self.PROGRAMS, "nobody is answered")

    def __enter__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(self.PROGRAMS)
        for i in range(self.PROGRAMS):
            self.asked.append(self.pool.submit(self.ask, i * 31))
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.pool.shutdown()
        # What one of them died of is told here.
        for asked in self.asked:
            asked.result()


@test
def restarted_under_load():
    with running(STUB), no_sockets(), Load() as load:
        load.goes_on()
        for how in ("restart", "kill --signal=KILL", "kill --signal=SEGV", "restart"):
            process = shown(STUB, "MainPID")
            systemctl("%s %s" % (how, STUB))
            becomes(lambda p=process: shown(STUB, "MainPID") not in (p, "0"), "the old one runs")
            load.goes_on()
    same([], load.wrong, "wrong answers")
    print("# %d answers, %d failures" % (load.right, load.failed))


@test
def resolvectl():
    """resolved asks the module by atwifid, and no server by the device, where it is told so."""
    with configured(), away("/etc/systemd/resolved.conf.d/atwifid.conf") as file:
        write(file, examples("atwifid.8", "Resolve")[0])
        with running(STUB), systemd_resolved(), running(AGENT):
            becomes(lambda: sysfs("gateway") in inside("resolvectl dns atw0"),
                    "resolved is not told")
            with module_resolves():
                for how in ("", "-4 --cache=no"):
                    check(HOST in inside("resolvectl query %s %s" % (how, NAME)), "no answer")
                check("not found" in inside("resolvectl query a.invalid 2>&1", good=False),
                      "no name")


def calls(s, method, *keys):
    """As resolved does, from version 259 on."""
    s.sendall(json.dumps({"method": "io.systemd.Resolve.Hook." + method, "parameters": {
        "question": [{"key": {"class": 1, "type": kind, "name": name}} for name, kind in keys]}}
        ).encode() + b"\0")


def hears(s):
    """The answer."""
    answer = b""
    while not answer.endswith(b"\0"):
        piece = s.recv(4096)
        check(piece, "it has hung up")
        answer += piece
    return json.loads(answer[:-1])


def asks(s, method, *keys):
    calls(s, method, *keys)
    return hears(s)


@test
def resolved_asks_first():
    """Addresses it has from the module, and no others ask anybody else for those."""
    question = goresolver.question(NAME, goresolver.A)
    with running(HOOK), module_resolves(), hook() as s, hook() as junk:
        for keys in ([(NAME, 1)], [(NAME, 1), (NAME, 28)], [("caf\u00e9.test", 1), (NAME, 1)]):
            answer = asks(s, "ResolveRecord", *keys)["parameters"]
            same(0, answer["rcode"], "code")
            got = base64.b64decode(answer["answer"][0]["raw"])
            same((question, b"\0\4" + socket.inet_aton(HOST)),
                 (got[:len(question)], got[len(question) + 4:]), "record")
        for name in (NAME, "192.0.2.28"):
            same({"rcode": 0, "answer": []}, asks(s, "ResolveRecord", (name, 28))["parameters"],
                 "IPv6 of " + name)
        for keys in ([(NAME, 15)], [(NAME, 1), (NAME, 16)], [("printer", 1)], [("a.local", 1)],
                     [(NAME, 1), ("a." + NAME, 1)], [("nobody.test", 1)], [("nobody.test", 28)],
                     [("a.invalid", 1)],
                     [("a..b", 1)], [("a b.test", 1)], [("a.test\0.b", 1)], [("a." * 200, 1)], []):
            same({}, asks(s, "ResolveRecord", *keys)["parameters"], repr(keys))
        # Of this machine the module is not asked, nor believed.
        asked = sim_stat("names-asked")
        for name in ("localhost.localdomain", "a.LOCALHOST.LOCALDOMAIN."):
            same({}, asks(s, "ResolveRecord", (name, 1))["parameters"], name)
        same(asked, sim_stat("names-asked"), "names that the module was asked for")
        check("MethodNotFound" in asks(s, "QueryFilter")["error"], "another method")
        # What is no call ends the one connection, and no other.
        junk.sendall(b"{\0")
        same(b"", junk.recv(1), "answer to no call")
        check("answer" in asks(s, "ResolveRecord", (NAME, 1))["parameters"], "no answer")
        # IPv6 of other networks is not lost where the module has none.
        with no_network():
            same({}, asks(s, "ResolveRecord", ("192.0.2.29", 28))["parameters"], "no network")


class Crowd(contextlib.ExitStack):
    """Programs that ask the name server itself, and each for another name that takes long."""

    def __init__(self):
        super().__init__()
        self.names = itertools.count()
        self.udp = self.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        # They all may be told at once that it has taken too long.
        self.udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.udp.settimeout(LIMIT)
        self.udp.connect((ADDRESS, 53))

    def questions(self, count):
        """The last is answered at once, and so the others have been heard then."""
        for _ in range(count):
            yield goresolver.query(1, goresolver.question(
                "%d.slow.test" % next(self.names), goresolver.A))
        yield goresolver.query(2, goresolver.question("localhost", goresolver.A))

    def connect(self, count):
        s = self.enter_context(socket.create_connection((ADDRESS, 53), LIMIT))
        for wire in self.questions(count):
            s.sendall(len(wire).to_bytes(2, "big") + wire)
        while goresolver.Message(
                receive(s, int.from_bytes(receive(s, 2), "big"))).number != 2:
            pass
        return s

    def send(self, count):
        for wire in self.questions(count):
            self.udp.send(wire)
        while goresolver.Message(self.udp.recv(4096)).number != 2:
            pass


class AsResolved(contextlib.ExitStack):
    """Asks for names of a module that can be stopped; NAMES are none that it knows yet."""

    def __init__(self):
        super().__init__()
        self.names = ("192.0.2.%d" % n for n in itertools.count(1))
        try:
            self.begin()
        except BaseException:
            self.close()
            raise

    def begin(self):
        self.enter_context(changed(
            STUB, "[Service]\nExecStart=\nExecStart=/usr/sbin/atwifid --device atw1\n"))
        self.module = self.enter_context(another_module(1))
        # It is not to go on with this module when the next one begins it.
        self.callback(systemctl, "stop " + STUB)
        self.enter_context(running(HOOK))
        self.s, self.other = (self.enter_context(hook()) for _ in range(2))
        becomes(lambda: sysfs("state", "atw1") == "joined", "it does not join")
        # Others are heard from here on.
        self.other_asks()

    def other_asks(self):
        same({}, asks(self.other, "ResolveRecord", ("printer", 1))["parameters"], "another answer")

    def calls(self):
        """And has been heard."""
        calls(self.s, "ResolveRecord", (next(self.names), 1))
        self.other_asks()

    def hears(self):
        self.module.sim.send_signal(signal.SIGCONT)
        return hears(self.s)["parameters"]


@test
def resolved_alone():
    """Nobody else may ask where it is answered before others."""
    with running(HOOK):
        at = os.stat(hook_path())
        same((pwd.getpwnam("systemd-resolve").pw_uid, 0o600), (at.st_uid, at.st_mode & 0o777),
             "whose it is")


@test
def resolved_in_a_crowd():
    """However many others are connected it has its answer."""
    with AsResolved() as resolved:
        def is_answered():
            with Crowd() as crowd:
                resolved.module.sim.send_signal(signal.SIGSTOP)
                resolved.calls()
                # More than it keeps; that takes less than the seconds in which it is answered.
                for _ in range(100):
                    crowd.connect(1)
                return "answer" in resolved.hears()

        becomes(is_answered, "it has no answer")


@test
def resolved_before_others():
    """However many others ask, and wait, it is the next."""
    with AsResolved() as resolved, Crowd() as crowd:
        def is_next():
            resolved.module.sim.send_signal(signal.SIGSTOP)
            # Those who wait no more, and those who do.
            for _ in range(18):
                reset(crowd.connect(60))
            for _ in range(25):
                crowd.send(50)
            resolved.calls()
            return "answer" in resolved.hears()

        becomes(is_next, "it has no place")


@test
def newer_resolved():
    """One that knows of the socket asks there first, and nobody else where it is answered."""
    unit = "newer-resolved.service"
    command = newer("/usr/lib/systemd/systemd-resolved")

    def found():
        with contextlib.suppress(goresolver.Misbehaving, goresolver.NoSuchHost):
            return goresolver.lookup(NAME, "127.0.0.53")
        return []

    # Nor is it told of servers by that.
    with configured(), away("/etc/resolv.conf"), \
         with_unit(unit, SERVICE + "Type=notify\nExecStart=%s\n" % command), \
         systemd_resolved(unit), module_resolves():
        same([], found(), "addresses from nobody")
        # It may look when the socket is made, and before it is given to it.
        with changed(HOOK, "[Socket]\nSocketUser=root\n"), running(HOOK):
            same([], found(), "addresses by a socket of root's")
            inside("chown systemd-resolve " + HOOK_PATH)
            for line in commands(HOOK, "StartPost"):
                inside(line)
            becomes(lambda: found() == [HOST], "it does not look again")
        becomes(nobody_runs, "they do not end")
        with running(HOOK):
            becomes(lambda: found() == [HOST], "the module is not asked")


@test
def beside_busybox():
    """Whatever else the units run is there where that is all there is."""
    busybox = shutil.which("busybox")
    lines = [line for unit in (AGENT, STUB, HOOK) for line in commands(unit, r"\w+")]
    with contextlib.ExitStack() as stack:
        for name in {line.split()[0] for line in lines if not line.startswith("/")}:
            os.symlink(busybox, stack.enter_context(away("/usr/local/sbin/" + name)))
        with running(AGENT), running(HOOK), running(STUB):
            systemctl("reload " + STUB)


def prepare():
    if not Init.pid:
        install()
        install_services()
        Init.end.enter_context(systemd())
    # Whoever another test has had begun would do his work in this one.
    systemctl("stop %s %s %s" % (HOOK, AGENT, STUB))
    becomes(lambda: nobody_runs() and not modules(), "somebody is there of the test before")


def main():
    os.makedirs(TMP, exist_ok=True)
    with Init.end:
        return run_tests(prepare)


if __name__ == "__main__":
    sys.exit(main())
