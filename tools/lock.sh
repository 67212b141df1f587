#!/bin/sh
# Makes requirements.lock anew from pyproject.toml (needs uv). `--upgrade` takes newer versions.
cd "$(dirname "$0")/.." && exec uv pip compile --quiet pyproject.toml --extra all --group dev --group build \
    --generate-hashes --universal --python-version 3.11 --no-header --no-annotate -o requirements.lock "$@"
