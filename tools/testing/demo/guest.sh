#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the demo runs on the board: tells of the module, fetches the file. Lines
# that begin with = are for the script that started it.
# shellcheck disable=SC3040 # the board has busybox
set -eu -o pipefail

port=$1
dev=/sys/class/atwifi/atw0

echo "board: Linux $(uname -r) on $(uname -m), $(nproc) processors"
echo "board: module found: firmware $(cat $dev/firmware), $(cat $dev/baud) baud"
# It may be setting itself up once more.
i=0
while [ "$(cat $dev/state)" != joined ] && [ $((i += 1)) -lt 1000 ]; do
	sleep 0.1
done
echo "board: $(cat $dev/state), address $(cat $dev/address)"

# Asked by DHCP, the device tells what the module got.
ip link set atw0 up
udhcpc -i atw0 -n -q -f -t 20 -T 3 -s /bin/lease 2>/dev/null
read -r address router _ </tmp/lease
echo "board: atw0: lease of $address, router $router"

now()
{
	cut -d ' ' -f 1 /proc/uptime
}

# The board's disk is its memory; 1 MiB fits.
url=http://$ATW_HOST:$port/file
echo "board: wget $url"
begin=$(now)
wget -q -O /tmp/file "$url"
bytes=$(wc -c </tmp/file)
rate=$(echo "$bytes $begin $(now)" | awk '{ printf "%.1f", $1 / 1000 / ($3 - $2) }')
echo "board: $bytes bytes, $rate kB/s"

echo "=bytes $bytes"
echo "=sha256 $(sha256sum /tmp/file | cut -d ' ' -f 1)"
echo "=rate $rate"
