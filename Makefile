# make demo    a whole rotation on real servers with real clients, in a minute
# make demo-aurora  the same for Aurora, against a stand-in for AWS's interface
# make test    every check: ruff, mypy, pytest
# make harden  kills and faults at every call of a trust store's change, in full
# make pyz     dist/reroot-probe.pyz, the probe that travels
# make matrix  the heavy comparisons with real drivers
# make bench   measurements against the peers
# make docs    the generated reference pages
#
# Each sets up what it needs (Python 3.11 or later is enough), in .venv and .cache. PYTHON=... names another interpreter.

.PHONY: demo demo-aurora pyz harden test matrix bench docs clean
SETUP = PYTHON="$(PYTHON)" tools/setup.sh

demo:
	@$(SETUP) demo
	@.venv/bin/reroot demo

demo-aurora:
	@$(SETUP) demo-aurora
	@.venv/bin/reroot demo-aurora

test:
	@$(SETUP) dev
	@tools/test.sh $(ARGS)

matrix:
	@$(SETUP) dev
	@tools/matrix.sh $(ARGS)

harden:
	@$(SETUP) dev
	@.venv/bin/python -m pytest -m matrix --matrix tests/collect/test_trustfiles_faults.py tests/collect/test_trustfolders.py tests/cli/test_trust.py $(ARGS)

pyz:
	@$(SETUP) dev
	@.venv/bin/python tools/build_pyz.py

bench:
	@$(SETUP) dev
	@.venv/bin/python -m bench $(ARGS)

docs:
	@$(SETUP) dev
	@.venv/bin/python tools/docs.py $(ARGS)

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache build dist
