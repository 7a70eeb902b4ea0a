# Everything that one types: demo, test, lab, lint, benchmark, clean. The first of them installs, the others find it done.

PYTHON    ?= python3
PICTURE   ?= data/samples/street.png
PROMPT    ?= the left car changes to a red car

INSTALLED := .venv/.installed
BIN       := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lab notebooks lint benchmark clean

help:
	@echo "make demo       install, edit a sample picture, say where the result is"
	@echo "make test       install, run the tests and the notebooks"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make notebooks  run the notebooks anew out of their text, and store what they show"
	@echo "make lint       ruff and the import contracts"
	@echo "make benchmark  our editor against the plain way, on this machine"
	@echo "make clean      remove .venv and everything that was made"

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "textedit-lite needs Python 3.11 or later, and '$(PYTHON)' is" \
	       "$$($(PYTHON) --version 2>/dev/null || echo 'not there'):" \
	       "name another one, e.g. make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu, apt install python3-venv brings what it needs." >&2; exit 1; }
	@echo "Installing into .venv (a few minutes the first time, nothing the next time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@mkdir -p demo
	@$(BIN)/textedit-lite edit "$(PICTURE)" "$(PROMPT)" --out demo/edit.png --figure demo/edit_figure.png
	@echo "The edited picture is demo/edit.png; how it came about is demo/edit_figure.png."

test: $(INSTALLED)
	@$(BIN)/python -m pytest --nbval --nbval-current-env tests $(wildcard notebooks)

lab: $(INSTALLED)
	@$(BIN)/jupyter lab notebooks

notebooks: $(INSTALLED)
	@$(BIN)/python notebooks/build.py

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

benchmark: $(INSTALLED)
	@$(BIN)/python benchmarks/edit_speed.py

clean:
	rm -rf .venv build dist demo *.egg-info .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
