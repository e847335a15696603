#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What udhcpc calls: does what a lease says, and tells of it in a file.
# shellcheck disable=SC2154 # udhcpc's variables
case $1 in
deconfig)
	ip addr flush dev "$interface"
	ip link set "$interface" up
	;;
bound|renew)
	ip addr replace "$ip/$mask" dev "$interface"
	ip route replace default via "$router" dev "$interface"
	echo "$ip/$mask $router $dns $lease" >/tmp/lease
	;;
esac
