#!/bin/sh
# Installs the programs that `make test-kernel` needs, and unpacks Debian's kernel into a folder, without installing it.
#
# usage: kernel.sh FOLDER
set -eu

folder=$1
here=$(dirname "$0")

if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
    echo "discmill: make test-kernel boots Debian's kernel for amd64; run it on Debian for amd64" >&2
    exit 1
fi

missing=
for package in qemu-system-x86 qemu-block-extra busybox-static kmod cpio tgt open-iscsi mtx; do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # a word list
    sh "$here/apt.sh" $missing
fi

if [ -e "$folder/unpacked" ]; then exit; fi

kernel() {
    apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

[ -n "$(kernel)" ] || apt-get -qq update || true # a fresh image has no package lists
package=$(kernel)
if [ -z "$package" ]; then
    echo "discmill: the package lists know no kernel; say apt-get update" >&2
    exit 1
fi
rm -rf "$folder"
mkdir -p "$folder"
echo "discmill: unpacking $package into $folder" >&2
(cd "$folder" && apt-get -qq -o APT::Sandbox::User=root download "$package")
dpkg -x "$folder"/linux-image-*.deb "$folder"
rm "$folder"/linux-image-*.deb
for modules in "$folder"/lib/modules/*; do
    /sbin/depmod --basedir "$folder" "$(basename "$modules")"
done
touch "$folder/unpacked"
