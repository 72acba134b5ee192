# Every target is one command that also works by hand; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STACK ?= forge
CONFIG := Pulumi.$(STACK).yaml
PHASE ?=
# A file stays in one process: what it sets up is set up once.
WORKERS := -n auto --maxprocesses 4 --dist loadfile

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up ------------------------------------------------------------------------------------

# One environment in three steps: what `plan` needs is there in seconds.
$(VENV)/plan: requirements-plan.lock
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(call install,$@,$<)

$(VENV)/runtime: requirements.lock $(VENV)/plan
	$(call install,$@,$<)

$(VENV)/development: requirements-dev.lock $(VENV)/runtime
	$(call install,$@,$<)

define install
	@echo "installing the Python packages of $(2)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2)
	@touch $(1)
endef

.PHONY: setup
setup: $(VENV)/development ## the Python environment with everything that tests need

# ---- the stack ---------------------------------------------------------------------------------

.PHONY: plan
plan: $(VENV)/plan ## what every phase and GPU state takes, and whether it fits (STACK=forge)
	@$(RUN) -m synapse plan --config $(CONFIG) $(if $(PHASE),--phase $(PHASE))

.PHONY: up
up: $(VENV)/development ## bring the stack up on a simulated forge (PHASE=1 to 6)
	@$(RUN) -m tools up $(if $(PHASE),--phase $(PHASE))

.PHONY: down
down: $(VENV)/development ## end the simulated forge, and remove all that it left
	@$(RUN) -m tools down

.PHONY: render
render: $(VENV)/development ## write the stack's manifests to ./rendered, for GitOps (STACK=forge)
	@$(RUN) -m tools render --config $(CONFIG) $(if $(PHASE),--phase $(PHASE))

.PHONY: policy
policy: $(VENV)/development ## judge a stack by the policy pack (SARIF=file JUNIT=file PACK_CONFIG=file)
	@$(RUN) -m tools policy --config $(CONFIG) $(if $(PHASE),--phase $(PHASE)) \
	  $(if $(PACK_CONFIG),--pack-config $(PACK_CONFIG)) \
	  $(if $(SARIF),--sarif $(SARIF)) $(if $(JUNIT),--junit $(JUNIT))

.PHONY: preflight health routes pull
preflight: $(VENV)/runtime ## what the cluster has to have (STACK=forge)
	@$(RUN) -m synapse preflight --config $(CONFIG)
health: $(VENV)/runtime ## what runs and answers
	@$(RUN) -m synapse health --config $(CONFIG)
routes: $(VENV)/runtime ## public model names and who answers them
	@$(RUN) -m synapse routes --config $(CONFIG)
pull: $(VENV)/runtime ## pull Ollama's models again (MODEL=… for one)
	@$(RUN) -m synapse pull --config $(CONFIG) $(MODEL)

.PHONY: swap
swap: $(VENV)/runtime ## hand the GPU over (TO=speech or chat, FOR=30m)
	@$(RUN) -m synapse swap $(TO) --config $(CONFIG) $(if $(FOR),--for $(FOR))

.PHONY: pull-models health-check show-routes prerequisites build-vllm clean
pull-models: pull ## the old name of pull
health-check: health ## the old name of health
show-routes: routes ## the old name of routes
prerequisites: preflight ## the old name of preflight
build-vllm: $(VENV)/runtime ## build and push the engine's image (engine.build in the config)
	@$(RUN) -m synapse build-engine --config $(CONFIG)
clean: down ## the old name of down

# ---- the project -------------------------------------------------------------------------------

.PHONY: test
test: $(VENV)/development ## everything, on the real engine and a real API server
	@$(RUN) -m tools toolchain
	@$(MAKE) --no-print-directory lint
	@$(RUN) -m pytest $(WORKERS) -m "not long"

.PHONY: test-fast
test-fast: $(VENV)/development ## what needs no toolchain: seconds
	@$(RUN) -m pytest $(WORKERS) -m "not engine and not long" tests/unit tests/policy tests/components

.PHONY: test-long
test-long: $(VENV)/development ## soaks, and the real Traefik
	@$(RUN) -m tools toolchain
	@$(RUN) -m tools toolchain traefik
	@$(RUN) -m pytest -m long

.PHONY: mutations
mutations: $(VENV)/development ## break our own stack in many ways, and show which rule catches each
	@$(RUN) -m tests.policy.mutations

.PHONY: lint
lint: $(VENV)/development ## formatting, lint, types, generated files in step
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(RUN) -m mypy policy/__main__.py
	@$(RUN) -m tools.generate --check

.PHONY: generate
generate: $(VENV)/development ## Pulumi.yaml's config section and the generated pages of docs/
	@$(RUN) -m tools.generate

.PHONY: bench
bench: $(VENV)/development ## timings as ratios of alternated runs, kept in docs/bench.md
	@$(RUN) -m tools bench

.PHONY: lock
lock: $(VENV)/development ## requirements*.lock from requirements*.txt
	@for set in requirements-plan requirements requirements-dev tools/gateway/litellm; do \
	  $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --custom-compile-command "make lock" -o $$set.lock $$set.txt || exit 1; \
	done
