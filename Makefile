# Each target makes the virtual environment that it needs. To choose: PYTHON (3.11 or newer), VENV (its folder), and
# TORCH (what pip installs as PyTorch, before anything else could ask for another build of it).
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
# Keras 2, whose files the tests load. By itself it would ask for a second build of TensorFlow.
TF_KERAS ?= tf-keras

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
# are left to `make test-full`.
JOBS ?= 2
FOLDERS := $(shell find tests -mindepth 2 -name "test_*.py" | cut -d/ -f1,2 | sort -ru)
KERNEL_TESTS := tests/layers $(wildcard tests/test_activations*.py tests/test_pointwise.py)
AT_ONCE := -j$(JOBS) $(if $(filter output-sync,$(.FEATURES)),--output-sync)

# What the kernels with sanitizers run: every cell and option on odd sizes and threads, and bad input. Not the peers, which
# do not load beside them.
SANITIZED_TESTS := $(addprefix tests/,layers/test_threads.py layers/test_recurrent_gradients.py layers/test_bad_input.py \
    layers/test_copies.py test_pointwise.py test_blas.py)

.PHONY: help demo test test-full tests $(FOLDERS) sanitize sanitized fuzz bench lint wheel install clean

help:
	@echo "make demo       run the examples: plots in plots/, predictions on the screen"
	@echo "make test       lint, then all tests but those that only take larger samples"
	@echo "make test-full  lint, then all tests for each instruction set of this processor"
	@echo "make sanitize   the kernels' tests with checks of every memory access and of undefined behaviour"
	@echo "make fuzz       a million changed files for each reader of models (RUNS=... for another number)"
	@echo "make bench      speed beside the machine's limit, PyTorch and Keras"
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
	$(BIN)/python examples/dates.py --out plots
	$(BIN)/python examples/digits.py --out plots
	$(BIN)/python examples/docstrings.py --out plots
	$(BIN)/python examples/time_series.py --out plots
	$(BIN)/python examples/tracking.py --out plots

test: lint
	@$(MAKE) --no-print-directory $(AT_ONCE) sanitized $(addprefix kernels-,$(OTHER_ISAS)) tests $(FOLDERS) ISAS=$(ISA)
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
	@$(MAKE) --no-print-directory sanitized
	@for isa in $(OTHER_ISAS); do \
	    echo "== all tests for $$isa"; FASTRNN_ISA=$$isa $(PYTEST) || exit 1; done
	@echo "== all tests"
	@$(PYTEST)

sanitize: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	@$(MAKE) --no-print-directory sanitized

# A build of its own, by GCC, whose library of checks must be there before Python's first allocation. With few
# optimizations it compiles in a fraction of the time, and the checks are the same. What they find ends the process:
# pytest must not hold its standard error back.
sanitized:
	rm -rf build/sanitize
	mkdir -p build/sanitize
	cp -r fastrnn src tests setup.py pyproject.toml build/sanitize/
	rm -f build/sanitize/fastrnn/_core/*.so
	sed -i 's/"-O3"/"-O1"/' build/sanitize/setup.py
	cd build/sanitize && CC="gcc -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
	    FASTRNN_BUILD=$$(echo $(ISAS) | tr " " ,) $(abspath $(BIN))/python setup.py --quiet build_ext --inplace
	@for isa in $(ISAS); do echo "== kernels for $$isa, sanitized"; \
	    cd $(CURDIR)/build/sanitize && FASTRNN_ISA=$$isa ASAN_OPTIONS=detect_leaks=0 \
	    LD_PRELOAD=$$(gcc -print-file-name=libasan.so) $(abspath $(BIN))/python -m pytest -q --capture=sys \
	    -p no:cacheprovider $(SANITIZED_TESTS) || exit 1; done

RUNS ?= 1000000
FORMATS ?= .safetensors .keras .h5 .weights.h5 .pt legacy.pt torch.safetensors .onnx

fuzz: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	@for format in $(FORMATS); do \
	    $(BIN)/python -X faulthandler -m tests.hostile.fuzz $$format $(RUNS) $$(date +%s) || exit 1; done

bench: $(VENV)/.test
	@$(MAKE) --no-print-directory install
	$(BIN)/python benchmarks/compare.py

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
	build/wheel/venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps $(TF_KERAS)
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
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(PIP) $(TORCH)
	$(PIP) --no-build-isolation --editable ".[test,dev]"
	$(PIP) --no-deps $(TF_KERAS)
	@touch $@

clean:
	rm -rf $(VENV) build dist plots *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f fastrnn/_core/*.so fastrnn/_core/*.pyd
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
