# `make` lists the targets. They need cargo, a C++ compiler and python3 with pip.

CARGO  ?= cargo
PYTHON ?= python3
DEMO    = reports/demo

# The program without the training commands, which builds without libtorch.
SLIM    = --no-default-features

# nextest runs the tests of all files side by side; without it cargo's own runner does.
RUN_TESTS = $(CARGO) $(if $(shell $(CARGO) nextest --version 2>/dev/null),nextest \
	run,test --lib --bins --tests --examples) --locked

# Packages that judge the report's pages, for tests alone.
NPM = target/npm

# MNIST or Fashion-MNIST, as they are downloaded; the sample has the same format.
IDX = fixtures/idx

.PHONY: help libtorch build demo sample experiments corpus test bench bench-peers bench-guard bench-capture fmt clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

libtorch: ## fetch libtorch into .libtorch/, once (a LIBTORCH in the environment is used instead)
	@$(PYTHON) tools/libtorch.py

build: libtorch ## build the release binary
	$(CARGO) build --release --locked

demo: build ## diagnose a network that was born dead and say where the report is
	@$(CARGO) run --release --locked --quiet -- \
		run --model relu5 --bias -8 --out $(DEMO) --force
	@echo "The report: $(CURDIR)/$(DEMO)/report.html"

sample: ## render the sample report again
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT \
		&& $(CARGO) run --locked --quiet $(SLIM) -- report fixtures/records/sigmoid5.jsonl.gz \
			--out "$$out" --force --quiet > /dev/null \
		&& cp "$$out/report.html" reports/sample/report.html

experiments: build ## run every exercise of the README into reports/experiments/
	@$(CARGO) run --release --locked --quiet --example experiments -- \
		target/release/gradscope reports/experiments $(IDX)

# Records are kept: what is trained is not trained again.
corpus: build ## train and score the labelled corpus, write docs/corpus.md
	@$(CARGO) run --release --locked --quiet --example corpus -- \
		target/release/gradscope reports/corpus --markdown docs/corpus.md

# Both builds share target/ and most of what is in it. The slim one goes first: it fails
# soonest, and target/debug/gradscope is left with all commands.
test: libtorch ## check format and lints, run every test, with and without libtorch
	@command -v chromedriver >/dev/null || echo "No chromedriver here: the tests in a browser are skipped."
	@$(MAKE) --no-print-directory $(NPM)/package-lock.json 2>/dev/null \
		|| echo "No npm packages here: the tests with axe-core and html-validate are skipped."
	@command -v parallel >/dev/null || echo "No GNU parallel here: its part of a test is skipped."
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets --locked $(SLIM) -- -D warnings
	$(CARGO) build --locked $(SLIM)
	$(RUN_TESTS) $(SLIM)
	$(CARGO) clippy --all-targets --locked -- -D warnings
	$(RUN_TESTS)
	$(CARGO) test --doc --locked
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

$(NPM)/package-lock.json: tests/npm/package.json tests/npm/package-lock.json
	@mkdir -p $(NPM) && cp $^ $(NPM)/
	@npm ci --prefix $(NPM) --silent --no-audit --no-fund || { rm -f $@; exit 1; }

bench: libtorch ## run the benchmarks, write docs/benchmarks.md
	$(CARGO) bench --locked --bench parts
	$(CARGO) bench --locked --bench engine

# A directory of its own for the peers' packages, which is deleted afterwards.
bench-peers: ## measure TensorBoard's, NumPy's and SciPy's ways, write docs/benchmarks-peers.md
	$(CARGO) bench --locked $(SLIM) --bench engine --no-run
	venv=$$(mktemp -d) && trap 'rm -rf "$$venv"' EXIT && $(PYTHON) -m venv "$$venv" \
		&& "$$venv/bin/pip" install --quiet --disable-pip-version-check numpy scipy tensorboardX \
		&& "$$venv/bin/python" benches/peers.py $(CARGO)

bench-guard: ## count the instructions of the inner loops (needs valgrind)
	$(CARGO) bench --locked $(SLIM) --bench guard -- $(WRITE)

bench-capture: build ## time runs with and without measuring, side by side
	@$(PYTHON) benches/capture.py target/release/gradscope

fmt: ## format the code
	$(CARGO) fmt --all

clean: ## delete what was built
	$(CARGO) clean

distclean: clean ## delete libtorch as well
	rm -rf .libtorch .libtorch.partial
