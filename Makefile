# Each target makes the virtual environment that it needs. To choose: PYTHON (3.11 or newer), VENV (its folder), and
# TORCH (what pip installs as PyTorch, before anything else could ask for another build of it).
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
# Keras 2, whose files the tests load. By itself it would ask for a second build of TensorFlow.
TF_KERAS ?= tf-keras
# Packages of which examples read data files alone, so that nothing is installed for them to run on.
DATA ?= aeon==1.6.0 arch==8.0.0 captcha==0.7.1 music21==10.5.1 py-sblgnt==0.10

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest -q
# The instruction sets of this processor, once the kernels are built: the one that is used, and the others.
ISA = $(shell $(BIN)/python -c "from fastrnn import _core; print(_core.isa)")
ISAS = $(shell $(BIN)/python -c "from fastrnn import _core; print(*_core.available)")
OTHER_ISAS = $(filter-out $(ISA),$(ISAS))

# The parts of `make test`: the sanitized kernels, what the kernels compute with each further instruction set against
# the plain NumPy cells, and the tests of each folder, those of saving, which take longest, not last. JOBS of them run at
# once, each shown as a whole when it is done. Tests that are marked `alone` run after all others; those marked `slow`
# are left to `make test-full`. ALSO names further targets to run beside them, as .ci/run does.
JOBS ?= 2
ALSO ?=
FOLDERS := $(shell find tests -mindepth 2 -name "test_*.py" | cut -d/ -f1,2 | sort -ru)
KERNEL_TESTS := tests/layers $(wildcard tests/test_activations*.py tests/test_pointwise.py)
AT_ONCE := -j$(JOBS) $(if $(filter output-sync,$(.FEATURES)),--output-sync)

# What the kernels with sanitizers run: every cell and option on odd sizes and threads, and bad input. Not the peers, which
# do not load beside them.
SANITIZED_TESTS := $(addprefix tests/,layers/test_threads.py layers/test_recurrent_gradients.py layers/test_bad_input.py \
    layers/test_copies.py test_pointwise.py test_blas.py)

.PHONY: help demo test test-full tests $(FOLDERS) sanitize sanitized sanitize-threads sanitized-threads valgrind fuzz \
    fuzz-kernels bench lint wheel install clean

help:
	@echo "make demo       run the examples: plots in plots/, predictions on the screen"
	@echo "make test       lint, then all tests but those that only take larger samples"
	@echo "make test-full  lint, then all tests for each instruction set of this processor"
	@echo "make test-arm64 the kernels for 64-bit Arm, cross-built and emulated (Debian, Ubuntu)"
	@echo "make sanitize   the kernels' tests with checks of every memory access and of undefined behaviour"
	@echo "make sanitize-threads   the tests of concurrency under ThreadSanitizer"
	@echo "make valgrind   a few of the kernels' tests under valgrind, which has to be installed"
	@echo "make fuzz-kernels   100,000 cases of the kernels beside NumPy, for each instruction set (CASES=...)"
	@echo "make fuzz       a million changed files for each reader of models (RUNS=... for another number)"
	@echo "make bench      speed beside the machine's limit, PyTorch, Keras and other runtimes"
	@echo "make lint       ruff and mypy"
	@echo "make wheel      build a wheel and run all tests against it in a clean environment"
	@echo "make clean      remove everything that these made"

demo: $(VENV)/.demo
	@$(MAKE) --no-print-directory install
	$(BIN)/python -m fastrnn
	$(BIN)/python examples/copy_characters.py --out plots
	$(BIN)/python examples/film_reviews.py --out plots
	$(BIN)/python examples/seq2seq.py --out plots
	$(BIN)/python examples/siamese.py --out plots
	$(BIN)/python examples/two_inputs.py --out plots
	$(BIN)/python examples/anomalies.py --out plots
	$(BIN)/python examples/captions.py --out plots
	$(BIN)/python examples/chorales.py --out plots
	$(BIN)/python examples/dates.py --out plots
	$(BIN)/python examples/digits.py --out plots
	$(BIN)/python examples/docstrings.py --out plots
	$(BIN)/python examples/part_of_speech.py --out plots
	$(BIN)/python examples/shares.py --out plots
	$(BIN)/python examples/speakers.py --out plots
	$(BIN)/python examples/spoken_digits.py --out plots
	$(BIN)/python examples/time_series.py --out plots
	$(BIN)/python examples/tracking.py --out plots

