# `make` lists the targets. They need cargo, a C++ compiler and python3 with pip.

CARGO  ?= cargo
PYTHON ?= python3
# A Python that has torch and pytest, such as Debian's with python3-torch and python3-pytest.
TORCH_PYTHON ?= /usr/bin/python3
DEMO    = reports/demo

# The program without the training commands, which builds without libtorch.
SLIM    = --no-default-features

# nextest runs the tests of all files side by side; without it cargo's own runner does.
RUN_TESTS = $(CARGO) $(if $(shell $(CARGO) nextest --version 2>/dev/null),nextest \
	run,test --lib --bins --tests --examples) --locked

# Modules that a macro declares: `cargo fmt` does not look into it.
LISTED = src/diagnose/rules/*.rs src/report/format/*.rs

# Packages that judge the report's pages, for tests alone.
NPM = target/npm

# Programs that read what is written for them, for tests alone.
READERS = target/readers

# MNIST or Fashion-MNIST, as they are downloaded; the sample has the same format.
IDX = fixtures/idx

# The corpus; its records are kept under reports/corpus.
CORPUS = $(CARGO) run --release --locked --quiet --example corpus -- \
	target/release/gradscope reports/corpus --markdown docs/corpus.md
FIRST ?= 300

# Where `make install` puts things; DESTDIR goes in front of it, for packagers.
PREFIX ?= /usr/local
DIST    = target/dist
HOST    = $(shell rustc -vV | sed -n 's/^host: //p')

# The directory with the libraries of the libtorch that is linked.
LIBRARIES = $(or $(LIBTORCH),.libtorch)/lib

.PHONY: help libtorch build release install dist test-dist demo update experiments corpus corpus-prescribe \
	corpus-calibrate corpus-fresh test test-slim test-train test-tools test-recorder test-torch fuzz \
	bench bench-peers bench-guard bench-capture bench-start bench-recorder deny unused msrv fmt clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

libtorch: ## fetch libtorch into .libtorch/, once (a LIBTORCH in the environment is used instead)
	@$(PYTHON) tools/libtorch.py

build: libtorch ## build the release binaries
	$(CARGO) build --release --locked

# Without the path of this build's libtorch in it: where it is installed, it has its own.
release: libtorch
	@[ -z "$$LIBTORCH_USE_PYTORCH" ] || { echo "A Python's libtorch is not laid out elsewhere: unset LIBTORCH_USE_PYTORCH" >&2; exit 2; }
	GRADSCOPE_RELEASE=1 $(CARGO) build --release --locked

install: release ## install under PREFIX (/usr/local), with libtorch, manual pages, completions; DESTDIR= for packagers
	@tools/install.sh target/release "$(DESTDIR)$(PREFIX)" "$(LIBRARIES)"

# A target of its own: what cargo runs while it builds cannot be linked statically.
dist: release ## pack release archives into target/dist, with and without training, with checksums
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --release --locked $(SLIM) --target $(HOST) --bin gradscope
	@rm -rf $(DIST)
	@tools/dist.sh $(DIST) target/$(HOST)/release
	@tools/dist.sh $(DIST) target/release "$(LIBRARIES)"

test-dist: dist ## install, move and run; unpack the archives in an empty root and run (a release build: minutes)
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT \
		&& $(MAKE) --no-print-directory install DESTDIR="$$scratch" PREFIX=/usr/local \
		&& tools/test-dist.sh "$$scratch/usr/local" $(DIST)

demo: build ## diagnose a network that was born dead and say where the report is
	@$(CARGO) run --release --locked --quiet -- \
		run --model relu5 --bias -8 --out $(DEMO) --force
	@echo "The report: $(CURDIR)/$(DEMO)/report.html"

# The model's schema comes first: the program prints the others, and has that one within it.
UPDATE = GRADSCOPE_UPDATE=1 INSTA_UPDATE=always INSTA_FORCE_PASS=1 $(CARGO) test --locked --quiet

update: libtorch ## write every generated file again: snapshots, schemas, constants, the sample, what pages show
	$(UPDATE) --lib
	$(UPDATE) --bins
	$(UPDATE) --test it
	@$(MAKE) --no-print-directory fmt

experiments: build ## run every exercise of the README into reports/experiments/
	@$(CARGO) run --release --locked --quiet --example experiments -- \
		target/release/gradscope reports/experiments $(IDX)

# Records are kept: what is trained is not trained again.
corpus: build ## train and score the labelled corpus, write docs/corpus.md
	@$(CORPUS)

corpus-fresh: build ## the same on other draws (FIRST=N: from the N-th of every kind), a section of it
	@$(CORPUS) --first $(FIRST)

corpus-prescribe: build ## prescribe for faulty runs of the scoring half, a section of docs/corpus.md
	@$(CORPUS) --prescribe --half scoring

corpus-calibrate: build ## move the limits that began as guesses over it, a section of docs/corpus.md
	@$(CORPUS) --calibrate --half calibration

# Both builds share target/ and most of what is in it. The slim one goes first: it fails
# soonest, and target/debug is left with all commands.
test: test-slim test-train ## check format and lints, run every test, with and without libtorch
	@$(MAKE) --no-print-directory test-recorder

test-slim: test-tools ## the part of it that needs no libtorch
	$(CARGO) fmt --all --check
	rustfmt --edition 2024 --check $(LISTED)
	$(CARGO) clippy --all-targets --locked $(SLIM) -- -D warnings
	$(RUN_TESTS) $(SLIM)

test-train: libtorch test-tools ## the part of it that trains
	$(CARGO) clippy --all-targets --locked -- -D warnings
	$(RUN_TESTS)
	$(CARGO) test --doc --locked
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

# What judges pages and files for the tests; a test whose judge is not here is skipped, and this says so.
test-tools:
	@command -v chromedriver >/dev/null || echo "No chromedriver here: the tests in a browser are skipped."
	@$(MAKE) --no-print-directory $(NPM)/package-lock.json 2>/dev/null \
		|| echo "No npm packages here: the tests with axe-core, html-validate and ESLint are skipped."
	@$(MAKE) --no-print-directory $(READERS) 2>/dev/null \
		|| echo "No Python packages here: the tests with TensorBoard and junitparser are skipped."
	@command -v parallel >/dev/null || echo "No GNU parallel here: its part of a test is skipped."

# The recorder's tests compare it with target/debug/gradscope.
RECORDER_TESTS = -m pytest -q -c python/pyproject.toml -p no:cacheprovider python/tests

# Those that need no more than torch; where it is missing they are skipped, unless nothing may be.
test-recorder: ## test the PyTorch recorder with the system's torch
	@if $(TORCH_PYTHON) -c "import torch, pytest" 2>/dev/null; then \
		PYTHONPATH=python $(TORCH_PYTHON) $(RECORDER_TESTS) -m "not torchvision and not callbacks"; \
	elif [ -n "$$GRADSCOPE_REQUIRE_ALL" ]; then \
		echo "No torch and pytest for $(TORCH_PYTHON): the recorder cannot be tested." >&2; exit 1; \
	else echo "No torch and pytest for $(TORCH_PYTHON): the recorder's tests are skipped."; fi

# A directory of its own for the packages, which is deleted afterwards.
test-torch: libtorch ## test the recorder with the current PyTorch, torchvision, Lightning and transformers
	$(CARGO) build --locked
	venv=$$(mktemp -d) && trap 'rm -rf "$$venv"' EXIT && $(PYTHON) -m venv "$$venv" \
		&& "$$venv/bin/pip" install --quiet --disable-pip-version-check \
			torch torchvision lightning "transformers[torch]" pytest ./python \
		&& "$$venv/bin/python" $(RECORDER_TESTS)

# Seconds for each reader. Without a sanitizer the stable compiler will do: the code is safe Rust.
FUZZ_SECONDS ?= 60
FUZZ = record:records idx:idx safetensors:checkpoints npz:checkpoints pickle:checkpoints model:../src/train/zoo

fuzz: libtorch ## feed random files to every reader for FUZZ_SECONDS each (needs cargo-fuzz)
	$(CARGO) fuzz build --sanitizer none
	@for pair in $(FUZZ); do \
		target=$${pair%%:*}; mkdir -p fuzz/corpus/$$target; \
		LD_LIBRARY_PATH="$(LIBRARIES)" $(CARGO) fuzz run --sanitizer none $$target fuzz/corpus/$$target fixtures/$${pair#*:} -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 || exit 1; \
	done

$(NPM)/package-lock.json: tests/npm/package.json tests/npm/package-lock.json
	@mkdir -p $(NPM) && cp $^ $(NPM)/
	@npm ci --prefix $(NPM) --silent --no-audit --no-fund || { rm -f $@; exit 1; }

$(READERS): tests/readers/requirements.txt
	@rm -rf $@ && $(PYTHON) -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check -r $< \
		&& touch $@ || { rm -rf $@; exit 1; }

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

# The program without libtorch, as it is installed.
bench-start: ## time how long the program takes to start, beside an empty Python process
	$(CARGO) build --release --locked $(SLIM) --bin gradscope
	@$(PYTHON) benches/start.py target/release/gradscope

bench-recorder: ## time PyTorch training with and without the recorder, beside TensorBoard
	@venv=$$(mktemp -d) && trap 'rm -rf "$$venv"' EXIT && $(PYTHON) -m venv "$$venv" \
		&& "$$venv/bin/pip" install --quiet --disable-pip-version-check torch tensorboard numpy \
		&& "$$venv/bin/python" benches/recorder.py

deny: ## check licences and sources of dependencies (needs cargo-deny)
	@$(CARGO) deny --version >/dev/null 2>&1 \
		|| { echo "cargo-deny is not here: cargo install --locked cargo-deny" >&2; exit 1; }
	$(CARGO) deny --locked check licenses bans sources

unused: ## look for dependencies that nothing uses (needs cargo-machete)
	@$(CARGO) machete --version >/dev/null 2>&1 \
		|| { echo "cargo-machete is not here: cargo install --locked cargo-machete" >&2; exit 1; }
	$(CARGO) machete

# The toolchain is fetched once; its build goes into a directory of its own.
MSRV = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv: libtorch ## check that the oldest compiler of Cargo.toml builds it (fetches that compiler)
	rustup toolchain install $(MSRV) --profile minimal
	$(CARGO) +$(MSRV) check --locked --target-dir target/msrv $(SLIM)
	$(CARGO) +$(MSRV) check --locked --target-dir target/msrv

fmt: ## format the code
	$(CARGO) fmt --all
	rustfmt --edition 2024 $(LISTED)

clean: ## delete what was built
	$(CARGO) clean

distclean: clean ## delete libtorch as well
	rm -rf .libtorch .libtorch.partial
