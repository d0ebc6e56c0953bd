#!/bin/sh
# Installs Debian packages, or says in one line what to install by hand.
#
# usage: apt.sh PACKAGE...
set -eu

give_up() {
    echo "discmill: $1; please install by hand: $packages" >&2
    exit 1
}

packages=$*
command -v apt-get >/dev/null || give_up "no apt-get here"

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
    # Without a terminal sudo must not ask; with one it may, once.
    if [ -t 0 ] && command -v sudo >/dev/null; then sudo -v && as_root=sudo; fi
    $as_root true 2>/dev/null || give_up "neither root nor sudo"
fi

# Servers are wanted as programs: the tests start their own, so no service may start here.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ]; then
    trap 'rm -f "$log"; $as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

apt() {
    # shellcheck disable=SC2086  # $as_root is empty or two words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends "$@" </dev/null >"$log" 2>&1
}

echo "discmill: installing $packages" >&2
# A fresh image has no package lists and an old one has stale lists: refresh them when the first try fails.
# shellcheck disable=SC2086  # a word list
if ! apt install $packages && ! { apt update && apt install $packages; }; then
    cat "$log" >&2
    give_up "apt-get failed"
fi
