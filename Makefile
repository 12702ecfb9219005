# A bare machine with python3 (3.11 to 3.13, with venv) and make is enough: each target sets up $(VENV) from the locked packages first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SYSTEMS = $(addprefix tests/,commands/ recipes/ server/ serving/ training/)
PARTS = $(filter-out $(SYSTEMS) %__pycache__/,$(wildcard tests/*/ tests/test_*.py))
BENCHMARKS = $(filter-out __init__ timing tiny_systems torch_language,$(basename $(notdir $(wildcard benchmarks/*.py))))

export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: venv lint test bench demo clean

venv: $(VENV)/.complete

$(VENV)/.complete: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"Python 3.11, 3.12 or 3.13 is needed. Received: {v[0]}.{v[1]} from `$(PYTHON)`. Name another: make PYTHON=python3.12 venv")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages: 2.5 GB, a few minutes"
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# In two goes: TensorFlow keeps of each traced function what it compiled, so that a process that runs all tests grows to 10 GB.
test: venv
	@failed=0; for tests in "$(SYSTEMS)" "$(PARTS)"; do $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $$tests || failed=1; done; exit $$failed

bench: venv
	@for name in $(BENCHMARKS); do echo "# $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

demo: venv
	$(BIN)/keras-seqgen demo

clean:
	rm -rf $(VENV) build dist demo .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
