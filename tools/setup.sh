# Makes the environment that ./demo and ./test run in; sourced by both. It needs Python >= 3.11 and the package index,
# nothing else: the environment is a folder of this checkout (.venv, or $ECOTONE_VENV), made from the locked, hashed
# list in requirements.lock and made anew when that list or the Python changes.
set -eu
cd "$(dirname "$0")"

fail() { printf '%s\n' "$@" >&2; exit 1; }

find_python() {
    for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$name" ] || continue
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

make_venv() {
    if "$python" -m venv --clear "$venv" >"$venv.log" 2>&1; then rm -f "$venv.log"; return; fi
    # Debian and Ubuntu ship Python without the part that puts pip into a new environment.
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    package="python$version-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package (the venv module of Python is missing)"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package"; } >"$venv.log" 2>&1 ||
            fail "could not install $package; the last lines of $venv.log:" "$(tail -n 3 "$venv.log")"
        "$python" -m venv --clear "$venv" && rm -f "$venv.log"
    else
        fail "Python's venv module is missing. Install it, then run this again:" "    sudo apt-get install -y $package"
    fi
}

python=$(find_python) || fail "Python 3.11 or newer is needed. Install it, then run this again:" \
    "    sudo apt-get install -y python3 python3-venv"
venv=${ECOTONE_VENV:-$PWD/.venv}
wanted=$({ "$python" -c 'import sys; print(sys.version)'; pwd; cat requirements.lock pyproject.toml tools/setup.sh; } | cksum)
if [ "$(cat "$venv/ready" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Setting up the environment in $venv (about a minute, once)"
    make_venv
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    export PIP_DISABLE_PIP_VERSION_CHECK PIP_ROOT_USER_ACTION
    "$venv/bin/python" -m pip install -qq --no-deps --require-hashes -r requirements.lock ||
        fail "Installing the locked packages failed (see above). Is the package index reachable?"
    "$venv/bin/python" -m pip install -qq --no-deps --no-build-isolation -e . ||
        fail "Installing Ecotone itself failed (see above)."
    printf '%s' "$wanted" >"$venv/ready"
fi
PATH=$venv/bin:$PATH
export PATH
