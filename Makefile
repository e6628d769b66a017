# Two commands on a fresh machine (Python 3.11 or newer, git, make, a compiler): `make demo` and `make test`.
# Both make .venv here from requirements.lock; afterwards .venv/bin/yard is the command.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(VENV)/tools/bin/uv
READY  := $(VENV)/.ready
FLIGHTS := examples/flights
YARD   := $(BIN)/yard --project $(FLIGHTS)
START  := 2013-04-01
END    := 2013-12-31
STEP   := 3d
VARY   := models.late.window=90d,365d

.PHONY: demo bad-canary test lint types unit lock wheel clean
.DELETE_ON_ERROR:

# The flights of 2013: declared, applied with what was known at the end of March, then played until December.
demo: $(READY)
	$(BIN)/python $(FLIGHTS)/get_data.py
	$(YARD) validate
	$(YARD) plan --as-of $(START)
	$(YARD) apply --yes --as-of $(START)
	$(YARD) simulate --from $(START) --to $(END) --step $(STEP) --vary $(VARY) --report $(FLIGHTS)/report.html
	@printf '\nOpen %s in a browser. What to try next:\n' $(FLIGHTS)/report.html
	@printf '  source $(BIN)/activate; cd $(FLIGHTS)\n'
	@printf '  yard release list                      # one release, waiting for a model owner\n'
	@printf '  YARD_ACTOR=you yard release approve late@1 --reason "looks right"\n'
	@printf '  edit yard.yaml (say, max_iter: 200) and ask what that would do:  yard plan --as-of $(START)\n'
	@printf '  yard init ~/mine --from YOUR.csv --target COLUMN      # your own table; README.md goes on from there\n'

# A bad canary of the flights example, watched while it is rolled back: docs/strategies.md.
bad-canary: $(READY)
	$(BIN)/python bench/bad_canary.py

test: lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy src

unit: $(READY)
	$(BIN)/python -m pytest -q -n auto

# uv lives apart, because the environment is made to hold what the lock names and nothing else. It reads no pip
# settings; where only pip knows the way to a mirror, pip installs the same lock. All is compiled to bytecode at once:
# where PYTHONDONTWRITEBYTECODE is set, each command and each training run would else compile scikit-learn anew.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV)/tools && $(VENV)/tools/bin/pip install -q --disable-pip-version-check uv==0.13.8; }
	$(UV) pip sync -q --compile-bytecode --python $(BIN)/python requirements.lock || $(BIN)/python -m pip install -q --no-deps -r requirements.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps -e . || $(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src
	@touch $@

lock: $(READY)
	$(UV) pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --no-emit-index-url --no-annotate \
	  -o requirements.lock

wheel: $(READY)
	$(UV) build -q --wheel --out-dir dist --python $(BIN)/python || $(BIN)/python -m build --wheel --no-isolation

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache $(FLIGHTS)/.yard $(FLIGHTS)/data $(FLIGHTS)/report.html
