#!/usr/bin/env bash
# Does strace deliver the signals that it is told to inject when it stops programs by seccomp-bpf?
#
# Guess:    yes: --seccomp-bpf only decides at which calls a program stops, and the calls with an
#           injection are among them. Injected errors and delays come as without it.
# Fact:     a signal does not come, and nothing says so: the call goes on, the program ends with 0, and
#           the log has the call without any mark. A test that kills a program at its n-th call then
#           kills none, and is green unless it counts.
# Versions: strace 6.1-0.1 of Debian 12, x86_64.
# Source:   seen when tests that kill imports at every call were made faster; strace(1) says that
#           --seccomp-bpf needs -f and does not go with -p, and nothing of injections.
#
# Needs the package sources of Debian 12. Exits with 0 while the behaviour is as described.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
apt-get -q download strace=6.1-0.1 >/dev/null 2>&1 ||
    { echo 'strace 6.1-0.1 cannot be fetched: this needs the package sources of Debian 12' >&2; exit 2; }
dpkg --extract strace_*.deb .
strace=usr/bin/strace
"$strace" --version | head -n 1

# injected NAME INJECTION [OPTION]: the exit code of a program at whose call of mkdir that is injected
injected() {
    local code=0
    "$strace" -f ${3:-} -qq -o "$1.log" -e trace=mkdir -e inject=mkdir:"$2":when=1 mkdir "$1" 2>/dev/null || code=$?
    printf '%-24s exit code %3s  %s\n' "$1" "$code" "$(grep -m 1 -o 'mkdir(.*' "$1.log")" >&2
    echo "$code"
}

error=$(injected error error=EIO)
error_seccomp=$(injected error-seccomp error=EIO --seccomp-bpf)
signal=$(injected signal signal=SIGTERM)
signal_seccomp=$(injected signal-seccomp signal=SIGTERM --seccomp-bpf)
# 143 is 128 and SIGTERM.
[ "$error $error_seccomp $signal $signal_seccomp" = '1 1 143 0' ] && [ -d signal-seccomp ] || {
    echo 'the behaviour has changed' >&2
    exit 1
}
