#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
atwifi-agent: the passphrases that atwctl keeps, and those that it finds with other programs;
and the servers that it tells others of. Environment as for netdev.py; ATW_LIB is where it is.
"""

import collections
import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

from atwnet import (
    TMP, Family, Notified, bus, busy, daemon, install, look, sim, sim_stat)
from guest import (
    DEV, LIMIT, Module, Skipped, becomes, check, run, run_tests, same, sysfs, test)

CTL = os.environ["ATW_CTL"]
# As the unit has it: root, without what makes root special.
AGENT = ("setpriv --bounding-set -all,+net_admin --inh-caps -all " +
         os.environ["ATW_LIB"] + "/atwifi-agent")
# The same.
UMASK = 0o777
STORE = "/etc/atwifi/passwords"
FILES = "/tmp/secrets"
SECRET = "correct horse battery"
# Of a file with servers: at its top, and before those of the module.
TOP = "# Of the networks of Wi-Fi modules, by atwifi-agent(8).\n"
BY = "# device: %s\n"


def write(path, text, mode=0o600):
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)


def tool(args, given=None, good=True):
    """What atwctl prints; GIVEN is the password."""
    done = subprocess.run([CTL, *args], input=given, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=LIMIT)
    same(good, not done.returncode, "%r: %s%s" % (args, done.stdout, done.stderr))
    return done.stdout if good else done.stderr.decode()


def keep(ssid, passphrase=SECRET.encode()):
    tool(["password", "-p", "-", ssid], passphrase + b"\n")


def knows(ssid=b"cafe", words=None):
    """Who knows the network, by what the agent says: with all of root's privileges no more."""
    done = subprocess.run([AGENT.split()[-1], "--check", ssid], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    out = done.stdout.decode()
    check(SECRET not in out, "the passphrase is told")
    same("passphrase" in out, not done.returncode, "status of: " + out)
    if words is not None:
        same(words, out.splitlines(), "who knows it")
    return out


@test
def store():
    odd = bytes((*range(1, 10), *range(11, 32)))
    names = [b"cafe", "Caf\u00e9 \u2615".encode(), b"# a \\ b", odd, b"\xff" * 32,
             b"\x7f\xc2\x9b31m\x9b31m\xc2"]
    knows(words=[])
    for name in names:
        keep(name)
        knows(name, ["atwctl password: 1 passphrase"])
    same(0o600, os.stat(STORE).st_mode & 0o7777, "mode")
    same(len(names), len(tool(["password"]).splitlines()), "networks")
    rows = json.loads(tool(["--json", "password"]))
    same(len(names), len(rows), "networks")
    same({"ssid": "Caf\u00e9 \u2615"}, rows[1], "a network")
    # No terminal is told what it might obey, nor anybody what was behind a name in memory.
    same({"ssid": "\x7f\x9b31m\ufffd31m\ufffd"}, rows[5], "a hostile network")
    same("\\x7f\\xc2\\x9b31m\\x9b31m\\xc2", tool(["password"]).decode().splitlines()[5], "it")
    check(not re.search("[\x7f-\x9f]", tool(["--json", "password"]).decode()), "controls")
    check(SECRET.encode() not in tool(["--json", "password"]), "the passphrase is told")
    # Another one takes the place of the first, in one line.
    keep(b"cafe", b"12345678")
    same(len(names), len(tool(["password"]).splitlines()), "networks")
    with open(STORE, encoding="ascii") as f:
        text = f.read()
    same(1, len(re.findall("^cafe 12345678$", text, re.M)), "lines")
    # What somebody else has written there stays.
    write(STORE, text + "# of a friend's\nno passphrase")
    keep(b"cafe")
    with open(STORE, encoding="ascii") as f:
        check("\n# of a friend's\nno passphrase\ncafe " in f.read(), "lines are lost")
    for name in names:
        tool(["password", "--forget", name])
    knows(words=[])
    check("there is none" in tool(["password", "--forget", "cafe"], good=False), "words")
    same(["passwords"], [n for n in os.listdir("/etc/atwifi") if n.startswith("pass")], "files")
    # Who locks what anybody can open keeps nobody waiting.
    folder = os.open("/etc/atwifi", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        keep(b"cafe")
    finally:
        os.close(folder)
    same(0o600, os.stat("/etc/atwifi/.lock").st_mode & 0o7777, "mode of the lock")


def types_when_asked(command, password):
    """Who types as soon as he is asked is not seen to, and all that he types is taken."""
    master, terminal = os.openpty()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Where nobody reads yet nobody is asked.
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    with subprocess.Popen([CTL, *command], stdin=terminal, stderr=writer) as asks:
        try:
            os.close(writer)
            becomes(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO,
                    "what is typed would be seen")
            said = b""
            while not said.endswith(b": "):
                piece = os.read(reader, 65536)
                check(piece, "he is not asked")
                said += piece.strip(b"\0")
            os.write(master, password.encode() + b"\n")
            same(0, asks.wait(LIMIT), "status")
        finally:
            asks.kill()
    os.set_blocking(master, False)
    with contextlib.suppress(BlockingIOError):
        same(b"", os.read(master, 4096), "what is seen")
    for fd in (master, terminal, reader):
        os.close(fd)


@test
def asks_at_a_terminal():
    """For what is kept, and for the network that the module is to join."""
    types_when_asked(["password", "cafe"], SECRET)
    knows(words=["atwctl password: 1 passphrase"])
    tool(["password", "--forget", "cafe"])
    joins = sim_stat("joins")
    types_when_asked(["join", "atsim"], "12345678")
    same((joins + 1, "joined"), (sim_stat("joins"), sysfs("state")), "joins, and the state")


@test
def store_refuses():
    keep(b"cafe")
    for args, given in ((["password", "-p", "-", b"cafe"], b"1234567\n"),
                        (["password", "-p", "-", b"cafe"], b"0" * 64 + b"\n"),
                        (["password", "-p", "-", b"cafe"], b"0" * 100 + b"\n"),
                        (["password", "-p", "-", b"c" * 33], SECRET.encode()),
                        (["password", "-p", "-", ""], SECRET.encode()),
                        (["password", "--forget"], None),
                        (["password", b"cafe", SECRET], None)):
        tool(args, given, good=False)
    knows(b"cafe", ["atwctl password: 1 passphrase"])
    # There is a bound to it, and what is there stays readable.
    with open(STORE, "ab") as f:
        f.write(b"#" * (65520 - f.tell()))
    tool(["password", "-p", "-", b"other"], SECRET.encode(), good=False)
    knows(b"cafe", ["atwctl password: 1 passphrase"])
    # With the longest line that there can be behind the most that is read.
    with open(STORE, "ab") as f:
        f.write(b"#" * (65535 - f.tell()))
    check("no room" in tool(["password", "-p", "-", b"\xff" * 32], b"\xff" * 63, good=False),
          "words")
    knows(b"cafe", ["atwctl password: 1 passphrase"])
    tool(["password", "--forget", b"cafe"])
    os.unlink(STORE)
    # On a full disk the old one stays, and whoever asks is told.
    run("mount -t tmpfs -o size=4k none /etc/atwifi")
    try:
        keep(b"cafe")
        with contextlib.suppress(OSError), open("/etc/atwifi/full", "wb") as f:
            f.write(bytes(65536))
        tool(["password", "-p", "-", b"other"], SECRET.encode(), good=False)
        knows(b"cafe", ["atwctl password: 1 passphrase"])
        same([".lock", "full", "passwords"], sorted(os.listdir("/etc/atwifi")), "files")
    finally:
        run("umount /etc/atwifi")
    # Two at a time lose nothing.
    with contextlib.ExitStack() as stack:
        for n in range(4):
            p = stack.enter_context(subprocess.Popen(
                [CTL, "password", "-p", "-", "net%d" % n], stdin=subprocess.PIPE))
            p.stdin.write(SECRET.encode())
            p.stdin.close()
    same(4, len(tool(["password"]).splitlines()), "networks")


WPA = """
ctrl_interface=/run/wpa_supplicant
network={
	psk="%s"
	ssid="cafe"
}
network={
	ssid="key"
	psk=%s
}
""" % (SECRET, "0123456789abcdef" * 4)


@contextlib.contextmanager
def running(*args, user="root"):
    """Somebody who looks like a wpa_supplicant that was told this."""
    with subprocess.Popen(["/sbin/wpa_supplicant", "-s", "--", *args], executable="/bin/sh",
                          stdin=subprocess.PIPE, user=user) as process:
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait()


@test
def wpa_supplicant():
    conf = FILES + "/wpa/wpa.conf"
    write(conf, WPA)
    knows(words=[])
    for args in (["-B", "-c" + conf], ["-Bdc", conf, "-i", "wlan0"], ["-c/none", "-I", conf]):
        with running(*args):
            knows(words=["wpa_supplicant: 1 passphrase"])
    with running("-c", conf):
        knows(b"key", ["wpa_supplicant: a key alone"])
    for args in (["-c", "wpa.conf"], ["-i", "-c" + conf]):
        with running(*args):
            knows(words=[])
    # Who is not root has no file read.
    with running("-c", conf, user="nobody"):
        knows(words=[])
    # Nor a file that somebody else may write.
    for user, mode in (("root", 0o660), ("root", 0o602), ("nobody", 0o644)):
        shutil.chown(conf, user)
        os.chmod(conf, mode)
        with running("-c", conf):
            knows(words=[])
    write(conf, WPA)
    shutil.chown(conf, "root")
    # What is no file is not waited for, nor is all of it read.
    os.mkfifo(FILES + "/fifo")
    write(FILES + "/large", b"#" * (1 << 20) + WPA.encode())
    for name in ("/fifo", "/large", "/wpa"):
        with running("-c", FILES + name):
            knows(words=[])
    write("/run/netplan/wpa-wlan0.conf", WPA)
    knows(words=["netplan: 1 passphrase"])
    with running("-c", conf):
        knows(words=["wpa_supplicant: 1 passphrase"])
    os.unlink("/run/netplan/wpa-wlan0.conf")


@test
def files():
    interfaces = "iface wlan0 inet dhcp\n wpa-ssid cafe\n wpa-psk %s\nauto lo\n" % SECRET
    write("/etc/network/interfaces", interfaces, 0o644)
    knows(words=["ifupdown: 1 passphrase"])
    write("/etc/network/interfaces", "source interfaces.d/*\n", 0o644)
    write("/etc/network/interfaces.d/wlan0", interfaces.replace(SECRET, '"%s"' % SECRET))
    knows(words=["ifupdown: 2 passphrases"])
    os.unlink("/etc/network/interfaces.d/wlan0")
    write("/var/lib/iwd/cafe.psk", "[Security]\nPreSharedKey=00\nPassphrase=%s\n" % SECRET)
    write("/var/lib/iwd/=636166c3a9.psk", "[Security]\nPassphrase=%s\n" % SECRET)
    write("/var/lib/iwd/key.psk", "[Security]\nPreSharedKey=00\n")
    for name, words in ((b"cafe", "1 passphrase"), ("caf\u00e9".encode(), "1 passphrase"),
                        (b"key", "a key alone")):
        knows(name, ["iwd: " + words])
    shutil.rmtree("/var/lib/iwd")
    write("/var/lib/connman/wifi_01_63616665_managed_psk/settings",
          "[wifi_01_63616665_managed_psk]\nName=cafe\nSSID=63616665\nPassphrase=%s\n" % SECRET)
    knows(words=["connman: 1 passphrase"])
    shutil.rmtree("/var/lib/connman")
    # Another user's file is his: root's privileges are not used on it.
    write("/var/lib/iwd/cafe.psk", "[Security]\nPassphrase=%s\n" % SECRET)
    shutil.chown("/var/lib/iwd/cafe.psk", "nobody")
    knows(words=[])
    shutil.rmtree("/var/lib/iwd")
    knows(words=[])


def in_order():
    """Each of them knows another passphrase; what any user can add comes last."""
    network, conf = 'network={\nssid="cafe"\npsk="of %s"\n}\n', FILES + "/order.conf"
    places = {
        conf: network % "wpa_supplicant",
        "/run/netplan/wpa-wlan0.conf": network % "netplan",
        "/etc/network/interfaces.d/order": "wpa-ssid cafe\nwpa-psk of ifupdown\n",
        "/var/lib/iwd/cafe.psk": "[Security]\nPassphrase=of iwd's\n",
        "/var/lib/connman/wifi_01_order/settings": "[order]\nSSID=63616665\n"
                                                   "Passphrase=of connman\n"}
    keep(b"cafe", b"of the store")
    for path, text in places.items():
        write(path, text)
    try:
        with running("-c", conf):
            knows(words=[name + ": 1 passphrase" for name in (
                "atwctl password", "wpa_supplicant", "netplan", "ifupdown", "iwd", "connman",
                "NetworkManager")])
    finally:
        for path in places:
            os.unlink(path)


@test
def network_manager():
    install()
    # Nor is a bus that says nothing.
    os.makedirs("/run/dbus", exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/run/dbus/system_bus_socket")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind("/run/dbus/system_bus_socket")
        silent.listen()
        knows(words=[])
    with bus():
        # Without one it is not waited for, nor started.
        knows(words=[])
        with daemon(["unshare", "-m", "sh", "-c", "mount -o remount,bind,ro /sys; exec "
                     "NetworkManager --no-daemon"]):
            becomes(lambda: run("nmcli -t -f RUNNING general", good=False) == "running\n",
                    "no NetworkManager")
            for name, ssid, secret in (("one", "cafe", SECRET), ("two", "other", "87654321"),
                                       ("three", "key", "0123456789abcdef" * 4)):
                run("nmcli connection add type wifi con-name %s ifname '*' ssid %s autoconnect no "
                    "wifi-sec.key-mgmt wpa-psk wifi-sec.psk '%s'" % (name, ssid, secret))
            knows(words=["NetworkManager: 1 passphrase"])
            knows(b"key", ["NetworkManager: a key alone"])
            keep(b"cafe")
            # The same one is one.
            knows(words=["atwctl password: 1 passphrase"])
            in_order()


RESOLVED = "org.freedesktop.resolve1"


def manager(what, args):
    """Asks resolved about the device; what it answers."""
    return run("busctl call %s /org/freedesktop/resolve1 %s.Manager %s %s" % (
        RESOLVED, RESOLVED, what, args % socket.if_nametoindex(DEV)), good=False)


@contextlib.contextmanager
def resolved():
    with daemon(["/lib/systemd/systemd-resolved"]) as process:
        becomes(lambda: manager("GetLink", "i %d"), "no resolved")
        yield process


def link_property(name):
    path = manager("GetLink", "i %d").split('"')[1]
    return run("busctl get-property %s %s %s.Link %s" % (RESOLVED, path, RESOLVED, name)).strip()


def link_has(*servers):
    """By what resolved says, the device has these."""
    want = " ".join(["a(iay)", str(len(servers))] + [
        "2 4 " + s.replace(".", " ") for s in servers])
    becomes(lambda: link_property("DNS") == want, "the servers are not %r" % (servers,))


def module_has(*servers):
    becomes(lambda: tool(["dns"]).decode().split() == list(servers),
            "the module's servers are not %r" % (servers,))


def reads(path, text):
    def same_text():
        try:
            with open(path, encoding="ascii") as f:
                return f.read() == text
        except FileNotFoundError:
            return False
    becomes(same_text, "%s is not %r" % (path, text))


@contextlib.contextmanager
def out_of_network():
    sim("link down")
    becomes(lambda: sysfs("state") == "down", "it is still joined")
    yield
    sim("link up")
    becomes(lambda: sysfs("state") == "joined", "it does not join")


def rename(old, new):
    run("ip link set %s down && ip link set %s name %s && ip link set %s up" % (old, old, new, new))


def beside_resolved():
    """The module is in its network, and resolved can start."""
    install()
    run("mkdir -p /run/systemd/resolve; chown systemd-resolve:nogroup /run/systemd/resolve")
    becomes(lambda: sysfs("state") == "joined", "it does not join")


def with_resolvconf(text):
    """It may be another name of resolvectl."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/usr/sbin/resolvconf")
    write("/usr/sbin/resolvconf", "#!/bin/sh\n" + text, 0o755)


@test
def servers():
    """Whoever is to know the module's name servers does, as long as they are of use."""
    beside_resolved()
    server = sysfs("gateway")
    conf, told = FILES + "/resolv.conf", FILES + "/told"
    name = "nameserver %s\n" % server
    with_resolvconf("(echo \"$*\"; cat) >%s\necho \"$*\" >>%s.all\n" % (told, told))
    # One whose end was unclean has left this.
    write(conf + ".atwifi", "", 0)
    with bus():
        with daemon([*AGENT.split(), "--resolvconf", "--write", conf], UMASK) as agent_:
            # Without one that runs, others are told all the same.
            reads(told, "-a %s.atwifi\n" % DEV + name)
            reads(conf, TOP + BY % DEV + name)
            for path in (told, conf):
                same(0o644, os.stat(path).st_mode & 0o7777, "mode of " + path)
            with resolved():
                link_has(server)
                with out_of_network():
                    link_has()
                    reads(told, "-d %s.atwifi\n" % DEV)
                    reads(conf, TOP)
                link_has(server)
            with resolved():
                link_has(server)
                # What somebody else says of the link counts.
                manager("SetLinkDNS", "'ia(iay)' %d 1 2 4 192 0 2 53")
                link_has("192.0.2.53")
                with out_of_network():
                    reads(conf, TOP)
                reads(conf, TOP + BY % DEV + name)
                link_has("192.0.2.53")
                # And the module does not, since nobody has said so.
                for _ in range(3):
                    look(agent_)
                module_has(server)
                manager("RevertLink", "i %d")
                agent_.send_signal(signal.SIGHUP)
                link_has(server)
                # By another name it is another link for resolvconf.
                rename(DEV, "other")
                agent_.send_signal(signal.SIGHUP)
                reads(told, "-a other.atwifi\n" + name)
                check("\n-d %s.atwifi\n-a other.atwifi\n" % DEV in run("cat %s.all" % told),
                      "the old name stays")
                rename("other", DEV)
                agent_.send_signal(signal.SIGHUP)
                reads(told, "-a %s.atwifi\n" % DEV + name)
                link_has(server)
                # An address of this machine is no server, though the network says so.
                for address, lines in (("127.0.0.2", ""), (server, BY % DEV + name)):
                    tool(["at", "AT+WDNS=" + address])
                    agent_.send_signal(signal.SIGHUP)
                    reads(conf, TOP + lines)
                    link_has(*[server] if lines else [])
                # What is no server is not ours.
                manager("SetLinkDomains", "'ia(sb)' %d 1 example.test false")
                agent_.send_signal(signal.SIGTERM)
                link_has()
                check("example.test" in link_property("Domains"), "the domain is gone")
                reads(conf, TOP)
    os.unlink("/usr/sbin/resolvconf")


@test
def openresolv():
    """One that is no script of ours has the file that programs read, and is told when to forget."""
    if not os.environ["ATW_RESOLVCONF"]:
        raise Skipped("the target 'resolvconf' of vm/setup could not be prepared")
    becomes(lambda: sysfs("state") == "joined", "it does not join")
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/usr/sbin/resolvconf")
    run("tar -C %s -cf - . | tar -C / --keep-directory-symlink -xf -" %
        os.environ["ATW_RESOLVCONF"])
    line = "nameserver %s\n" % sysfs("gateway")

    def knows(what):
        with open("/etc/resolv.conf", encoding="ascii") as f:
            return what == (line in f) == (line in run("resolvconf -l", good=False))

    write("/etc/resolv.conf", "", 0o644)
    with daemon([*AGENT.split(), "--resolvconf"], UMASK):
        becomes(lambda: knows(True), "it is not told")
        same([DEV + ".atwifi"], run("resolvconf -i").split(), "whose they are")
        with out_of_network():
            becomes(lambda: knows(False), "it is not told to forget")
        becomes(lambda: knows(True), "it is not told again")
    becomes(lambda: knows(False), "it is not told of the end")
    os.unlink("/usr/sbin/resolvconf")


@test
def resolvconf_hangs():
    """It is not waited for, ended with all that it runs, and told the last thing last."""
    beside_resolved()
    conf, told, child, beside = (FILES + n for n in ("/resolv.conf", "/told", "/child", "/beside"))
    name = "nameserver %s\n" % sysfs("gateway")
    with_resolvconf(
        # What was killed is there until it is reaped.
        '[ ! -e %s ] || ! grep -qs "^State:.[RSD]" /proc/$(cat %s)/status || touch %s\n'
        '(echo "$*"; cat) >%s\n'
        '[ "$1" = -d ] || { sleep 1000 & echo $! >%s; wait; }\n' % (
            child, child, beside, told, child))
    with daemon([*AGENT.split(), "--resolvconf", "--write", conf], UMASK):
        reads(told, "-a %s.atwifi\n" % DEV + name)
        reads(conf, TOP + BY % DEV + name)
        with out_of_network():
            reads(conf, TOP)
            reads(told, "-d %s.atwifi\n" % DEV)
        reads(told, "-a %s.atwifi\n" % DEV + name)
    # Who ends tells that, too.
    reads(told, "-d %s.atwifi\n" % DEV)
    check(not os.path.exists(beside), "one beside another")
    os.unlink("/usr/sbin/resolvconf")


def others_say(*servers):
    """Somebody tells resolved servers of the device, of IPv4 as text or of IPv6 as bytes."""
    manager("SetLinkDNS", "'ia(iay)' %%d %d %s" % (len(servers), " ".join(
        "10 16 " + " ".join(map(str, s)) if isinstance(s, bytes) else "2 4 " + s.replace(".", " ")
        for s in servers)))


@test
def module_is_told():
    """What others say of the link the module is told, where that is wanted, and not too often."""
    beside_resolved()
    server = sysfs("gateway")
    before = sim_stat("dns-writes")
    conf = FILES + "/resolv.conf"
    log_before = os.path.getsize(TMP + "/log") if os.path.exists(TMP + "/log") else 0
    with bus(), daemon([*AGENT.split(), "--module", "--write", conf], UMASK) as agent_:
        def logged(words):
            with open(TMP + "/log", "rb") as f:
                f.seek(log_before)
                return f.read().count(words)

        def looks_until(condition, words):
            def looked():
                look(agent_)
                return condition()
            becomes(looked, words)

        def module_gets(*servers):
            looks_until(lambda: tool(["dns"]).decode().split() == list(servers),
                        "the module's servers are not %r" % (servers,))

        with resolved():
            link_has(server)
            others_say("192.0.2.53", "192.0.2.54")
            module_gets("192.0.2.53", "192.0.2.54")
            # What it takes and does not have then it is not told again and again.
            sim("quirk keeps-dns=1")
            others_say("192.0.2.55")
            module_gets("192.0.2.55", "192.0.2.54")
            for _ in range(6):
                look(agent_)
            sim("quirk keeps-dns=0")
            same(before + 2, sim_stat("dns-writes"), "times that it was told")
            # Those that it could not ask, and more than two, are none.
            others_say(bytes(range(16)), "127.0.0.2", "192.0.2.55", "224.0.0.1", "192.0.2.56",
                       "192.0.2.57")
            module_gets("192.0.2.55", "192.0.2.56")
            # That is said, once however often it is seen.
            for _ in range(3):
                look(agent_)
            same(1, logged(b"127.0.0.2 is this machine's own"), "times that it is said")
            # When nobody says so any more; and without being asked for it.
            manager("RevertLink", "i %d")
            module_has(server)
            link_has(server)
            # What is not ours to take back stays, and is not ours if the module has it still.
            others_say("192.0.2.58")
            module_gets("192.0.2.58")
            reads(conf, TOP + BY % DEV + "nameserver 192.0.2.58\n")
            for _ in range(2):
                with out_of_network():
                    reads(conf, TOP)
                    link_has("192.0.2.58")
                reads(conf, TOP + BY % DEV + "nameserver 192.0.2.58\n")
                link_has("192.0.2.58")
                module_has("192.0.2.58")
            same(before + 5, sim_stat("dns-writes"), "times that it was told")
            for number in range(1, 4):
                others_say("192.0.2.%d" % number)
                module_gets("192.0.2.%d" % number)
            others_say("192.0.2.4")
            looks_until(lambda: logged(b"change too often"), "it is told for ever")
            same(before + 8, sim_stat("dns-writes"), "times that it was told")
            # They are somebody else's still, and are not told when he does not say so.
            reads(conf, TOP + BY % DEV + "nameserver 192.0.2.3\n")
            look(agent_)
            manager("RevertLink", "i %d")
            for _ in range(3):
                look(agent_)
            link_has()
    tool(["dns", server])


@contextlib.contextmanager
def asked():
    """How often resolved, which runs, was asked about links by the one who asks the most."""
    path, numbers = FILES + "/calls", itertools.count()

    def askers(member):
        with open(path, encoding="ascii") as f:
            return re.findall(r"\t(:\S+)(?:\t\S+){3}\t%s$" % member, f.read(), re.M)

    def mark():
        """A method that there is not: what was asked before is before it on the bus."""
        member = "Mark%d" % next(numbers)
        run("busctl call --expect-reply=no %s /org/freedesktop/resolve1 %s.Manager %s" % (
            RESOLVED, RESOLVED, member))
        return member

    def sees():
        mark()
        return askers(r"Mark\d+")

    def until_now():
        last = mark()
        becomes(lambda: askers(last), "it is not seen")
        return max(collections.Counter(askers("GetLink")).values(), default=0)

    with open(path, "wb") as f, subprocess.Popen(
            ["dbus-monitor", "--system", "--profile", "destination=" + RESOLVED],
            stdout=f) as monitor:
        try:
            becomes(sees, "nothing is seen")
            yield until_now
        finally:
            monitor.terminate()


@contextlib.contextmanager
def stopped(process):
    """It is there, and does nothing."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def notifying(*options):
    """The agent, and what it tells systemd."""
    path = FILES + "/notify"
    with Notified(path) as notified, daemon([*AGENT.split(), *options], UMASK, {
            "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "100000"}) as notified.process:
        notified.says("READY=1")
        yield notified


def comes_round(notified):
    """
    Its loop of events does, and says so each time. A signal that it was sent before is dealt with
    by the third, what the driver was asked for that by the fourth, and for that by the fifth.
    """
    notified.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            notified.recv(4096)
    notified.settimeout(LIMIT)
    for _ in range(5):
        notified.says("WATCHDOG=1")


@test
def module_is_told_others():
    """What it says that it had before is not what its network has chosen."""
    beside_resolved()
    server = sysfs("gateway")
    with bus(), resolved(), notifying("--module") as notified:
        agent_ = notified.process
        link_has(server)
        with asked() as number:
            def looks():
                agent_.send_signal(signal.SIGHUP)
                comes_round(notified)

            def looks_by_itself():
                """In which it does not ask what the module has."""
                before = number()
                becomes(lambda: number() > before, "it does not look")
                comes_round(notified)

            with contextlib.ExitStack() as stack:
                with busy(81):
                    others_say("192.0.2.53")
                    looks()
                    looks_by_itself()
                    stack.enter_context(stopped(agent_))
                module_has("192.0.2.53")
                # It hears that the module was told, and asks; before it is answered it tells more.
                with busy(82):
                    others_say("192.0.2.54")
                    stack.close()
                    looks()
                    looks()
            module_has("192.0.2.54")
            manager("RevertLink", "i %d")
            looks()
            looks()
            module_has(server)
            link_has(server)
    tool(["dns", server])


@test
def resolved_hangs():
    """Who does not answer is not waited for again and again; he is told all the same, later."""
    beside_resolved()
    server, conf = sysfs("gateway"), FILES + "/resolv.conf"
    with bus(), resolved() as process, \
         daemon([*AGENT.split(), "--write", conf], UMASK) as agent_:
        link_has(server)
        try:
            with asked() as number, stopped(process):
                begun = time.monotonic()
                for _ in range(8):
                    look(agent_)
                sim("link down")
                reads(conf, TOP)
                # A second in ten, and one that had begun before.
                check(number() <= 2 + (time.monotonic() - begun) // 10,
                      "%d questions in %.1f s" % (number(), time.monotonic() - begun))
            link_has()
            with stopped(process):
                sim("link up")
                reads(conf, TOP + BY % DEV + "nameserver %s\n" % server)
            link_has(server)
        finally:
            sim("link up")


@test
def resolved_is_away():
    """What it keeps of a link, as it does for the next one, is taken back when that comes."""
    beside_resolved()
    server, conf = sysfs("gateway"), FILES + "/resolv.conf"
    with bus(), daemon([*AGENT.split(), "--write", conf], UMASK):
        with resolved():
            link_has(server)
        with out_of_network():
            reads(conf, TOP)
            with resolved():
                link_has()
        with resolved():
            link_has(server)


class Nobody(socket.socket):
    """Who has no privileges, and sends signals to whom he likes, which D-Bus lets him."""

    def __init__(self):
        super().__init__(socket.AF_UNIX)
        self.settimeout(LIMIT)
        # Whose it is counts when it connects.
        os.seteuid(65534)
        try:
            self.connect("/run/dbus/system_bus_socket")
        finally:
            os.seteuid(0)
        for words in b"\0AUTH EXTERNAL " + b"65534".hex().encode(), b"NEGOTIATE_UNIX_FD":
            self.sendall(words + b"\r\n")
            self.recv(4096)
        self.sendall(b"BEGIN\r\n")
        self.say(1, "org.freedesktop.DBus", "Hello")

    def say(self, kind, whom, member, data=b"", files=()):
        fields, body = b"", struct.pack("=I", len(data)) + data
        for code, letter, text in ((1, b"o", "/"), (2, b"s", "org.freedesktop.DBus"),
                                   (3, b"s", member), (6, b"s", whom)):
            fields += bytes(-len(fields) % 8) + struct.pack("=BB2sI", code, 1, letter, len(text))
            fields += text.encode() + b"\0"
        if kind == 1:
            body = b""
        else:
            fields += bytes(-len(fields) % 8) + struct.pack("=BB2sB3s", 8, 1, b"g", 2, b"ay")
        if files:
            fields += bytes(-len(fields) % 8) + struct.pack("=BB2sI", 9, 1, b"u", len(files))
        # No answer is wanted but to the first.
        head = struct.pack("=cBBBIII", b"l", kind, kind != 1, 1, len(body), 1, len(fields)) + fields
        socket.send_fds(self, [head + bytes(-len(head) % 8)], files)
        self.sendall(body)


@test
def resolved_hangs_beside_others():
    """What anybody has it be told meanwhile takes neither its memory nor its files."""
    beside_resolved()
    server, conf = sysfs("gateway"), FILES + "/resolv.conf"

    def goes_on(text, data, files):
        """Its file is this, or it is sent some more."""
        for _ in range(8):
            nobody.say(4, before, "Signal", data, files)
        with open(conf, encoding="ascii") as f:
            return f.read() == text

    def ask(member, args=""):
        return run("busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus "
                   "%s %s" % (member, args), good=False)

    def name():
        """By which the bus knows it, from one connect to the next."""
        return [n for n in re.findall(r'"(:\S+)"', ask("ListNames"))
                if ask("GetConnectionUnixProcessID", "s " + n) == "u %d\n" % agent_.pid]

    with bus(), resolved() as process, open("/dev/null", "rb") as null, \
         daemon([*AGENT.split(), "--write", conf], UMASK) as agent_, Nobody() as nobody:
        link_has(server)
        before, = name()
        # As by its unit; and memory for some of what it is sent.
        resource.prlimit(agent_.pid, resource.RLIMIT_NOFILE, (64, 64))
        with open("/proc/%d/status" % agent_.pid, encoding="ascii") as f:
            size = (int(re.search(r"VmSize:\s+(\d+) kB", f.read())[1]) + 2048) << 10
        resource.prlimit(agent_.pid, resource.RLIMIT_AS, (size, size))
        try:
            for command, has, data, files in (("down", [], b"", [null.fileno()] * 16),
                                              ("up", [server], bytes(1 << 18), ())):
                text = TOP + "".join(BY % DEV + "nameserver %s\n" % s for s in has)
                with stopped(process):
                    sim("link " + command)
                    becomes(lambda t=text, d=data, f=files: goes_on(t, d, f), "it does not go on")
                link_has(*has)
                same([before], name(), "its name")
        finally:
            sim("link up")


@test
def resolved_comes_often():
    """Who has come many times before there was time to tell him is not told as often."""
    beside_resolved()
    server = sysfs("gateway")
    with bus(), daemon(AGENT.split(), UMASK) as agent_, contextlib.ExitStack() as stack:
        with resolved():
            link_has(server)
            number = stack.enter_context(asked())
        agent_.send_signal(signal.SIGSTOP)
        for _ in range(30):
            run("setpriv --reuid systemd-resolve --clear-groups busctl call org.freedesktop.DBus "
                "/org/freedesktop/DBus org.freedesktop.DBus RequestName su %s 0" % RESOLVED)
        agent_.send_signal(signal.SIGCONT)
        with resolved():
            link_has(server)
            # Who looks on is told in his own time.
            becomes(number, "it has not asked")
            check(number() < 15, "it has asked %d times" % number())


@test
def killed():
    """What one told resolved that had no time to take it back, the next one does."""
    beside_resolved()
    server, conf = sysfs("gateway"), FILES + "/resolv.conf"
    kept = {"RUNTIME_DIRECTORY": FILES + "/run:/tmp"}
    os.makedirs(FILES + "/run")
    with bus(), resolved():
        with daemon(AGENT.split(), UMASK, kept) as agent_:
            link_has(server)
            agent_.kill()
            agent_.wait()
        with out_of_network():
            link_has(server)
            with daemon(AGENT.split(), UMASK, kept):
                link_has()
        # One who does not know of it sees that it is the same.
        with daemon(AGENT.split(), UMASK) as agent_:
            link_has(server)
            agent_.kill()
            agent_.wait()
        with daemon([*AGENT.split(), "--write", conf], UMASK):
            reads(conf, TOP + BY % DEV + "nameserver %s\n" % server)
        link_has()


def lost(process):
    """How many messages each of its sockets of generic netlink had no room for, by their ports."""
    with open("/proc/net/netlink", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    # The library's port is the process and the number of its socket.
    return {int(row[2]): int(row[8]) for row in rows
            if int(row[1]) == 16 and int(row[2]) & 0x3fffff == process.pid}


@contextlib.contextmanager
def deaf(process):
    """It is stopped, and there is no room for what it is told; what it has lost it knows then."""
    process.send_signal(signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as s:
            s.setblocking(False)
            # Where there is no room for the longer ones, an event may find some.
            for port, size in itertools.product(lost(process), (4096, 16)):
                with contextlib.suppress(BlockingIOError):
                    while True:
                        s.sendto(struct.pack("IHHII", size, 0x10, 0, 0, 0) + bytes(size - 16),
                                 (port, 0))
        before = lost(process)
        yield
        check(lost(process) != before, "nothing is lost")
    finally:
        process.send_signal(signal.SIGCONT)


@test
def overrun():
    """Who came and who went while it could not be told is asked for."""
    conf, mark = FILES + "/resolv.conf", "nameserver 192.0.2.77\n"
    becomes(lambda: sysfs("state") == "joined", "it does not join")
    known = "nameserver %s\n" % sysfs("gateway")

    def tells(*lines):
        def told():
            with open(conf, encoding="ascii") as f:
                return set(f) == {TOP, BY % DEV, *lines}
        becomes(told, "it does not tell %r" % (lines,))

    with daemon([*AGENT.split(), "--write", conf], UMASK) as agent_:
        reads(conf, TOP + BY % DEV + known)
        with deaf(agent_):
            module = Module(TMP + "/another", ("--ap", "atsim:12345678"), dev="atw1")
            becomes(lambda: sysfs("state", "atw1") == "joined", "it does not join")
            tool(["-d", "atw1", "dns", "192.0.2.77"])
        with module:
            tells(known, mark, BY % "atw1")
            with deaf(agent_):
                module.detach()
                with out_of_network():
                    pass
            tells(known)


def is_refused(family):
    """Whoever asks for the servers of a busy module, and else would wait?"""
    family.socket.setblocking(False)
    family.socket.send(family.message("dns-get", [(1, DEV.encode() + b"\0")]))
    try:
        answer = family.socket.recv(4096)
    except BlockingIOError:
        return False
    return -struct.unpack_from("i", answer, 16)[0] == errno.ENOBUFS


@test
def asks_again():
    """For servers that the module had no time to tell of."""
    conf = FILES + "/resolv.conf"
    becomes(lambda: sysfs("state") == "joined", "it does not join")
    with contextlib.ExitStack() as stack:
        with busy(83), contextlib.closing(Family()) as family:
            notified = stack.enter_context(notifying("--write", conf))

            def asks():
                """When no more of them can wait: nor can any when that is over."""
                check(any(is_refused(family) for _ in range(100)), "there is room")
                notified.process.send_signal(signal.SIGHUP)
                comes_round(notified)
                return is_refused(family)

            becomes(asks, "there is room")
            reads(conf, TOP)
        reads(conf, TOP + BY % DEV + "nameserver %s\n" % sysfs("gateway"))


@test
def agent():
    """It lives, whether or not the driver is there and asks; and is no source of a core."""
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(FILES + "/notify")
    notified.settimeout(LIMIT)
    with subprocess.Popen(AGENT.split(), env={**os.environ, "NOTIFY_SOCKET": FILES + "/notify",
                                              "WATCHDOG_USEC": "200000"}) as process:
        try:
            same([b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"],
                 [notified.recv(64) for _ in range(3)], "what it tells")
            # Nobody else's, be it root, who has no privilege for that.
            check("Permission denied" in run(
                "setpriv --bounding-set -all --inh-caps -all cat /proc/%d/maps 2>&1" % process.pid,
                good=False), "its memory can be read")
        finally:
            process.terminate()
        same(0, process.wait(), "status")


def prepare():
    with contextlib.suppress(FileNotFoundError):
        os.unlink(STORE)
    shutil.rmtree(FILES, ignore_errors=True)
    os.makedirs(FILES)


def main():
    os.makedirs(TMP, exist_ok=True)
    return run_tests(prepare)


if __name__ == "__main__":
    sys.exit(main())
