# What a developer types. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The size of the campaign and what is mutated; smaller ones try the commands.
KILLS ?= 50
FUZZ_SECONDS ?= 600
SOAK ?= --runs 1000 --steps 20000
SCALE ?= --images 20000 --start 1000000
WALKS ?= $(wildcard ../shared/data/*/)
WALK_IMAGES ?= 300
MUTANTS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test campaign mutants lint reference docs lock bench package supply check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: $(INSTALLED) ## install cass and its tools into .venv

demo: $(INSTALLED) ## the whole job on generated images, into runs/demo
	@out=runs/demo; n=2; while [ -e "$$out" ]; do out=runs/demo-$$n; n=$$((n + 1)); done; \
	set -x; $(BIN)/cass compare --data generated --config configs/demo.yaml --out "$$out"

test: $(INSTALLED) ## run the fast tests, offline and on the CPU
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not slow and not gpu and not network"

campaign: $(INSTALLED) ## the long checks: kills, fuzzing, soak, scale, slow tests, documented commands, supply; hours
	CASS_KILLS=$(KILLS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -s tests/faults
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "slow and not gpu and not network" --ignore tests/faults
	$(PIP) install -q --target build/atheris atheris
	for target in manifest config checkpoint jpeg png bmp tiff tiff-lzw dicom; do \
	PYTHONPATH=build/atheris:src $(BIN)/python tests/fuzz/fuzz.py $$target --seconds $(FUZZ_SECONDS) || exit 1; done
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/soak.py $(SOAK)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/scale.py $(SCALE)
	for set in $(WALKS); do $(BIN)/python docs/walk.py "$$set" --images $(WALK_IMAGES) \
	--out "runs/walk/$$(basename "$$set")" || exit 1; done
	$(MAKE) supply

mutants: $(INSTALLED) ## change methods, evaluation and splits a little, 5,000 times, and see whether tests notice; hours
	$(PIP) install -q --target build/mutmut mutmut
	OMP_NUM_THREADS=1 PYTHONPATH=build/mutmut:src $(BIN)/python -m mutmut run $(MUTANTS)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutants.py

lint: $(INSTALLED) ## check format, style, types and layers
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy
	$(BIN)/lint-imports

reference: $(INSTALLED) ## write the stub and the reference pages from the table of verbs
	$(BIN)/python docs/generate.py

docs: $(INSTALLED) ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lock: ## write requirements.lock, with hashes, for the versions of constraints.txt; needs uv
	uv pip compile pyproject.toml --extra dev --extra docs --extra build -c constraints.txt --generate-hashes \
	--universal --python-version 3.11 --no-annotate --no-header -q -o requirements.lock

bench: $(INSTALLED) ## time pretraining beside its limit and other methods on this machine
	$(BIN)/cass benchmark speed

package: $(INSTALLED) ## build wheel and sdist, and install and start each in an environment of its own
	rm -rf dist && $(BIN)/python -m hatchling build -d dist
	@set -e; for file in dist/*.whl dist/*.tar.gz; do rm -rf dist/env; $(PYTHON) -m venv dist/env; \
	libraries='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	$(BIN)/python -c "$$libraries" > "$$(dist/env/bin/python -c "$$libraries")/libraries.pth"; \
	dist/env/bin/python -m pip --disable-pip-version-check install -q --ignore-installed --no-deps \
	--no-build-isolation "$$file"; \
	(cd dist && env/bin/cass --version && env/bin/python -c 'import cass; assert "dist/env" in cass.__file__'); \
	echo "$$file installs and starts"; done

supply: $(INSTALLED) ## list all packages in sbom.json (CycloneDX), and look up known vulnerabilities (needs internet)
	$(PYTHON) -m venv build/tools && build/tools/bin/python -m pip install -q cyclonedx-bom pip-audit
	build/tools/bin/cyclonedx-py environment --output-reproducible -o sbom.json $(BIN)/python
	build/tools/bin/pip-audit --strict -r requirements.lock --require-hashes --disable-pip

check: lint test ## lint and test

clean: ## remove caches and built documentation; .venv and runs stay
	rm -rf site build dist mutants sbom.json .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "cass needs Python 3.11 or newer; name one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	{ rm -rf $(VENV); echo "No virtual environment could be made; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }

# The stamps are written last, so that an interrupted installation is taken up again.
# The interpreter is ordered only: its age says nothing of what is installed.
# Every file is checked against the hashes of requirements.lock.
$(INSTALLED): pyproject.toml requirements.lock | $(BIN)/python
	@echo "Installing cass into $(VENV); the first time downloads PyTorch and takes minutes."
	@set -x; if command -v uv >/dev/null; then \
	uv pip install --python $(BIN)/python --require-hashes -r requirements.lock; else \
	$(PIP) install --require-hashes -r requirements.lock; fi
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
