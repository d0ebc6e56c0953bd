#!/bin/sh
# Installs the programs that the tests need and that are not there yet.
set -eu

here=$(dirname "$0")
missing=

has() {
    command -v "$1" >/dev/null 2>&1
}

need() { # PACKAGE PROGRAM...: any of the programs will do
    package=$1
    shift
    for program in "$@"; do
        if has "$program"; then return; fi
    done
    missing="$missing $package"
}

has_postgres() {
    if has initdb && has postgres; then return; fi
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        if [ -x "$initdb" ]; then return; fi
    done
    return 1
}

has_library() { # what is preloaded, in the folder that Debian keeps for this machine's kind
    for library in /usr/lib/*/"$1"; do
        if [ -e "$library" ]; then return; fi
    done
    return 1
}

need redis-server redis-server valkey-server
need iproute2 ip
need openssl openssl
has_postgres || missing="$missing postgresql"
has_library faketime/libfaketime.so.1 || missing="$missing libfaketime"
need xorriso xorriso
need 7zip 7zz 7z
need libarchive-tools bsdtar
need genisoimage isoinfo
need cdrdao cdrdao
need libcdio-utils cd-info
need flac flac
need lame lame
need ffmpeg ffmpeg
need cdrskin cdrskin
need wodim wodim
[ -x /usr/sbin/mtx ] || need mtx mtx
need libiscsi-bin iscsi-inq
need gcc gcc
[ -e /usr/include/scsi/sg.h ] || missing="$missing libc6-dev"

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # a word list
    sh "$here/apt.sh" $missing
fi
