# make demo    a whole rotation on real servers with real clients, in a minute
# make test    every check: ruff, mypy, pytest
# make matrix  the heavy comparisons with real drivers
# make bench   measurements against the peers
# make docs    the generated reference pages
#
# Each sets up what it needs (Python 3.11 or later is enough), in .venv and .cache. PYTHON=... names another interpreter.

.PHONY: demo test matrix bench docs clean
SETUP = PYTHON="$(PYTHON)" tools/setup.sh

demo:
	@$(SETUP) demo
	@.venv/bin/reroot demo

test:
	@$(SETUP) dev
	@tools/test.sh $(ARGS)

matrix:
	@$(SETUP) dev
	@tools/matrix.sh $(ARGS)

bench:
	@$(SETUP) dev
	@.venv/bin/python -m bench $(ARGS)

docs:
	@$(SETUP) dev
	@.venv/bin/python tools/docs.py $(ARGS)

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache build dist
