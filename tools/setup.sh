#!/bin/sh
# Make .venv with reroot and what an extra of pyproject.toml needs: tools/setup.sh demo | dev
#
# Needs nothing but Python 3.11 or later. Debian leaves venv out of its Python: as root it is installed, and otherwise pip is
# fetched from the package index. Does nothing when everything is there already.
set -eu
cd "$(dirname "$0")/.."
extra=${1:-dev}
stamp=.venv/.ready-$extra
[ -e "$stamp" ] && [ "$stamp" -nt pyproject.toml ] && [ "$stamp" -nt tools/setup.sh ] && exit 0

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3 /usr/bin/python3; do
        path=$(command -v "$candidate" 2>/dev/null) || continue
        "$path" -c "$new_enough" 2>/dev/null && { echo "$path"; return 0; }
    done
    return 1
}

python=$(find_python) || {
    echo "reroot needs Python 3.11 or later, and none was found; name one: make PYTHON=/path/to/python3 ..." >&2
    exit 1
}

if ! .venv/bin/python -c "$new_enough" 2>/dev/null || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "setting up .venv with $("$python" -V) ..."
    rm -rf .venv
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv || true
        fi >/dev/null 2>&1
        if ! "$python" -m venv .venv >/dev/null 2>&1; then
            rm -rf .venv
            "$python" -m virtualenv -q .venv >/dev/null 2>&1 || {
                rm -rf .venv
                "$python" -m venv --without-pip .venv && .venv/bin/python tools/fetch_pip.py
            } || {
                rm -rf .venv
                echo "cannot make a virtual environment with $python" >&2
                echo "hint: install \`python3-venv\` (Debian, Ubuntu) or \`virtualenv\`, and run make again" >&2
                exit 1
            }
        fi
    fi
fi

echo "installing reroot and its $extra packages ..."
case $extra in demo-aurora) extras=demo,aws ;; *) extras=$extra ;; esac
.venv/bin/python -m pip install -q --disable-pip-version-check -e ".[$extras]"
touch "$stamp"
