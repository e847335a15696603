# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of atwctl(8) in bash.

_atwctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} option='' command='' what words='' n=0 i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d | --device | --channel | -p | --password-file)
			option=${COMP_WORDS[i]}
			# The sign of --device=atw0 is a word to bash.
			[ "${COMP_WORDS[i + 1]}" != = ] || i=$((i + 1))
			i=$((i + 1)) ;;
		-*)	;;
		*)	if [ -n "$command" ]; then n=$((n + 1)); else command=${COMP_WORDS[i]}; fi ;;
		esac
	done
	[ "$cur" != = ] || cur=
	what=$command/$n
	[[ $cur != -* ]] || what=options
	[ "$i" -eq "$COMP_CWORD" ] || what=$option

	case $what in
	options)	words='--channel --device --forget --hidden --json --off --password-file --permanent --help' ;;
	--channel)	words=$(echo {1..14}) ;;
	-p | --password-file | cert/1)
			_atwctl_files "$cur"; return ;;
	/0)		words='ap at attach autott cert dns doctor expose join leave list monitor password prefer recv-mode resolve scan show sockets status unexpose yield' ;;
	-d | --device | doctor/0 | show/0 | sockets/0 | status/0 | monitor/0)
			_atwctl_lines < <(_atwctl_devices); return ;;
	attach/0)	_atwctl_files "${cur:-/dev/tty}"; return ;;
	attach/1)	words='115200 230400 460800 921600' ;;
	attach/2)	words='rtscts' ;;
	autott/0)	words='none tcp-client tls-client udp-client udp-server' ;;
	recv-mode/0)	words='active passive' ;;
	prefer/0)	words='balance latency throughput' ;;
	yield/0)	words='off' ;;
	expose/0 | unexpose/0)
			words=tcp ;;
	unexpose/1)	_atwctl_lines < <(_atwctl_exposed); return ;;
	password/0)	_atwctl_lines < <(atwctl password 2>/dev/null); return ;;
	cert/0)		words='ca cert key' ;;
	at/0)		words='AT+GMR AT+WAUTOCONN= AT+WJAP= AT+WMODE= AT+WRSSI AT+WSCAN' ;;
	esac
	# These are expanded: what others have a say in goes the way of _atwctl_lines.
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

# Each line is a word, as it has to be typed. One with bytes that are not printed is not the name.
_atwctl_lines()
{
	local line

	COMPREPLY=()
	while IFS= read -r line; do
		[[ $line != *'\x'* ]] || continue
		printf -v line %q "$line"
		[[ $line != "$cur"* ]] || COMPREPLY+=("$line")
	done
}

_atwctl_files()
{
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_atwctl_devices()
{
	local d

	for d in /sys/class/atwifi/*/; do
		[ ! -e "$d" ] || basename "$d"
	done
}

_atwctl_exposed()
{
	atwctl expose 2>/dev/null | awk 'NR > 1 { print $3 }'
}

complete -F _atwctl atwctl
