PYTHON ?= python3
MIRROR ?= $(wildcard ../shared/data)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo mini real order test test-slow rehearse docs check format render lock sbom dashboard bench repro clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## make .venv with everything
.venv/.installed: pyproject.toml requirements.lock .ci/install
	@.ci/install $(PYTHON)

demo: setup ## the whole chain on constructed languages, in minutes on two cores
	@msm run demo --results ''
	@msm report demo
	@echo "Dashboard: make dashboard"

mini: setup ## real texts, evaluated on all of XQuAD-R; MIRROR=DIR takes the public files from a folder
	@msm run mini $(if $(MIRROR),--mirror=$(MIRROR))
	@msm report mini

real: setup ## a real encoder and BM25 on all of XQuAD-R; MIRROR=DIR takes the public files from a folder
	@msm run real --side_by_side 1 $(if $(MIRROR),--mirror=$(MIRROR))
	@msm report real

order: setup ## does the masked sentence model need the order of sentences? three worlds, three seeds
	@msm run order
	@msm report order

repro: setup ## the demo through DVC, the versioned way: run what is missing, keep it in dvc.lock
	@python -m msm.components.dvc_lock
	@dvc repro > /dev/null
	@msm report demo

dashboard: setup ## open the dashboard on artifacts/ and results/
	@streamlit run dashboards/app.py -- --artifacts artifacts --results results

test: setup ## all quick tests
	@OMP_NUM_THREADS=1 pytest -n 2 -m "not slow" $(if $(MIRROR),--mirror=$(MIRROR))

test-slow: setup ## what needs a container engine, Chromium or more than 20 seconds
	@pytest -m slow $(if $(MIRROR),--mirror=$(MIRROR))
	@.ci/image $(IMAGE_OPTIONS)

# A KUBECONFIG of the environment is not taken: a rehearsal makes a namespace, and is asked for by name.
rehearse: setup ## try the manifests on an API server (KUBECONFIG=FILE); without one, against its schemas
ifeq ($(origin KUBECONFIG),command line)
	@python -m msm.components.rehearsal $(KUBECONFIG)
else
	@echo "rehearse: no KUBECONFIG=FILE, so no API server: a server in miniature with the schemas of one"
	@pytest $(foreach part,rehearsal manifests queues jobs corpus_job trainjob,tests/components/test_$(part).py)
endif

# Material for MkDocs prints a notice about MkDocs 2 otherwise.
docs: setup ## build the documentation site in site/; links within it are checked
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

check: setup docs ## style, types, docstrings, renderings in step, documentation site
	@ruff check .
	@ruff format --check .
	@pyright
	@python -m msm.components.render --check

format: setup ## let ruff mend what it can
	@ruff check --fix .
	@ruff format .

render: setup ## write dvc.yaml and the other renderings of the stage table
	@python -m msm.components.render

lock: ## write requirements.lock and image.lock anew, after a change of pyproject.toml or constraints.txt; needs uv
	@.ci/lock

sbom: setup ## write the bill of materials of .venv: sbom.json, in CycloneDX's form
	@python -m msm.components.sbom sbom.json

bench: setup ## speed against the usual way in its quick form, held to the committed ratios; MIRROR=DIR as in mini
	@msm bench --quick --against docs/bench-quick.jsonl $(if $(MIRROR),--mirror=$(MIRROR))

clean: ## remove what runs made; keeps .venv
	@rm -rf artifacts work .dvc/cache .dvc/tmp
