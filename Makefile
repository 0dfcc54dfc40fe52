# Every target sets up what it needs; a newcomer needs 'make demo' and 'make test' only.
SHELL := /bin/sh
export EASYMO_SANDBOX_STATE ?= $(CURDIR)/.sandbox
# The certificate authorities of this machine, as pip trusts them: a company's proxy may have its own.
export UV_SYSTEM_CERTS ?= 1
# Hundreds of processes start in a test run: each would compile its imports again, for a second of CPU.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python
TRAFFIC := tests/stories/test_story_of_the_waves.py

.PHONY: help setup demo test test-again test-root test-cluster check lint types sanity unit contract integration interop stories traffic nightly oldest molecule simulate simulate-plays bench bench-goals bench-gates pictures docs schema site lock \
	sandbox-up sandbox-down sandbox-status clean

help:  ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

setup:
	@scripts/setup

demo: setup  ## Deploy v2.0 to a sandbox on this machine, under traffic, and look at it
	@scripts/demo

test: setup  ## Everything but nightly, in order of what it costs; STEPS="style units" for some steps alone
	@$(PY) -m tests.suite $(STEPS)

test-again: setup  ## N=10 whole runs in a row, a table of them, and what failed how often
	@$(PY) -m tests.suite.again $(or $(N),10)

test-root: setup  ## The few tests that only root can run: 'make test' is for everybody and skips them
	@$(PY) -m pytest -q -m root tests/integration/test_sandbox_lifecycle.py tests/stories/test_story_of_the_guard.py

nightly: setup  ## What is slow and hardly changes: benchmarks, random schemas, all examples and seeds, all of sanity, molecule, the oldest core, the site
	@scripts/oldest installed
	@env -u CI $(PY) -m pytest -q -n 2 --dist loadfile -m "nightly or property" tests
	@$(PY) -m tests.simulation.plays --absent --outcomes
	@$(PY) -m tests.simulation.plays --rights
	@$(PY) -m tests.simulation.plays --jobs 2
	@scripts/sanity --test ansible-doc --test import --test pylint
	@scripts/oldest units
	@scripts/molecule
	@scripts/site
	@seq $$(nproc) | xargs -P 0 -I{} $(PY) -m tests.simulation --seconds $$((60 * $(or $(MINUTES),10)))

test-cluster: setup  ## Rollouts, waves back, lock and scale on the cluster of KUBECONFIG, in namespaces of their own
	@test -n "$(KUBECONFIG)" || { echo "Set KUBECONFIG to the cluster to test on: namespaces test-* are made there and deleted."; exit 1; }
	@EASYMO_TEST_KUBECONFIG="$(KUBECONFIG)" $(PY) -m pytest -q tests/integration/test_rollout.py \
	  tests/integration/test_release_rollback.py tests/integration/test_deploy_lock.py \
	  tests/integration/test_rollout_scale.py tests/integration/test_release.py

check: setup  ## Quick feedback: style, types, prose, and units of the code that changed since they passed
	@PYTEST_ADDOPTS="$$PYTEST_ADDOPTS -p tests.suite.unchanged" $(PY) -m tests.suite style types prose units

lint: setup  ## Style of Python, YAML and playbooks
	@scripts/lint

types: setup  ## Types, strictly
	@scripts/types

sanity: setup  ## ansible-test sanity on the built collection
	@scripts/sanity

unit: setup  ## Pure tests, seconds
	@$(PY) -m pytest -q -n 2 tests/unit

contract: setup  ## Fakes and sandbox parts against recorded and real behaviour
	@$(PY) -m pytest -q -n 2 --dist loadfile tests/contract

integration: setup  ## Modules and components against a sandbox of its own
	@$(PY) -m pytest -q -n 2 --dist loadfile tests/integration

interop: setup  ## Our migrations beside those of the Supabase CLI and Prisma
	@$(PY) -m pytest -q tests/interop

stories: setup  ## The deployment as an operator sees it
	@$(PY) -m pytest -q -n 2 --dist loadfile tests/stories --ignore $(TRAFFIC)

traffic: setup  ## The story under heavy traffic, in which no request may fail: it wants the machine for itself
	@$(PY) -m pytest -q $(TRAFFIC)

molecule: setup  ## The six roles of the design card, by molecule, against a sandbox of its own
	@scripts/molecule

oldest: setup  ## Units and one story on the oldest supported ansible-core
	@scripts/oldest

simulate: setup  ## Simulated releases with fresh seeds, for MINUTES=10 of each core, and how often each sentence had something to compare
	@seq $$(nproc) | xargs -P 0 -I{} $(PY) -m tests.simulation --seconds $$((60 * $(or $(MINUTES),10)))

simulate-plays: setup  ## Each task of each playbook fails once, in each way, in the simulated world
	@$(PY) -m tests.simulation.plays --absent --outcomes
	@$(PY) -m tests.simulation.plays --rights
	@$(PY) -m tests.simulation.plays --jobs 2

bench: setup  ## Speed and size, as ratios within one run
	@$(PY) -m tests.benchmarks

bench-goals: setup  ## One table of what a release may cost, measured: minutes, on a machine at rest
	@$(PY) -m tests.benchmarks --goals

bench-gates: setup  ## Gates on 5,000 generated releases, and on users who write as they like: false alarms, misses, time and users harmed, into tests/benchmarks/gate_trial
	@nice $(PY) -m tests.benchmarks.gate_trial --write

pictures: setup  ## The README's pictures, anew from a release of the sandbox, in Chromium
	@$(PY) scripts/pictures.py

docs: setup  ## Check the plugins' documentation
	@scripts/docs

sandbox-up: setup  ## Start the sandbox
	@$(PY) -m sandbox up

sandbox-down: setup  ## Stop it and leave nothing behind
	@$(PY) -m sandbox down

sandbox-status: setup  ## What runs, and where
	@$(PY) -m sandbox status

schema: setup  ## docs/inventory.schema.json anew, by which editors complete and check an inventory
	@$(PY) scripts/inventory_schema.py

site: setup  ## The guides and the reference as a site with a search, in .cache/site/html
	@scripts/site

lock: setup  ## Renew requirements.lock from pyproject.toml
	@scripts/lock

clean: sandbox-down  ## Remove everything that make made
	@rm -rf .venv .venv-oldest .venv-installed .tools .build .cache .sandbox .deploy .ansible .mypy_cache .pytest_cache .ruff_cache
