# Makes the environment that ./demo and ./test run in; sourced by both, and `sh tools/setup.sh` makes it and no more.
# It needs Linux, Python >= 3.11 and the package index, nothing else: the environment is a folder of this checkout
# (.venv, or $ECOTONE_VENV), made from the locked, hashed list in requirements.lock, and made anew when that list or the
# Python changes, or when making it was interrupted. $PYTHON names the Python to use.
set -eu
case $0 in
*setup.sh) cd -- "$(dirname -- "$0")/.." ;;
*) cd -- "$(dirname -- "$0")" ;;
esac

fail() { printf '%s\n' "$@" >&2; exit 1; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" && command -v "$PYTHON" && return
        fail "PYTHON=$PYTHON is not a Python 3.11 or newer. Name another one, or none: then one is looked for."
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$name"; then command -v "$name"; return; fi
    done
    found=$(python3 -c 'import sys; print("python3 is %d.%d.%d" % sys.version_info[:3])' 2>/dev/null) ||
        found="there is no python3"
    fail "Python 3.11 or newer is needed; $found here. Install it, then run this again:" \
        "    sudo apt-get install -y python3 python3-venv       on Debian 12, Ubuntu 24.04 or newer" \
        "    uv python install 3.12, then PYTHON=\$(uv python find 3.12) $0    elsewhere, with https://docs.astral.sh/uv"
}

# Ends with what $log says last, and with $@; or with the disk, where that is full.
fail_with_log() {
    grep -v "^WARNING: Retrying" "$log" | tail -n 4 >&2
    for folder in "$(dirname -- "$venv")" "${TMPDIR:-/tmp}"; do
        free_mb=$(df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }')
        if [ "$free_mb" -lt 100 ] || grep -q "No space left" "$log"; then
            rm -rf "$venv" "$log"
            fail "The disk is full: the environment takes about 1200 MB in $venv," \
                "and while it is made 500 MB in ${TMPDIR:-/tmp}. Free some space, or name folders on another disk with" \
                "ECOTONE_VENV and TMPDIR, then run this again."
        fi
    done
    fail "$@"
}

has_venv_module() { "$python" -c 'import venv; from ensurepip import version' 2>/dev/null; }

make_venv() {
    if ! has_venv_module; then install_venv_module; fi
    "$python" -m venv --clear "$venv" >"$log" 2>&1 ||
        fail_with_log "The environment $venv could not be made; $python said the above."
}

# Debian and Ubuntu ship Python without the part that puts pip into a new environment.
install_venv_module() {
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package (the venv module of Python is missing)" >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package"; } >"$log" 2>&1 ||
            fail "$package could not be installed:" "$(tail -n 3 "$log")"
    fi
    has_venv_module ||
        fail "The venv module of $python is missing. Install it, then run this again:" \
            "    sudo apt-get install -y $package       on Debian or Ubuntu"
}

install() {
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$venv/bin/python" -m pip install -qq --no-deps "$@" \
        >"$log" 2>&1
}

make_environment() {
    make_venv
    install --require-hashes -r requirements.lock ||
        fail_with_log "Installing the locked packages failed; pip said the above. If it found no version of a package," \
            "it cannot reach the package index: check the network (https://pypi.org, or your own mirror and proxy:" \
            "PIP_INDEX_URL, HTTPS_PROXY), then run this again."
    install --no-build-isolation -e . || fail_with_log "Installing Ecotone itself failed; pip said the above."
    rm -f "$log"
    printf '%s' "$wanted" >"$venv/ready"
}

is_ready() { [ "$(cat "$venv/ready" 2>/dev/null || true)" = "$wanted" ]; }

[ "$(uname -s)" = Linux ] || fail "Ecotone runs on Linux; this is $(uname -s). A virtual machine or container will do."
python=$(find_python) || exit 1
venv=${ECOTONE_VENV:-.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
log=$venv.log
if [ -n "${ECOTONE_VENV:-}" ] && [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
    fail "ECOTONE_VENV=$venv is there already and is no environment of Python: it would be emptied. Name another folder."
fi
wanted=$({ "$python" -c 'import sys; print(sys.version)'; pwd; cat requirements.lock pyproject.toml tools/setup.sh; } | cksum)
if ! is_ready; then
    # Of two at once, the second waits, and finds it ready.
    exec 9<requirements.lock
    if command -v flock >/dev/null && ! flock -n 9; then
        echo "Waiting for another set-up of this checkout to end" >&2
        flock 9 || true
    fi
    if ! is_ready; then
        { mkdir -p "$(dirname -- "$venv")" && true >"$log"; } 2>/dev/null ||
            fail "Nothing can be written in $(dirname -- "$venv"): is the folder yours, is the disk full?" \
                "Name another place with ECOTONE_VENV=FOLDER, then run this again."
        echo "Setting up the environment in $venv (about a minute, once)" >&2
        make_environment
    fi
    exec 9<&-
fi
PATH=$venv/bin:$PATH
export PATH

# Adds what only some need: $1 is its lock file, the rest says what it is.
add_locked() {
    lock=$1
    shift
    mark="$venv/$lock.ready"
    [ "$(cat "$mark" 2>/dev/null || true)" != "$(cksum <"$lock")" ] || return 0
    echo "Adding $* to the environment (once)" >&2
    install --require-hashes -r "$lock" || fail_with_log "Installing $lock failed; pip said the above."
    rm -f "$log"
    cksum <"$lock" >"$mark"
}
