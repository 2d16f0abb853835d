# Two commands set everything up by themselves: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test slow lint clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints.txt
	touch $@

demo: $(READY)  ## denoise a picture, or your own: make demo IMAGE=my.png
	$(BIN)/python benchmarks/demo.py $(if $(IMAGE),"$(IMAGE)")

test: $(READY) lint
	$(BIN)/python -m pytest --doctest-modules torchdenoise tests

slow: $(READY)
	$(BIN)/python -m pytest -m slow tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:
	rm -rf .venv demo runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
