#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Exposed ports on a board: busybox serves, the tests' peer is the remote. What
# expose.py tests with more of it.
# shellcheck disable=SC2317 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=guest.sh
. "$(dirname "$0")/guest.sh"

PORT=28080
LOCAL=8080
BYTES=200000

listening()
{
	"$ATW_CTL" --json show | tr -d ' \n' | grep -q '"listening":true'
}

# A static address: no client of DHCP has to keep it.
configure()
{
	becomes 120 joined && becomes 120 [ -e /sys/class/net/atw0 ] || return 1
	ip link set atw0 up
	ip addr add "$(cat "$DEV/address")/24" dev atw0
	ip route add default via "$(cat "$DEV/gateway")"
	# What the peer sends by itself, as an ordinary client gets it.
	ask "source $BYTES 7" >/tmp/wanted
	[ "$(wc -c </tmp/wanted)" = "$BYTES" ] && "$ATW_CTL" expose tcp "$PORT:$LOCAL"
}

# Is somebody at the port that is exposed? Who comes before is sent away.
serving()
{
	grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$LOCAL") [0-9A-F:]* 0A" /proc/net/tcp \
		/proc/net/tcp6 2>/dev/null
}

# What the peer answers to a line, to its end.
ask()
{
	echo "$1" | nc "$ATW_HOST" "$ATW_PEER_PORT"
}

# The peer connects to the exposed port, and does there what it is told.
remote()
{
	becomes 120 listening && becomes 120 serving && ask "dial $PORT $*" >/dev/null
}

test_download()
{
	rm -f /tmp/answer
	nc -l -p "$LOCAL" </tmp/wanted >/tmp/answer &
	server=$!
	remote sink "$BYTES" 7 || return 1
	becomes 120 grep -qs "ok $BYTES" /tmp/answer || return 1
	# The next one wants its port.
	kill "$server" 2>/dev/null
	wait "$server"
	return 0
}

test_upload()
{
	nc -l -p "$LOCAL" >/tmp/got &
	server=$!
	remote source "$BYTES" 7 || return 1
	wait "$server"
	cmp /tmp/wanted /tmp/got
}

test_listed()
{
	"$ATW_CTL" show | grep -q "$PORT" || return 1
	! "$ATW_CTL" expose tcp "$PORT:$LOCAL" 2>/tmp/why || return 1
	grep -q 'exposed already' /tmp/why
}

# It is served again by a module that has started anew.
test_reset()
{
	boots=$(cat "$DEV/statistics/bringups")
	sim reset
	again() { [ "$(cat "$DEV/statistics/bringups")" -gt "$boots" ] && joined; }
	becomes 120 again && test_upload
}

test_unexpose()
{
	"$ATW_CTL" unexpose tcp "$PORT" || return 1
	! "$ATW_CTL" show | grep -q "$PORT"
}

[ -n "$ATW_CTL" ] || skip_all "no atwctl"
configure || say "not configured"
run_tests "$@"
