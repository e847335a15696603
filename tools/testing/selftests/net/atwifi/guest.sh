# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# What tests on a board have in common, to be sourced: how they run, how they wait.
# A test NAME is a function test_NAME: 0 passed, 4 skipped, else failed.

DEV=/sys/class/atwifi/atw0

say()
{
	echo "# $*"
}

# becomes SECONDS COMMAND...: whether it succeeds in that time; an emulated board takes long
# enough to look.
becomes()
{
	tries=$(($1 * 4))
	shift
	until "$@"; do
		[ "$tries" -gt 0 ] || { say "not within its time: $*"; return 1; }
		tries=$((tries - 1))
		sleep 0.25
	done
}

# A command to the emulator.
sim()
{
	echo "$1" >&3
	read -r answer <&3
	[ "${answer#ok}" != "$answer" ] || say "the emulator: $1: $answer"
}

joined()
{
	read -r state 2>/dev/null <"$DEV/state" && [ "$state" = joined ]
}

skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit 4
}

# What comes before the test of this name: for who sources this to define.
prepare()
{
	:
}

# run_tests [NAME...]: those of who sources this, or all; exits with the result.
run_tests()
{
	# shellcheck disable=SC2046 # one word each
	[ $# -gt 0 ] || set -- $(sed -n 's/^test_\([a-z_]*\)()$/\1/p' "$0")
	echo "TAP version 13"
	echo "1..$#"
	exec 3<>"$ATW_SIM_CONTROL"
	count=0
	failed=0
	for name; do
		count=$((count + 1))
		echo "# RUN $name"
		prepare "$name" && "test_$name"
		case $? in
		0)	echo "ok $count $name # until $(cut -d ' ' -f 1 /proc/uptime) s" ;;
		4)	echo "ok $count $name # SKIP" ;;
		*)	echo "not ok $count $name"; failed=1 ;;
		esac
	done
	exit $failed
}
