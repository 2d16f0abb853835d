# Two commands set everything up by themselves: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
READY_MIN := .venv-min/.ready
READY_NAPARI := .venv-napari/.ready
PARALLEL := --numprocesses auto --maxprocesses 4

.PHONY: demo test test-min test-napari slow torture docs lint release-check clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints.txt
	touch $@

# PyPI has only the CUDA build of this torch for Linux: several gigabytes.
$(READY_MIN): pyproject.toml constraints-min.txt
	$(PYTHON) -m venv .venv-min
	.venv-min/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' \
		--constraint constraints-min.txt
	touch $@

demo: $(READY)  ## denoise a picture, or your own: make demo IMAGE=my.png
	$(BIN)/python benchmarks/demo.py $(if $(IMAGE),"$(IMAGE)")

test: $(READY) lint
	$(BIN)/python -m pytest $(PARALLEL) --doctest-modules torchdenoise tests

# The queues of this torch's DataLoader workers are sometimes closed twice when an epoch is over, which harms nothing.
test-min: $(READY_MIN)  ## the fast tests with the oldest versions that pyproject.toml allows
	.venv-min/bin/python -m pytest $(PARALLEL) -W ignore::DeprecationWarning \
		-W "ignore:Exception in thread QueueFeederThread:pytest.PytestUnhandledThreadExceptionWarning" tests

# Napari needs a display and Qt: on Debian, the packages xvfb, xauth, libegl1, libxkbcommon-x11-0, libxcb-cursor0.
$(READY_NAPARI): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-napari
	.venv-napari/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,napari]' pytest-qt \
		--constraint constraints.txt
	touch $@

test-napari: $(READY_NAPARI)  ## the plugin in a viewer on a virtual display
	xvfb-run -a .venv-napari/bin/python -m pytest tests/napari_plugin

slow: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) -m slow tests

torture: $(READY)  ## kills at random moments, full disks, closed pipes, files of strangers; 11 minutes on two cores
	TORCHDENOISE_TORTURE=full $(BIN)/python -m pytest $(PARALLEL) -m slow tests/strangers tests/commands/test_kills.py \
		tests/commands/test_working_folder.py tests/test_full_disk.py tests/test_standard_streams.py

docs: $(READY)  ## the documentation, in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo 'open site/index.html; its search needs a server: python -m http.server --directory site'

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

release-check: $(READY)  ## wheel and sdist in dist/, checked, and the wheel used in empty environments; PYTHONS="python3.13 ..."
	$(BIN)/python .ci/release_check.py $(PYTHONS)

clean:
	rm -rf .venv .venv-min .venv-napari demo runs site build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
