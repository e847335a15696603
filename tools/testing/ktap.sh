# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests in bash have in common, to be sourced: a place for files, and how a test is
# run and told of in KTAP.
shopt -s inherit_errexit

TMP=$(mktemp -d "${TMPDIR:-/tmp}/atwifi-${0##*/}.XXXXXX")
trap 'rm -rf "$TMP"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
number=0
failed=0
# What fails a test that prints it, whatever its status is, if there is such a thing.
BAD=
# Such are, where the driver is built, warnings in files of ours.
# shellcheck disable=SC2034 # for who wants it
WARNINGS='((^|[ /])net/wireless/atwifi/[^ ]*|^ *[a-z_/]+\.[ch]|linux/atwifi\.h):[0-9:]* (warning|error):'

# begin NAME COMMAND...: a test; what it prints is shown if it fails
begin()
{
	local name=$1 rc

	shift
	number=$((number + 1))
	# Not in a condition: there errexit would not hold in the function.
	set +e
	(set -e; "$@") >"$TMP/log" 2>&1
	rc=$?
	set -e
	if [ $rc -eq 0 ] && ! { [ "$BAD" ] && grep -qE "$BAD" "$TMP/log"; }; then
		echo "ok $number - $name"
	else
		tail -n 60 "$TMP/log" | sed 's/^/# /'
		echo "not ok $number - $name # status $rc"
		failed=$((failed + 1))
	fi
}

# remember NAME: a directory of the cache, KNOWN, for what need not be tested again
remember()
{
	KNOWN=${XDG_CACHE_HOME:-$HOME/.cache}/atwifi/$1
	mkdir -p "$KNOWN"
	# DKMS compares paths: by another one it does not find what it installed.
	KNOWN=$(realpath "$KNOWN")
	find "$KNOWN" -type f -mtime +30 -delete
}

# The end of all tests.
verdict()
{
	echo "1..$number"
	[ $failed -eq 0 ]
}

echo "TAP version 13"
