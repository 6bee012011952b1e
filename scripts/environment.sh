#!/bin/sh
# Makes or extends a virtual environment with venv and pip, and nothing else.
#
#   sh scripts/environment.sh demo    what the demonstration needs: no torch
#   sh scripts/environment.sh full    everything: training, tests, linters
#   sh scripts/environment.sh python  only say which Python would be used
#
# PYTHON=/path/to/python3 overrides the choice of Python, VENV=/path the place (.venv). A stamp file keeps the
# checksum of what was asked for, so that a second run has nothing to do.
set -eu

OLDEST=10
NEWEST=13
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}

fail() {
    echo "error: $1" >&2
    exit 1
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

supported() {
    case $(version_of "$1") in
        3.*) minor=$(version_of "$1") && minor=${minor#3.} && [ "$minor" -ge $OLDEST ] && [ "$minor" -le $NEWEST ] ;;
        *) return 1 ;;
    esac
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null 2>&1 || fail "PYTHON=$PYTHON is not a program; name a Python 3.$OLDEST to 3.$NEWEST."
        supported "$PYTHON" || fail "PYTHON=$PYTHON is Python $(version_of "$PYTHON" || echo unknown); name a Python 3.$OLDEST to 3.$NEWEST."
        command -v "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        if command -v $candidate >/dev/null 2>&1 && supported $candidate; then
            command -v $candidate
            return
        fi
    done
    command -v python3 >/dev/null 2>&1 || fail "python3 is not installed; install Python 3.$OLDEST to 3.$NEWEST (Debian, Ubuntu: apt install python3 python3-venv)."
    fail "python3 is Python $(version_of python3 || echo unknown) and none of python3.$OLDEST to python3.$NEWEST is installed; install one of them or set PYTHON=."
}

check_machine() {
    system=$(uname -s) processor=$(uname -m)
    [ "$system" = Linux ] || fail "ROS 2 comes as Python wheels for Linux only, this is $system; run in a Linux container or install ROS 2 Jazzy and build with colcon."
    [ "$processor" = x86_64 ] || fail "ROS 2 comes as Python wheels for x86_64 only, this processor is $processor; install ROS 2 Jazzy with apt and build with colcon."
    "$1" -c 'import platform, sys; name, version = platform.libc_ver(); sys.exit(name != "glibc" or tuple(map(int, version.split(".")[:2])) < (2, 28))' ||
        fail 'ROS 2 comes as Python wheels for glibc 2.28 and newer, this system has another C library; use Debian 10, Ubuntu 20.04 or newer.'
    "$1" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$1 lacks the venv module; install it (Debian, Ubuntu: apt install python$(version_of "$1")-venv)."
}

install() {
    "$VENV/bin/python" -m pip install --constraint constraints.txt "$@"
}

kind=${1:-}
case $kind in
    python) choose_python && exit 0 || exit 1 ;;
    demo) extras=ros,sim ;;
    full) extras=ros,sim,train,dev ;;
    *) fail "expected one of demo, full, python; found '$kind'." ;;
esac

wanted=$(cat constraints.txt setup.py scripts/environment.sh | cksum)
for stamp in "$VENV/.installed-full" "$VENV/.installed-$kind"; do
    # The interpreter is run as well: a moved folder or a removed Python leaves the stamp and breaks the rest.
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$VENV/bin/python" -c 'import vla_ros' 2>/dev/null; then
        echo "$VENV is ready ($kind)."
        exit 0
    fi
done

if ! { supported "$VENV/bin/python" && "$VENV/bin/python" -m pip --version; } >/dev/null 2>&1; then
    python=$(choose_python)
    check_machine "$python"
    echo "== $VENV: a new virtual environment with $python (Python $(version_of "$python"))"
    [ ! -e "$VENV" ] || [ -e "$VENV/pyvenv.cfg" ] || fail "$VENV exists and is no virtual environment; move it away or set VENV=."
    rm -rf "$VENV"
    "$python" -m venv "$VENV" || fail "$python could not make $VENV; the lines above say why."
fi

echo "== $VENV: the packages for '$kind', at the versions of constraints.txt"
rm -f "$VENV"/.installed-*
install pip setuptools wheel
install --no-build-isolation --editable ".[$extras]"
echo "$wanted" > "$VENV/.installed-$kind"
echo "== $VENV is ready ($kind)."
