#!/bin/sh
# Unpacks Debian's kernel into a folder, for tests that boot it; nothing is installed of it.
#
# usage: kernel.sh FOLDER
set -eu

folder=$1
here=$(dirname "$0")

if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
    echo "discmill: make test-kernel boots Debian's kernel for amd64, on Debian for amd64; run it there" >&2
    exit 1
fi
if [ -e "$folder/unpacked" ]; then exit; fi

package() {
    apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

if [ -z "$(package)" ]; then
    echo "discmill: refreshing the package lists" >&2
    apt-get -qq update
fi
rm -rf "$folder"
mkdir -p "$folder"
echo "discmill: unpacking $(package) into $folder" >&2
(cd "$folder" && apt-get -qq -o APT::Sandbox::User=root download "$(package)")
dpkg -x "$folder"/linux-image-*.deb "$folder"
rm "$folder"/linux-image-*.deb
for modules in "$folder"/lib/modules/*; do
    /sbin/depmod --basedir "$folder" "$(basename "$modules")"
done
touch "$folder/unpacked"