test: lint
	@$(MAKE) --no-print-directory $(AT_ONCE) sanitized sanitized-threads $(ALSO) $(addprefix kernels-,$(OTHER_ISAS)) \
	    tests $(FOLDERS) ISAS=$(ISA)
	@echo "== tests that run alone"
	@$(PYTEST) -m "alone and not slow"

tests:
	@echo "== tests of no folder"
	@$(PYTEST) -m "not alone and not slow" $(wildcard tests/test_*.py)

$(FOLDERS):
	@echo "== $@"
	@$(PYTEST) -m "not alone and not slow" $@

kernels-%:
	@echo "== kernels for $*"
	@FASTRNN_ISA=$* $(PYTEST) -m "not slow" -k "not keras and not torch" $(KERNEL_TESTS)

test-full: lint
	@$(MAKE) --no-print-directory sanitized sanitized-threads
	@for isa in $(OTHER_ISAS); do \
	    echo "== all tests for $$isa"; FASTRNN_ISA=$$isa $(PYTEST) || exit 1; done
	@echo "== all tests"
	@$(PYTEST)

sanitize: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	@$(MAKE) --no-print-directory sanitized

sanitize-threads: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	@$(MAKE) --no-print-directory sanitized-threads

# One instruction set, as threads meet in what all share. Python, NumPy and OpenMP are not built for it: what they do
# between each other is left out, and so nothing is suppressed. A report makes the process end with an error.
sanitized-threads:
	$(call build_with,build/sanitize-threads,thread,$(ISA))
	@echo "== threads, sanitized"
	@cd build/sanitize-threads && FASTRNN_ISA=$(ISA) FASTRNN_RACE_SECONDS=4 \
	    TSAN_OPTIONS=ignore_noninstrumented_modules=1 LD_PRELOAD=$$(gcc -print-file-name=libtsan.so) \
	    $(abspath $(BIN))/python -m pytest -q --capture=sys -p no:cacheprovider tests/robustness/test_races.py

# With the compiled kernels as they are, of an instruction set that valgrind knows. Not a part of `make test`: its work is
# that of `sanitized`, which is ten times faster; it also sees what is read before it is written. CPython is not clean
# under it, so only errors with a frame in a file of ours count.
valgrind: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	FASTRNN_ISA=$(firstword $(filter-out avx512,$(ISAS))) PYTHONMALLOC=malloc valgrind --quiet --xml=yes \
	    --xml-file=build/valgrind.xml $(BIN)/python -m tests.robustness.short_list
	$(BIN)/python -m tests.robustness.valgrind_errors build/valgrind.xml

