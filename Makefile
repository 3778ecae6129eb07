# Everything sets itself up: a fresh clone needs only Python 3.11+, gcc and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VIDEO ?= demo/demo.mp4
OUT ?= out
PIP := $(BIN)/python -m pip --disable-pip-version-check

LAB := .venv-lab

.PHONY: help install install-dev install-lab test-lab check-lab run test check format bench fuzz \
  lock clean

help:
	@echo "make run VIDEO=clip.mp4   watch a video; reports go to out/ (default: a generated demo)"
	@echo "make test                 run the tests"
	@echo "make check                lint, types and the floor plan"
	@echo "make bench                measure speed and memory beside other tools"
	@echo "make fuzz                 changed videos and files, for FUZZ_SECONDS each (60)"
	@echo "make test-lab check-lab   the same for the lab, in .venv-lab (torch: several GB)"
	@echo "make install              make .venv with reelcheck in it"

install: $(VENV)/core.stamp
install-dev: $(VENV)/dev.stamp

$(VENV)/core.stamp: requirements/core.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes --requirement requirements/core.txt
	$(PIP) install --quiet --no-deps --editable .
	$(BIN)/python -m compileall -q src
	touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/core.stamp
	$(PIP) install --quiet --require-hashes --requirement requirements/dev.txt
	touch $@

$(VENV)/bench.stamp: requirements/bench.txt $(VENV)/dev.stamp
	$(PIP) install --quiet --require-hashes --requirement requirements/bench.txt
	touch $@

install-lab: $(LAB)/lab.stamp

$(LAB)/lab.stamp: requirements/lab.txt pyproject.toml
	$(PYTHON) -m venv $(LAB)
	$(LAB)/bin/python -m pip install --quiet --require-hashes --requirement requirements/lab.txt
	$(LAB)/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

test-lab: install-lab
	$(LAB)/bin/python -m pytest -n 2 --dist worksteal tests/lab

check-lab: install-lab
	$(LAB)/bin/mypy $$(git ls-files 'src/reelcheck/lab/*.py' 'tests/lab/*.py' 'tools/*.py')

demo/demo.mp4: $(VENV)/core.stamp
	mkdir -p demo
	$(BIN)/reelcheck demo $@

# The verdict is the result, so FAIL (1) and INCONCLUSIVE (4) are no failures of make.
run: install $(if $(filter demo/demo.mp4,$(VIDEO)),demo/demo.mp4)
	$(BIN)/reelcheck analyze "$(VIDEO)" --out "$(OUT)" || [ $$? -eq 1 ] || [ $$? -eq 4 ]

test: install-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

# No cache: it does not notice that a new module made an import our own.
check: install-dev
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install-dev $(VENV)/bench.stamp
	$(BIN)/python benchmarks/run.py

FUZZ_SECONDS ?= 60

fuzz: install-dev
	$(BIN)/python tools/fuzz.py --seconds $(FUZZ_SECONDS)

# Needs uv. Versions move on only here.
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml --output-file requirements/core.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml requirements/dev.in --output-file requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml requirements/dev.in requirements/bench.in \
	  --output-file requirements/bench.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra lab --extra tensorflow --extra caffe \
	  pyproject.toml requirements/dev.in requirements/lab.in --output-file requirements/lab.txt

clean:
	rm -rf $(VENV) out demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
