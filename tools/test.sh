#!/bin/sh
# All checks: ruff, mypy, pytest. What fails is told in the end; one failure does not hide the others.
# Arguments go to pytest. The real clients are installed while the first two checks run.
set -u
cd "$(dirname "$0")/.."
failed=

tools/clients.sh everyday &
installing=$!

.venv/bin/ruff check --quiet --output-format concise . || failed="$failed ruff"
.venv/bin/mypy || failed="$failed mypy"
wait $installing
.venv/bin/python -m pytest -n 2 --dist loadgroup -q "$@" || failed="$failed pytest"

[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