# A build of its own in a folder, by GCC, with these checks and for these instruction sets. The library of the checks must
# be there before Python's first allocation. With few optimizations it compiles in a fraction of the time, and the
# checks are the same. What they find ends the process: pytest must not hold its standard error back.
comma := ,
define build_with
	rm -rf $(1)
	mkdir -p $(1)
	cp -r fastrnn src tests setup.py pyproject.toml $(1)/
	rm -f $(1)/fastrnn/_core/*.so
	sed -i 's/"-O3"/"-O1"/; s/"-g0"/"-g1"/; s/"-Wl,-s"//' $(1)/setup.py
	cd $(1) && CC="gcc -fsanitize=$(2)" FASTRNN_BUILD=$$(echo $(3) | tr " " ,) \
	    $(abspath $(BIN))/python setup.py --quiet build_ext --inplace
endef

sanitized:
	$(call build_with,build/sanitize,address$(comma)undefined -fno-sanitize-recover=undefined,$(ISAS))
	@for isa in $(ISAS); do echo "== kernels for $$isa, sanitized"; \
	    cd $(CURDIR)/build/sanitize && FASTRNN_ISA=$$isa ASAN_OPTIONS=detect_leaks=0 \
	    LD_PRELOAD=$$(gcc -print-file-name=libasan.so) $(abspath $(BIN))/python -m pytest -q --capture=sys \
	    -p no:cacheprovider $(SANITIZED_TESTS) || exit 1; done

CASES ?= 100000

fuzz-kernels: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	@for isa in $(ISAS); do echo "== kernels for $$isa, $(CASES) cases"; \
	    FASTRNN_ISA=$$isa FASTRNN_FUZZ=$(CASES) $(PYTEST) tests/layers/test_kernel_fuzz.py || exit 1; done

include tests/arm64/arm64.mk

RUNS ?= 1000000
FORMATS ?= .safetensors .keras .h5 .weights.h5 .pt legacy.pt torch.safetensors .onnx

fuzz: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	@for format in $(FORMATS); do \
	    $(BIN)/python -X faulthandler -m tests.hostile.fuzz $$format $(RUNS) $$(date +%s) || exit 1; done

bench: $(VENV)/.bench
	@$(MAKE) --no-print-directory install
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/streaming.py

lint: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	$(BIN)/ruff check
	$(BIN)/mypy

# The source distribution, the wheel from that, and the tests from a folder where only the wheel can be imported.
wheel: $(VENV)/.test
	rm -rf dist build/wheel
	$(BIN)/python -m build
	$(BIN)/python -c "import glob, os, zipfile; [path] = glob.glob('dist/*.whl'); size = os.path.getsize(path); \
	    names = zipfile.ZipFile(path).namelist(); \
	    extra = [n for n in names if not n.endswith(('.py', '.pyi', '.pxd', '.h', '.so', 'py.typed')) and '.dist-info/' not in n]; \
	    print(f'{path}: {size / 1e6:.2f} MB, {len(names)} files'); \
	    assert size < 3e6, 'a wheel is to be under 3 MB'; assert not extra, f'needless files in the wheel: {extra}'"
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --disable-pip-version-check --quiet $(TORCH)
	build/wheel/venv/bin/python -m pip install --disable-pip-version-check --quiet "$$(echo dist/*.whl)[test]"
	build/wheel/venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps $(TF_KERAS) $(DATA)
	cp -r tests examples pyproject.toml build/wheel/
	cd build/wheel && venv/bin/python -m pytest -q

# Compiles what has changed since the last time: setuptools' own folder is kept, and no isolated environment is made.
install:
	@$(PIP) --no-build-isolation --no-deps --editable .

$(VENV)/.base: pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and f'fastrnn needs Python 3.11 or newer, and \
	$(PYTHON) is {sys.version.split()[0]}; choose another: make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv $(VENV)
	$(PIP) "setuptools>=77" cython numpy scipy
	@touch $@

$(VENV)/.demo: $(VENV)/.base
	$(PIP) --no-build-isolation --editable ".[examples]"
	$(PIP) --no-deps $(DATA)
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(PIP) $(TORCH)
	$(PIP) --no-build-isolation --editable ".[test,dev]"
	$(PIP) --no-deps $(TF_KERAS) $(DATA)
	@touch $@

# One that this platform has no build of is told in the reports, and keeps nobody from measuring the others.
$(VENV)/.bench: $(VENV)/.test
	$(PIP) --no-build-isolation --editable ".[bench]" || echo "not all of the peers are installed"
	@touch $@

clean:
	rm -rf $(VENV) build dist plots *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f fastrnn/_core/*.so fastrnn/_core/*.pyd
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
