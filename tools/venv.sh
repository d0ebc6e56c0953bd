#!/bin/sh
# Makes an empty virtual environment, unless there is a working one.
#
# usage: [PYTHON=python3.12] venv.sh DIRECTORY
set -eu

venv=$1
here=$(dirname "$0")

new_enough() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null
}

find_python() {
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if new_enough "$python"; then
            echo "$python"
            return
        fi
    done
    echo "discmill: Python 3.11 to 3.14 is needed; install python3 or say PYTHON=/path/to/python3" >&2
    return 1
}

if new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exit
fi

python=$(find_python)
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian ships these two apart from Python.
    sh "$here/apt.sh" "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
fi
"$python" -m venv --clear "$venv"
