#!/bin/sh
# The heavy comparisons: every driver that runs here, thousands of scenarios. Arguments go to pytest.
set -u
cd "$(dirname "$0")/.."
tools/clients.sh matrix
exec .venv/bin/python -m pytest -m matrix --matrix -n 0 "$@"
