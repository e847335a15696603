#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The lines from a board to its module: supply, enable, reset, and the serial one.
# What the driver does with the first three is read from the kernel's trace of
# them; a module that went silent is restarted by the line that wiring/*.dtso
# gives it, ATW_LINE, for which this script is the wire.
#
# shellcheck disable=SC2317 # the tests are called by their names

# shellcheck source-path=SCRIPTDIR source=guest.sh
. "$(dirname "$0")/guest.sh"

TRACE=/sys/kernel/tracing
DRIVER=/sys/bus/serial/drivers/atwifi

# As numbered in the overlays.
pin_of()
{
	case $1 in
	reset)	echo 1 ;;
	enable)	echo 2 ;;
	vcc)	echo 3 ;;
	esac
}

# A kernel's number of a line of the board's controller.
gpio_of()
{
	base=$(sed -n 's/^gpiochip.*GPIOs \([0-9]*\)-.*pl061.*/\1/p' /sys/kernel/debug/gpio)
	echo $((base + $(pin_of "$1")))
}

# What was done to the lines since the last call, as "vcc=1 enable=1".
changes()
{
	grep -E 'gpio_value|gpio_direction' "$TRACE"/trace |
		sed -n 's/.*gpio_value: \([0-9]*\) set \([01]\).*/\1 \2/p' |
		while read -r gpio value; do
			for line in reset enable vcc; do
				[ "$gpio" != "$(gpio_of "$line")" ] || echo "$line=$value"
			done
		done | tr '\n' ' ' | sed 's/ $//'
	echo >"$TRACE"/trace
}

# Whether CHANGES has all of the lines in this order; lines that are not wired
# are left out of what is wanted.
in_order()
{
	rest=" $1 "
	shift
	for change in "$@"; do
		wired "${change%=*}" || continue
		case $rest in
		*" $change "*)	rest=" ${rest#*" $change "}" ;;
		*)		return 1 ;;
		esac
	done
}

wired()
{
	case $ATW_LINE:$1 in
	reset:*|enable:enable|vcc:vcc)	return 0 ;;
	esac
	return 1
}

# Until the supply's driver is there the module's waits.
test_deferred()
{
	wired vcc || return 4
	[ ! -e "$DEV" ] || return 1
	modprobe fixed
}

# With a supply to wait for all of it is seen, else how it came out.
test_power_on()
{
	becomes 120 joined || return 1
	got=$(changes)
	if wired vcc && ! in_order "$got" vcc=1 enable=1; then
		say "$got"
		return 1
	fi
	for line in reset enable vcc; do
		wired "$line" || continue
		grep -q "gpio-$(gpio_of "$line") .* out hi" /sys/kernel/debug/gpio || {
			say "$line is low"
			return 1
		}
	done
}

found()
{
	"$ATW_CTL" doctor | grep "^$1"
}

# The serial line, by what the overlays ask of it: a rate that the UART claims to
# have set, though the module goes on answering, is none; RTS and CTS are used where both
# ends have them, and whoever asks what is wrong is told so.
test_line()
{
	case $ATW_LINE in
	reset)	dmesg | grep "this UART has no 460800 baud, staying at 921600" &&
			dmesg | grep "RTS and CTS are not used: the UART" &&
			found "look   atw0 RTS/CTS: wired, but not used - uart-has-rtscts in " ;;
	enable)	echo stats >&3
		read -r answer <&3
		say "$answer"
		[ "${answer#* flow=3 }" != "$answer" ] && ! dmesg | grep CTS &&
			found "ok     atw0 RTS/CTS: wired" ;;
	*)	return 4 ;;
	esac && [ "$(cat "$DEV"/baud)" = 921600 ]
}

# Restarts the module when its line has gone low and high again.
wire()
{
	gpio=$(gpio_of "$ATW_LINE")
	# The pipe is read as events come: a board that is emulated is slow to look for them.
	timeout 120 awk "/gpio_value: $gpio set 0/ { low = 1 }
		low && /gpio_value: $gpio set 1/ { exit }" "$TRACE"/trace_pipe || return 1
	sim "silent off"
	sim reset
}

test_restart()
{
	before=$(cat "$DEV"/statistics/bringups)
	changes >/dev/null
	sim "silent on"
	# Something to do for a module that does not answer.
	ping -c 1 -W 1 192.0.2.1 >/dev/null 2>&1
	wire || return 1
	becomes 120 joined || return 1
	[ "$(cat "$DEV"/statistics/bringups)" -gt "$before" ]
}

test_power_off()
{
	echo >"$TRACE"/trace
	echo serial0-0 >"$DRIVER"/unbind || return 1
	[ ! -e "$DEV" ] || return 1
	got=$(changes)
	in_order "$got" enable=0 vcc=0 || { say "$got"; return 1; }
}

test_power_on_again()
{
	echo serial0-0 >"$DRIVER"/bind || return 1
	becomes 120 joined || return 1
	got=$(changes)
	in_order "$got" vcc=1 enable=1 || { say "$got"; return 1; }
}

if [ ! -d $DRIVER ] || [ -z "$ATW_LINE" ]; then
	skip_all "needs the virtual board with one of wiring/*.dtso"
fi
mount -t tracefs none $TRACE 2>/dev/null
echo 1 >$TRACE/events/gpio/enable
run_tests "$@"
