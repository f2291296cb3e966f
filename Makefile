# Each target does its own set-up: scripts/setup fills .venv once, and again when the pinned versions change.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-clients check bench bench-accuracy soak wheel clean

PYTHON := .venv/bin/python
RESULTS := benchmarks/results
OUT := demo
# one more than cores, as some tests wait for a clock; `check` has run those of the layers. Threads of torch that spin
# while they wait would take the cores from the other processes: a training takes a quarter less of them without
PROCESSES := $(shell cores=$$(nproc); echo $$((cores < 4 ? cores + 1 : 4)))

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  make %-16s %s\n", $$1, $$2 }'

demo: ## render parts, train, evaluate, run a simulated line, open the console on it; writes to demo/ (OUT=folder for another)
	@scripts/setup light
	@.venv/bin/sightline demo --out "$(OUT)"

test: check ## everything that must hold: the checks, then all tests
	@OMP_WAIT_POLICY=PASSIVE $(PYTHON) -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder --ignore tests/test_layers.py

test-clients: ## the larger clients of other systems, each in an environment of its own (some 300 MB, once)
	@scripts/setup dev
	$(PYTHON) benchmarks/clients.py --out $(RESULTS)

check: ## format, lint, strict types, layers, sizes
	@scripts/setup dev
	@scripts/check

bench: ## speed, coreset and backbone tables into benchmarks/results, plots into docs/images
	@scripts/setup dev
	$(PYTHON) benchmarks/machine.py --out $(RESULTS)
	$(PYTHON) benchmarks/latency.py --out $(RESULTS)
	$(PYTHON) benchmarks/scaling.py --out $(RESULTS)
	$(PYTHON) benchmarks/streams.py --out $(RESULTS)
	$(PYTHON) benchmarks/batches.py --out $(RESULTS)
	$(PYTHON) benchmarks/coreset.py --out $(RESULTS)
	$(PYTHON) benchmarks/backbones.py --out $(RESULTS)

bench-accuracy: ## accuracy on every data set in DATA=folder (../shared/data), for hours; ARGS=--resume goes on
	@scripts/setup dev
	$(PYTHON) benchmarks/accuracy.py $(if $(DATA),--data "$(DATA)") --out $(RESULTS) $(ARGS)

soak: ## the line's promises at full size, for about seven hours; ARGS="--share 0.01" for a hundredth
	@scripts/setup dev
	$(PYTHON) benchmarks/soak.py --output $(RESULTS) $(ARGS)

wheel: ## build the wheel into dist/
	@scripts/setup dev
	@$(PYTHON) -m build --wheel --no-isolation --outdir dist

clean: ## remove everything the other targets made, .venv and .venv-clients included; results and the backbone's cache stay
	rm -rf .venv .venv-clients demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
