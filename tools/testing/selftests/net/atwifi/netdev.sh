#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The network device on a board, with the programs that its busybox has: what
# netdev.py tests with more of them. Environment as for that.
# shellcheck disable=SC2317 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=guest.sh
. "$(dirname "$0")/guest.sh"

DRIVER=/sys/bus/serial/drivers/atwifi
URL=http://$ATW_HOST:$ATW_HTTP

same()
{
	[ "$1" = "$2" ] || { say "'$2' instead of '$1'"; return 1; }
}

carrier()
{
	read -r state 2>/dev/null </sys/class/net/atw0/carrier && [ "$state" = 1 ]
}

configure()
{
	becomes 120 joined && becomes 120 [ -e /sys/class/net/atw0 ] || return 1
	ip link set atw0 up
	becomes 120 carrier || return 1
	udhcpc -i atw0 -n -q -f -t 20 -T 3 -s /tests/lease.sh >/tmp/udhcpc 2>&1 || {
		say "udhcpc: $(tail -n 1 /tmp/udhcpc)"
		return 1
	}
}

fetch()
{
	same "$ATW_BIG" "$(wget -q -O - "$URL/big" | sha256sum | cut -d ' ' -f 1)"
}

# Begins to fetch a file, and returns in the middle; of "endless" that is sure.
fetching()
{
	rm -f /tmp/file /tmp/status
	{
		wget -q -O /tmp/file "$URL/$1" 2>/tmp/wget
		echo $? >/tmp/status
	} &
	becomes 120 [ -s /tmp/file ]
}

# That was not the end of the file, and the program knows.
cut_off()
{
	becomes 120 [ -s /tmp/status ] || return 1
	[ "$(cat /tmp/status)" != 0 ] || { say "it ended in order"; return 1; }
}

test_dhcp()
{
	configure && read -r ip router dns _ </tmp/lease &&
		same "$(cat "$DEV/address")/24 $(cat "$DEV/gateway" "$DEV/gateway" | tr '\n' ' ')" \
		     "$ip $router $dns "
}

test_pings()
{
	ping -c 2 -W 60 "$(cat "$DEV/gateway")" | grep -q '2 packets received'
}

test_fetches()
{
	fetch
}

test_posts()
{
	# It posts text only.
	wget -q -O - "$URL/big" | base64 >/tmp/file &&
		same "$(sha256sum </tmp/file | cut -d ' ' -f 1)" \
		     "$(wget -q -O - --post-file=/tmp/file "$URL/post")"
}

test_refused()
{
	wget -O - "http://$ATW_HOST:9/" 2>&1 | grep -q 'Connection refused'
}

test_silent()
{
	echo 1 >/proc/sys/net/ipv4/tcp_syn_retries
	wget -O - "http://$ATW_HOLE/" 2>&1 | grep -q 'Connection timed out'
	status=$?
	echo 6 >/proc/sys/net/ipv4/tcp_syn_retries
	return "$status"
}

test_names()
{
	nslookup example.com "$ATW_HOST:$ATW_DNS" | grep -q 203.0.113.7
}

test_down_and_up()
{
	fetching big || return 1
	ip link set atw0 down
	ip link set atw0 up
	becomes 120 carrier && ip route add default via "$(cat "$DEV/gateway")" || return 1
	becomes 120 [ -s /tmp/status ] &&
		same "$ATW_BIG" "$(sha256sum /tmp/file | cut -d ' ' -f 1)"
}

brought_up()
{
	[ "$(cat "$DEV/statistics/bringups")" -gt "$1" ]
}

test_reset()
{
	before=$(cat "$DEV/statistics/bringups")
	fetching endless && sim reset && cut_off && becomes 120 brought_up "$before" && configure && fetch
}

test_unbound()
{
	for _ in 1 2 3; do
		fetching endless && echo serial0-0 >"$DRIVER/unbind" || return 1
		[ ! -e /sys/class/net/atw0 ] || { say "the device stays"; return 1; }
		cut_off && echo serial0-0 >"$DRIVER/bind" && configure || return 1
	done
	fetch
}

test_unloaded()
{
	fetching endless && rmmod atwifi && cut_off || return 1
	insmod /atwifi.ko && configure && fetch
}

# The first of them does it itself.
prepare()
{
	[ "$1" = dhcp ] || configure
}

[ -d $DRIVER ] || skip_all "needs the virtual board"
run_tests "$@"
