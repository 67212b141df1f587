#!/bin/sh
# Makes both lock files anew from pyproject.toml (needs uv). `--upgrade` takes newer versions. The compiler for cells is
# apart: the demo does without its 400 MB.
set -eu
cd "$(dirname "$0")/.."
lock() {
    uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-annotate "$@"
}
lock pyproject.toml --extra all --group dev --group build -o requirements.lock "$@"
python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["cells-build"], sep="\n")' |
    lock --no-deps - -o requirements-cells-build.lock "$@"
