PYTHON ?= python3
MIRROR ?= $(wildcard ../shared/data)
BIN := .venv/bin
RECIPE = $(shell sed -n 's/^recipe: *//p' params.yaml)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo mini order test test-slow rehearse check format render dashboard bench repro clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## make .venv with everything
.venv/.installed: pyproject.toml constraints.txt .ci/install
	@.ci/install $(PYTHON)

demo: setup ## the whole chain on constructed languages, in minutes on two cores
	@msm recipe demo
	@$(MAKE) --no-print-directory repro show

mini: setup ## real texts, evaluated on all of XQuAD-R; MIRROR=DIR takes the public files from a folder
	@msm recipe mini $(if $(MIRROR),--mirror=$(MIRROR))
	@$(MAKE) --no-print-directory repro show

order: setup ## does the masked sentence model need the order of sentences? three worlds, three seeds
	@msm recipe order
	@$(MAKE) --no-print-directory repro show

# Each recipe keeps its own dvc.lock: the stage names are the same in all of them, and git stays clean. One that is
# committed, so that others can pull its outputs, stays where it is.
repro: setup ## run what is missing of the active recipe (params.yaml)
	@mkdir -p work/$(RECIPE)
	@if git ls-files --error-unmatch dvc.lock >/dev/null 2>&1; then exec dvc repro --quiet; fi; \
	if [ ! -f dvc.lock ] && [ -f work/$(RECIPE)/dvc.lock ]; then cp work/$(RECIPE)/dvc.lock .; fi; \
	dvc repro --quiet; status=$$?; if [ -f dvc.lock ]; then mv dvc.lock work/$(RECIPE)/; fi; exit $$status

.PHONY: show
show:
	@msm report $(RECIPE)
	@echo "Dashboard: make dashboard"

dashboard: setup ## open the dashboard on artifacts/ and results/
	@streamlit run dashboards/app.py -- --artifacts artifacts --results results

test: setup ## all quick tests
	@OMP_NUM_THREADS=1 pytest -n 2 -m "not slow" $(if $(MIRROR),--mirror=$(MIRROR))

test-slow: setup ## what needs a container engine, Chromium or more than 20 seconds
	@pytest -m slow $(if $(MIRROR),--mirror=$(MIRROR))
	@.ci/image $(IMAGE_OPTIONS)

# A KUBECONFIG of the environment is not taken: a rehearsal makes a namespace, and is asked for by name.
rehearse: setup ## try the manifests on an API server (KUBECONFIG=FILE); without one, against strict schemas
ifeq ($(origin KUBECONFIG),command line)
	@python -m msm.components.rehearsal $(KUBECONFIG)
else
	@echo "rehearse: no KUBECONFIG=FILE, so no API server: strict schemas of one instead"
	@pytest -m "not slow" tests/components/test_manifests.py tests/components/test_queues.py tests/components/test_jobs.py
endif

check: setup ## style, types, docstrings, renderings in step
	@ruff check .
	@ruff format --check .
	@pyright
	@python -m msm.components.render --check

format: setup ## let ruff mend what it can
	@ruff check --fix .
	@ruff format .

render: setup ## write dvc.yaml and the other renderings of the stage table
	@python -m msm.components.render

bench: setup ## speed against the usual way, equal outputs checked
	@msm bench

clean: ## remove what runs made; keeps .venv
	@rm -rf artifacts work .dvc/cache .dvc/tmp dvc.lock
