"""Compiler flags, and one extension per instruction set and scalar type; everything else is in pyproject.toml.

FASTRNN_BUILD limits the instruction sets that are built (`FASTRNN_BUILD=avx2 pip install -e .`).
"""
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MACHINE = platform.machine().lower()
if os.environ.get("ARCHFLAGS"):                     # a macOS build for another architecture than this one
    MACHINE = os.environ["ARCHFLAGS"].split()[-1]
# instruction set: (vector bytes, flags)
if MACHINE in ("x86_64", "amd64"):
    TARGETS = {
        "baseline": (16, []),
        "avx2": (32, ["-mavx2", "-mfma"]),
        "avx512": (64, ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]),
    }
elif MACHINE in ("aarch64", "arm64"):
    TARGETS = {"neon": (16, [])}
else:
    TARGETS = {"baseline": (16, [])}
if os.environ.get("FASTRNN_BUILD"):
    TARGETS = {name: TARGETS[name] for name in os.environ["FASTRNN_BUILD"].split(",")}

# -ffp-contract=fast fuses multiply-adds; the others only drop errno and traps. Never -ffast-math: it changes
# how the host process treats denormals.
FLAGS = ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fno-semantic-interposition",
         "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-psabi"]


class Build(build_ext):
    def build_extensions(self):
        if self.compiler.compiler_type == "msvc":   # the vector type needs GCC or Clang
            self.compiler.initialize()
            self.compiler.cc = "clang-cl"
            for extension in self.extensions:
                extension.extra_compile_args = [f"/clang:{flag}" if flag.startswith("-") else flag
                                                for flag in extension.extra_compile_args if "visibility" not in flag
                                                and "interposition" not in flag]
        openmp = self.openmp_flags()
        for extension in self.extensions:
            extension.extra_compile_args += openmp[0]
            extension.extra_link_args += openmp[1]
        super().build_extensions()

    def openmp_flags(self):
        """Compile and link flags for OpenMP; empty where it is missing: the library is then single-threaded."""
        if self.compiler.compiler_type == "msvc":
            return ["/clang:-fopenmp"], ["libomp.lib"]
        candidates = [(["-fopenmp"], ["-fopenmp"])]
        if sys.platform == "darwin":
            prefix = os.environ.get("LIBOMP_PREFIX", "/opt/homebrew/opt/libomp")
            candidates = [(["-Xpreprocessor", "-fopenmp", f"-I{prefix}/include"], [f"-L{prefix}/lib", "-lomp"])]
        for compile_args, link_args in candidates:
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder, "probe.c")
                source.write_text("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
                command = [*self.compiler.compiler_so, *compile_args, str(source), "-o", str(Path(folder, "probe")),
                           *link_args]
                if subprocess.run(command, capture_output=True).returncode == 0:
                    return compile_args, link_args
        print("fastrnn: no OpenMP found; building single-threaded kernels", file=sys.stderr)
        return [], []


def extensions():
    for target, (width, flags) in TARGETS.items():
        for scalar in ("float32", "float64"):
            yield Extension(
                f"fastrnn._core.kernels_{target}_{scalar}",
                [f"src/kernels_{target}_{scalar}.pyx"],
                include_dirs=["src", numpy.get_include()],
                define_macros=[("VBYTES", str(width)), ("REAL", "float" if scalar == "float32" else "double"),
                               ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"), ("CYTHON_USE_MODULE_STATE", "0")],
                extra_compile_args=FLAGS + flags,
                depends=[str(p) for p in Path("src").glob("*.p*")] + ["src/simd.h"],
            )


DIRECTIVES = {"language_level": "3", "boundscheck": False, "wraparound": False, "cdivision": True,
              "initializedcheck": False, "embedsignature": False, "binding": False}
setup(ext_modules=cythonize(list(extensions()), include_path=["src"], compiler_directives=DIRECTIVES,
                            build_dir="build/cython"),
      cmdclass={"build_ext": Build})
