# SPDX-License-Identifier: Apache-2.0
#
# `make test-arm64`: the wheel for 64-bit Arm, built on another machine and tested under emulation. Included by the Makefile.
#
# Needs Debian 12, Ubuntu 24.04 or newer, with root's rights where packages are missing (tests/arm64/packages). What it makes
# stays in build/arm64/ for the next run:
#   root/      Arm's Python, as the distribution has it, and in its dist-packages NumPy, SciPy and the wheel
#   host/      this machine's Python of the same version, which builds the wheel
#   source/    the sources, and objects
#   tests/     the tests, in a folder from which only the installed package can be imported
# The emulator does not reorder loads and stores as Arm's processors may: only they can show that a barrier is missing.
#
# To choose: ARM64_TESTS (test files or any arguments of pytest), ARM64_EVERY (13 runs each 13th test).

# What needs neither Keras nor PyTorch: the kernels of each layer, loss and update, threads, files. Further kernels' tests go here.
ARM64_TESTS ?= $(addprefix tests/,test_pointwise.py test_kernel_arrays.py test_team.py \
    layers/test_recurrent_gradients.py layers/test_recurrent_properties.py layers/test_contract.py layers/test_threads.py \
    layers/test_bad_input.py layers/convolution/test_kernels.py losses/test_crossentropy_kernel.py \
    losses/test_ctc_kernel.py optimizers/test_optimizers.py models/test_line.py saving/test_files.py \
    saving/test_round_trips.py serving/test_streaming.py)
ARM64_EVERY ?= 1

ARM64 := build/arm64
ARM64_ROOT := $(ARM64)/root
ARM64_SITE := $(ARM64_ROOT)/usr/lib/python3/dist-packages
ARM64_SOURCES = setup.py pyproject.toml $(shell find src fastrnn -name "*.py*" -not -name "*.pyc" -o -name "*.pxi" \
    -o -name "*.pxd" -o -name "*.h")
# pip's names of what runs on the C library of these distributions, from the newest.
ARM64_PIP = $(ARM64)/host/bin/python -m pip install --disable-pip-version-check --quiet --upgrade --target $(ARM64_SITE) \
    --only-binary=:all: $(addprefix --platform ,manylinux_2_28_aarch64 manylinux_2_27_aarch64 manylinux2014_aarch64 \
    linux_aarch64)

.PHONY: test-arm64

ifeq ($(shell uname -m),aarch64)
test-arm64:
	@echo "this machine runs arm64 itself: make test has tested its kernels"
else
test-arm64: $(ARM64)/.wheel
	@echo "== kernels for neon, emulated: each of $(ARM64_EVERY) tests"
	@rm -rf $(ARM64)/tests
	@mkdir $(ARM64)/tests
	@cp -r tests pyproject.toml $(ARM64)/tests/
	@cd $(ARM64)/tests && ../root/usr/bin/python -m fastrnn && ../root/usr/bin/python -m pytest -q \
	    -m "not alone and not slow" -p tests.arm64.sample --every $(ARM64_EVERY) $(ARM64_TESTS)
endif

$(ARM64)/.packages: tests/arm64/packages
	@tests/arm64/packages
	@mkdir -p $(ARM64)
	@touch $@

# Extracted only, as there is nobody to run Arm's installation scripts. tests/arm64/python takes the place of a name of Python
# that Debian leaves free.
$(ARM64)/.root: $(ARM64)/.packages tests/arm64/python
	rm -rf $(ARM64_ROOT)
	. /etc/os-release && mmdebstrap --quiet --architectures=arm64 --variant=extract \
	    --include=python3,libpython3-dev,libgomp1,libstdc++6 $$VERSION_CODENAME $(ARM64_ROOT).tar
	mkdir $(ARM64_ROOT)
	tar --extract --file $(ARM64_ROOT).tar --directory $(ARM64_ROOT) --exclude ./dev
	rm $(ARM64_ROOT).tar
	cp tests/arm64/python $(ARM64_ROOT)/usr/bin/python
	mkdir -p $(ARM64)/sysconfig
	cp $(ARM64_ROOT)/usr/lib/python3.*/_sysconfigdata__aarch64-linux-gnu.py $(ARM64)/sysconfig/
	@touch $@

# /usr/bin/python3 and the root's are of one release of the distribution, so of one version.
$(ARM64)/.host: $(ARM64)/.root pyproject.toml
	/usr/bin/python3 -m venv --clear $(ARM64)/host
	$(ARM64)/host/bin/python -m pip install --disable-pip-version-check --quiet "setuptools>=77" cython numpy
	$(ARM64_PIP) numpy scipy pytest hypothesis autograd h5py onnx scikit-learn
	@touch $@

# A cross build as sysconfig knows it: it takes the compiler, its flags and the names of modules from the other Python's
# data. Arm's headers come before those of this machine.
$(ARM64)/.wheel: $(ARM64)/.host $(ARM64_SOURCES)
	rm -rf $(ARM64)/source/src $(ARM64)/source/fastrnn $(ARM64)/wheel
	mkdir -p $(ARM64)/source/build
	find $(ARM64)/source/build -name "*.py*" -delete
	cp -rp src fastrnn setup.py pyproject.toml README.md LICENSE MANIFEST.in $(ARM64)/source/
	rm -f $(ARM64)/source/fastrnn/_core/*.so
	cd $(ARM64)/source && PYTHONPATH=$(abspath $(ARM64)/sysconfig) _PYTHON_HOST_PLATFORM=linux-aarch64 \
	    _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata__aarch64-linux-gnu FASTRNN_BUILD=neon \
	    CFLAGS="-I$(abspath $(ARM64_SITE))/numpy/_core/include -I$$(echo $(abspath $(ARM64_ROOT))/usr/include/python3.*) \
	    -idirafter $(abspath $(ARM64_ROOT))/usr/include" $(abspath $(ARM64))/host/bin/python -m pip wheel --quiet \
	    --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir ../wheel .
	$(ARM64_PIP) --no-deps $(ARM64)/wheel/*.whl
	@touch $@
