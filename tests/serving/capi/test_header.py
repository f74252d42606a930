# SPDX-License-Identifier: Apache-2.0
"""The header: for each compiler and standard, its codes and its version, the .pxd beside it, and Rust."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from tests.serving.capi.library import CODES, FOLDER, Library, compile_c
from tests.serving.capi.sessions import Outputs, lstm
from tests.serving.recipes import WIDTH

HEADER = (Path(fastrnn.get_include()) / "fastrnn.h").read_text("utf-8")


class TestHeader:
    @pytest.mark.parametrize("compiler", ["gcc", "g++", "clang", "clang++"])
    @pytest.mark.parametrize("standard", [99, 11, 17])
    def test_compiles_without_a_warning(self, compiler, standard, tmp_path):
        if compiler.startswith("clang") and shutil.which(compiler) is None:
            pytest.skip("GCC's are enough where there is no Clang")
        cpp = compiler.endswith("++")
        if cpp and standard == 99:
            standard = 20
        source = tmp_path / f"probe.{'cpp' if cpp else 'c'}"
        source.write_text('#include <fastrnn.h>\nint probe(void);\nint probe(void) { return fastrnn_import(); }\n')
        compile_c(source, tmp_path / "probe.so", f"-std={'c++' if cpp else 'c'}{standard}", compiler=compiler)

    def test_every_code_has_a_text(self, c):
        codes = {name: int(value) for name, value in re.findall(r"^  FASTRNN_(\w+) = (\d+),?$", HEADER, re.MULTILINE)}
        assert codes == CODES
        texts = [c.library.check_error_text(code).decode() for code in codes.values()]
        assert len(set(texts)) == len(codes)
        assert c.library.check_error_text(99).decode() == "no code of fastrnn's"
        assert not {"no code of fastrnn's", ""} & set(texts)

    def test_the_pxd_declares_all(self):
        declared = (Path(fastrnn.__file__).parent / "capi.pxd").read_text("utf-8")
        public = set(re.findall(r"\b(fastrnn_\w+)\(", HEADER)) | set(re.findall(r"\b(FASTRNN_\w+) = ", HEADER))
        inner = {"fastrnn_take_capsule", "fastrnn_failure", "fastrnn_call", "fastrnn_take_error"}
        assert {name for name in public - inner if not re.search(rf"\b{name}\b", declared)} == set()

    def test_another_version_is_refused(self, c, tmp_path):
        """An extension that was compiled for a later header."""
        (tmp_path / "include").mkdir()
        (tmp_path / "include" / "fastrnn.h").write_text(
            HEADER.replace("#define FASTRNN_VERSION 1", "#define FASTRNN_VERSION 2"), "utf-8")
        compile_c(FOLDER / "checks.c", tmp_path / "later.so", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pthread",
                  include=tmp_path / "include")
        with pytest.raises(ImportError, match="compiled for version 2 of fastrnn's C interface, and found 1"):
            Library(tmp_path / "later.so").holding.check_import()


@pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no Rust compiler")
def test_rust(c, tmp_path):
    """A language without C's headers has the structs and what they point to."""
    run = subprocess.run(["rustc", "--crate-type", "cdylib", "-O", "-A", "dead_code", str(FOLDER / "steps.rs"), "-o",
                          str(tmp_path / "steps.so")], capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stderr
    rust = ctypes.CDLL(str(tmp_path / "steps.so"))
    frozen = lstm().freeze()
    model = c.from_python(frozen)
    stream = c.stream(model, 1, 1, 1)
    x, out = np.random.default_rng(0).standard_normal((1, 20, WIDTH)).astype("float32"), Outputs(1, 20, 3)
    number = ctypes.c_int64
    assert rust.rust_steps(stream, number(20), number(WIDTH), number(3), ctypes.c_void_p(x.ctypes.data),
                           ctypes.c_void_p(out.y.ctypes.data)) == 0
    assert np.array_equal(out.y, frozen.stream().feed(x))
    c.free(model, stream)
