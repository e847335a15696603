#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the demo runs on the board: tells of the module, fetches the file. Lines
# that begin with = are for the script that started it.
# shellcheck disable=SC3040 # the board has busybox
set -eu -o pipefail

port=$1
dev=/sys/class/atwifi/atw0

echo "board: Linux $(uname -r) on $(uname -m), $(nproc) processors"
echo "board: module found: firmware $(cat $dev/firmware), $(cat $dev/baud) baud"
echo "board: $(cat $dev/state), address $(cat $dev/address)"

# The board's disk is its memory; 1 MiB fits.
atw_fetch "$ATW_HOST" "$port" /file 2>&1 >/tmp/file | while read -r line; do
	echo "board: $line"
	echo "$line" >/tmp/last
done

echo "=bytes $(wc -c </tmp/file)"
echo "=sha256 $(sha256sum /tmp/file | cut -d ' ' -f 1)"
echo "=rate $(sed -n 's/.*, \(.*\) kB.s$/\1/p' /tmp/last)"
