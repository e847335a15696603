#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The network device and who configures it: DHCP clients, and a lease that changes.
"""

import contextlib
import os
import signal
import subprocess
import sys

from atwnet import (DNS, FILES, HOST, LEASE, TMP, Notified, daemon, install, join, look, main,
                    no_network, on_bus, peer, restart, sim, udhcpc, url)
from guest import DEV, becomes, carrier, check, counter, digest, echoes, run, same, sysfs, test


@test
def dhcp():
    ip, gateway, dns, lease = udhcpc()
    same([sysfs("address") + "/24", sysfs("gateway")], [ip, gateway], "udhcpc's lease")
    same(gateway, dns, "name server")
    check(60 <= int(lease) <= 86400, "lease of %s s" % lease)
    # Its script configures the device, as on any Debian system.
    run("ip addr flush dev %s" % DEV)
    run("dhclient -1 -v -pf %s/dhclient.pid -lf %s/dhclient.leases %s" % (TMP, TMP, DEV))
    try:
        check(sysfs("address") in run("ip -4 addr show dev " + DEV), "no address")
        check("default via " + gateway in run("ip route"), "no route")
        check("renew" in run("cat %s/dhclient.leases" % TMP), "no renewal")
        sha = run("curl -sS %s | sha256sum" % url("small")).split()[0]
        same(digest(FILES + "/www/small"), sha, "curl")
    finally:
        run("dhclient -x -pf %s/dhclient.pid; ip addr flush dev %s" % (TMP, DEV))


@test
def another_lease():
    old = sysfs("address")
    sim("lease 192.168.7.9,255.255.255.0,192.168.7.1")
    try:
        sim("link down")
        becomes(lambda: not carrier(), "the carrier stays")
        sim("link up")
        becomes(lambda: sysfs("address") == "192.168.7.9", "address " + old)
        becomes(carrier, "no carrier")
        # Who asks for the old one is refused and gets the new one.
        same(["192.168.7.9/24", "192.168.7.1"],
             udhcpc()[:2], "lease")
        out = run("udhcpc -i %s -n -q -f -t 20 -T 3 -r %s -s %s 2>&1" % (DEV, old, LEASE))
        check("192.168.7.9" in out, out)
        with peer("echo") as s:
            echoes(s)
    finally:
        run("ip addr flush dev " + DEV)


def found(address, gateway, starts=False):
    """
    The module comes into a network that has this lease for it, or STARTS in it: then the emulator
    takes the gateway for the name server. One that starts again and again is left alone for longer
    and longer.
    """
    with contextlib.nullcontext() if starts else no_network():
        sim("lease %s,255.255.255.0,%s" % (address, gateway))
    if starts:
        restart()
    becomes(carrier, "no carrier")
    return sysfs("address"), sysfs("gateway")


@test
def lease_of_no_host():
    """What no host can have is not handed on."""
    bad = ("127.0.0.1", "0.0.0.7", "224.0.0.1", "239.255.255.250", "255.255.255.255")
    try:
        for address in bad:
            same(("", "192.168.3.1"), found(address, "192.168.3.1"), "address and gateway")
            replies = counter("dhcp_replies")
            out = run("udhcpc -i %s -n -q -f -t 2 -T 1 -s /bin/true 2>&1 || :" % DEV)
            check("no lease" in out, out)
            same(replies, counter("dhcp_replies"), "answers to who asks for an address")
        # The name server of an emulated network is its gateway.
        with open(TMP + "/told.sh", "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n[ $1 != bound ] || echo \"$ip,$router,$dns\" >%s/told\n" % TMP)
        os.chmod(TMP + "/told.sh", 0o755)
        for gateway in (*bad, "192.168.3.9"):
            same(("192.168.3.9", ""), found("192.168.3.9", gateway, True), "address and gateway")
            run("udhcpc -i %s -n -q -f -t 20 -T 3 -s %s/told.sh" % (DEV, TMP))
            with open(TMP + "/told", encoding="ascii") as f:
                same("192.168.3.9,," + (gateway if gateway not in bad else "") + "\n", f.read(),
                     "address, gateway and name server")
    finally:
        found("192.168.3.142", "192.168.3.1", True)
        run("ip addr flush dev " + DEV)


@contextlib.contextmanager
def another_network(address, noticed):
    """The module loses its network, which somebody notices, and finds another one."""
    sim("lease %s,255.255.255.0,192.168.7.1" % address)
    try:
        sim("link down")
        becomes(lambda: not carrier(), "the carrier stays")
        becomes(noticed, "the loss is not noticed")
        sim("link up")
        becomes(lambda: sysfs("address") == address, "the module's address")
        yield
    finally:
        sim("lease 192.168.3.142,255.255.255.0,192.168.3.1")
        sim("link down")
        becomes(lambda: not carrier(), "the carrier stays")
        sim("link up")
        becomes(carrier, "no carrier")


@test
def renewals():
    """A client that stays: it renews by unicast, and is refused what is no more."""
    events = TMP + "/events"
    with open(TMP + "/events.sh", "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho $1 $ip >>%s\nexec %s \"$@\"\n" % (events, LEASE))
    os.chmod(TMP + "/events.sh", 0o755)

    def happens(event):
        def happened():
            with open(events, encoding="ascii") as f:
                return event in f.read().splitlines()
        becomes(happened, "not said: " + event)

    open(events, "w", encoding="ascii").close()
    old = sysfs("address")
    with subprocess.Popen(["udhcpc", "-i", DEV, "-f", "-t", "20", "-T", "3",
                           "-s", TMP + "/events.sh"], stderr=subprocess.DEVNULL) as process:
        try:
            happens("bound " + old)
            process.send_signal(signal.SIGUSR1)
            happens("renew " + old)
            with another_network("192.168.7.9", lambda: True):
                process.send_signal(signal.SIGUSR1)
                happens("bound 192.168.7.9")
        finally:
            process.terminate()
    run("ip addr flush dev " + DEV)


def configured(address):
    """By somebody else, within some time."""
    becomes(lambda: " %s/24 " % address in run("ip -4 addr show dev " + DEV) and
            "default via %s " % sysfs("gateway") in run("ip route"),
            "not configured")
    sha = run("curl -sS %s | sha256sum" % url("small")).split()[0]
    same(digest(FILES + "/www/small"), sha, "curl")


@contextlib.contextmanager
def client(command, before=""):
    """Somebody who configures the device, on a machine that has nothing special."""
    run("ip addr flush dev %s; ip route flush dev %s; ip link set %s down" % (DEV, DEV, DEV))
    with open(TMP + "/client.log", "wb") as log:
        # No udev here: where /sys cannot be written nobody waits for it.
        with subprocess.Popen(["unshare", "-m", "sh", "-c", "mount -o remount,bind,ro /sys\n%s\n"
                               "exec %s" % (before, command)], start_new_session=True,
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
            try:
                yield process
            except BaseException:
                print("# " + run("tail -c 6000 %s/client.log" % TMP).replace("\n", "\n# "))
                raise
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    run("ip addr flush dev " + DEV)


@contextlib.contextmanager
def joined_again():
    """Afterwards the module is in its own network again, and nobody else sees to that."""
    try:
        yield
    finally:
        run("kill $(cat %s/wpa.pid)" % TMP)
        becomes(lambda: not os.path.exists(TMP + "/wpa.pid"), "wpa_supplicant stays")
        join("atsim", "12345678")


def follows_the_module(noticed=lambda: True):
    """It is configured, and again when the module has got another address."""
    configured(sysfs("address"))
    replies = counter("dhcp_replies")
    check(replies > 0, "DHCP was not asked")
    with another_network("192.168.7.9", noticed):
        configured("192.168.7.9")


@contextlib.contextmanager
def agent():
    """
    One that has the module told what others have set for its link, where no resolved runs; a
    function that waits until the module has these servers.
    """
    with Notified(TMP + "/notify") as notified, \
         daemon([os.environ["ATW_LIB"] + "/atwifi-agent", "--module"],
                env={"NOTIFY_SOCKET": TMP + "/notify"}) as process:
        notified.says("READY=1")

        def module_has(*servers):
            def has():
                look(process)
                return run(os.environ["ATW_CTL"] + " dns").split() == list(servers)
            becomes(has, "the module's servers are not %r" % (servers,))

        yield module_has


@contextlib.contextmanager
def resolved_runs():
    run("mkdir -p /run/systemd/resolve; chown systemd-resolve:nogroup /run/systemd/resolve")
    with daemon(["/lib/systemd/systemd-resolved"]):
        on_bus("org.freedesktop.resolve1")
        yield


def tells_the_module(change):
    """
    Servers of the administrator's for the link become the module's, where no resolved runs and
    where one does. CHANGE has them configured, or those of the network when they are none.
    """
    servers = "192.0.2.53", "192.0.2.54"
    with agent() as module_has, contextlib.ExitStack() as stack:
        change(*servers)
        module_has(*servers)
        change()
        module_has(sysfs("gateway"))
        stack.enter_context(resolved_runs())
        change(*servers)
        becomes(lambda: " ".join(servers) in run("resolvectl dns " + DEV), "resolved is not told")
        module_has(*servers)
        change()
        module_has(sysfs("gateway"))


@test
def dhcpcd():
    install()
    with client("dhcpcd -B -4 " + DEV):
        follows_the_module()


@test
def networkd():
    install()
    os.makedirs("/etc/systemd/network", exist_ok=True)

    def configure_by(lines):
        with open("/etc/systemd/network/wired.network", "w", encoding="ascii") as f:
            f.write("[Match]\nType=ether wlan\n[Network]\nDHCP=ipv4\n" + lines)

    configure_by("")
    run("mkdir -p /run/systemd/netif/links /run/systemd/netif/leases; "
        "chown -R systemd-network /run/systemd/netif")
    with client("/lib/systemd/systemd-networkd", "dbus-daemon --system --fork"):
        follows_the_module()
        on_bus("org.freedesktop.network1")

        def change(*servers):
            # And some that no module can be told.
            configure_by("".join("DNS=%s\n" % s for s in ("fd00::53 127.0.0.2", *servers)
                                 if servers))
            run("networkctl reload")

        tells_the_module(change)


@test
def network_manager():
    install()
    os.makedirs("/run/dbus", exist_ok=True)
    # It has wpa_supplicant join networks, if there is one.
    with joined_again(), client("NetworkManager --no-daemon", "dbus-daemon --system --fork\n"
                                "wpa_supplicant -u -s -B -P %s/wpa.pid" % TMP):
        becomes(lambda: "open" in run("nmcli -t -f SSID device wifi list ifname %s" % DEV,
                                      good=False).split(), "no network is found")
        run("nmcli device wifi connect open ifname " + DEV)
        # A loss of less than some 6 s it ignores, on any device.
        follows_the_module(lambda: DEV + ":connected" not in run("nmcli -t -f DEVICE,STATE device"))
        tells_the_module(lambda *servers: run(
            "nmcli connection modify open ipv4.dns '%s' ipv4.ignore-auto-dns %s && "
            "nmcli device reapply %s" % (" ".join(servers), "yes" if servers else "no", DEV)))
        # Where the network has no address for the module it says so.
        run("nmcli connection down open; nmcli connection modify open ipv4.dhcp-timeout 3")
        sim("dhcp off")
        try:
            out = run("nmcli connection up open 2>&1", good=False)
            check("IP configuration could not be reserved" in out, out)
        finally:
            sim("dhcp on")


@test
def resolved():
    """A link's name server is asked by that link, though the better route is another's."""
    install()
    run("mkdir -p /run/dbus /run/systemd/resolve; "
        "chown systemd-resolve:nogroup /run/systemd/resolve")
    run("ip link add elsewhere type veth peer name nowhere; ip link set nowhere up; "
        "ip link set elsewhere up; ip addr add 10.99.0.1/24 dev elsewhere")
    try:
        with client("/lib/systemd/systemd-resolved", "dbus-daemon --system --fork"):
            run("ip link set %s up; ip addr add %s/24 dev %s" % (DEV, sysfs("address"), DEV))
            becomes(carrier, "no carrier")
            run("ip route add default via %s dev %s metric 500; ip route add default via "
                "10.99.0.2 dev elsewhere metric 100" % (sysfs("gateway"), DEV))
            check("elsewhere" in run("ip route get " + HOST), "the route")
            becomes(lambda: "Global" in run("resolvectl status 2>&1; true"), "no resolved")
            run("resolvectl dns %s %s:%d && resolvectl domain %s '~.'" % (DEV, HOST, DNS, DEV))
            out = run("resolvectl query -4 example.com")
            check("203.0.113.7" in out and "link: " + DEV in out, out)
    finally:
        run("ip link del elsewhere; ip route flush dev %s; ip addr flush dev %s" % (DEV, DEV))


if __name__ == "__main__":
    sys.exit(main())
