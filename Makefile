# Everything that one types; `make help` lists it. The first target that one asks for installs, the others find it done.

PYTHON    ?= python3
# Colab has Python 3.13: name that, where it is at hand
COLAB_PYTHON ?= $(PYTHON)
PICTURE   ?= data/samples/street.png
PROMPT    ?= the left car changes to a red car
# The paper's table: on what, how many edits of each task, chosen by which seed, where the runs are kept, by whom, without
# which of our editor's parts, and how many processes share the work
DATA      ?= world
IMAGES    ?= 1000
SEED      ?= 606
PROCESSES ?= 1
WEIGHTS   ?= lite
# Files of tests and notebooks at a time
TESTERS   ?= 2
TABLE     ?= runs/table
EDITORS   ?= ours oracle-mask plain sdedit diffedit instruct-pix2pix copy
ABLATIONS ?= fusion threshold crop refine guidance steps rounds temperature straighten silhouette sketch

INSTALLED := .venv/.installed
BIN       := .venv/bin
EVALUATE   = $(if $(filter 1,$(PROCESSES)),$(BIN)/textedit-lite,$(BIN)/torchrun --nproc_per_node $(PROCESSES) -m textedit_lite) \
             evaluate --data $(DATA) --images $(IMAGES) --seed $(SEED) --weights $(WEIGHTS)

.DEFAULT_GOAL := help
.PHONY: help demo test test-full browser test-colab lab notebooks lint doctor benchmark table ablations ladder ladder-gpu clean

help:
	@echo "make demo       install, edit a sample picture, say where the result is"
	@echo "make test       install, run the tests and the notebooks"
	@echo "make test-colab run what matters with the versions that Google Colab has, in .venv-colab"
	@echo "make test-full  one edit by the full-size architectures, with random numbers; a pretended GPU (minutes, 16 GB)"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make notebooks  run the notebooks anew out of their text, and store what they show"
	@echo "make lint       ruff and the import contracts"
	@echo "make doctor     what is fine, doubtful or wrong on this machine"
	@echo "make benchmark  our editor against the plain way, on this machine"
	@echo "make table      all editors on the same edits, as the paper's table 1 (hours; stopped, it goes on)"
	@echo "make ablations  our editor without one of its parts at a time (hours; stopped, it goes on)"
	@echo "make ladder     what each step from the plain way to batches is worth on this processor, into docs/speed.md"
	@echo "make ladder-gpu the same on a GPU, at full size, beside the least that its card needs"
	@echo "make clean      remove .venv and what was made, but for runs/"

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "textedit-lite needs Python 3.11 or later, and '$(PYTHON)' is" \
	       "$$($(PYTHON) --version 2>/dev/null || echo 'not there'):" \
	       "name another one, e.g. make $(or $(MAKECMDGOALS),demo) PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu, apt install python3-venv brings what it needs." >&2; exit 1; }
	@echo "Installing into .venv (a few minutes the first time, nothing the next time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@mkdir -p demo
	@$(BIN)/textedit-lite edit "$(PICTURE)" "$(PROMPT)" --out demo/edit.png --figure demo/edit_figure.png
	@echo "The edited picture is demo/edit.png; how it came about is demo/edit_figure.png."

test: $(INSTALLED) browser
	@$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --nbval --nbval-current-env tests $(wildcard notebooks)

# The tests that use the panels as a reader does need Chromium; without it they are skipped, and say so.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "Installing Chromium for the tests of the panels ..."; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
	    echo "Chromium could not be installed: the tests of the panels in a browser will be skipped." >&2; \
	fi

# Colab's own versions, in an environment beside: the models, the stages, the editor, the panels, and one notebook.
COLAB_TESTS := $(patsubst %,tests/test_%.py,models detect match mask inpaint editor plots widgets doctor stamp)
COLAB_NOTEBOOK := notebooks/03_mask_building.ipynb

.venv-colab/.installed: pyproject.toml constraints-colab.txt
	@$(COLAB_PYTHON) -m venv .venv-colab
	@echo "Installing Colab's versions into .venv-colab ..."
	@.venv-colab/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-colab.txt -e . pytest nbval
	@touch $@

test-colab: .venv-colab/.installed
	@.venv-colab/bin/python -m pytest --nbval --nbval-current-env $(wildcard $(COLAB_TESTS)) $(COLAB_NOTEBOOK)

test-full: $(INSTALLED)
	@$(BIN)/python -m pytest -m slow -s tests

lab: $(INSTALLED)
	@$(BIN)/jupyter lab notebooks

notebooks: $(INSTALLED)
	@$(BIN)/python notebooks/build.py

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

doctor: $(INSTALLED)
	@$(BIN)/textedit-lite doctor

benchmark: $(INSTALLED)
	@$(BIN)/python benchmarks/edit_speed.py

table: $(INSTALLED)
	@set -e; for editor in $(EDITORS); do echo "$$editor:"; \
	  $(EVALUATE) --editor $$editor --out $(TABLE)/$$editor; \
	done
	@$(BIN)/textedit-lite report $(EDITORS:%=$(TABLE)/%) --out $(TABLE)/report

ablations: $(INSTALLED)
	@set -e; for name in $(ABLATIONS); do echo "without $$name:"; \
	  $(EVALUATE) --ablate $$name --out $(TABLE)/without-$$name; \
	done
	@$(EVALUATE) --out $(TABLE)/ours
	@$(BIN)/textedit-lite report $(TABLE)/ours $(ABLATIONS:%=$(TABLE)/without-%) --out $(TABLE)/ablations

ladder: $(INSTALLED)
	@$(BIN)/python benchmarks/cpu_ladder.py --write docs/speed.md

ladder-gpu: $(INSTALLED)
	@$(BIN)/python benchmarks/gpu_ladder.py --write docs/speed.md

clean:
	rm -rf .venv .venv-colab build dist demo tests/output *.egg-info .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
