"""Compiler flags, and one extension per instruction set and scalar type; everything else is in pyproject.toml.

Environment variables for a build:
    FASTRNN_BUILD       the instruction sets to build, separated by commas; all of the architecture's if not given
    FASTRNN_NO_OPENMP   1 builds single-threaded kernels even where OpenMP is found
    LIBOMP_PREFIX       macOS: where libomp is installed, if not where Homebrew puts it
"""

import os
import platform
import re
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

# _PYTHON_HOST_PLATFORM: a build for another machine, as CPython's own build and sysconfig name it ("linux-aarch64").
MACHINE = os.environ.get("_PYTHON_HOST_PLATFORM", platform.machine()).split("-")[-1].lower()
if os.environ.get("ARCHFLAGS"):  # a macOS build for another architecture than this one
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
    wanted = os.environ["FASTRNN_BUILD"].split(",")
    if not set(wanted) <= set(TARGETS):
        sys.exit(f"FASTRNN_BUILD={','.join(wanted)}: expected some of {','.join(TARGETS)} on {MACHINE}")
    TARGETS = {name: TARGETS[name] for name in wanted}

# -ffp-contract=fast fuses multiply-adds; the next two only drop errno and traps. Never -ffast-math: it changes
# how the host process treats denormals. -g0 undoes the -g that Python was built with.
FLAGS = [
    "-O3", "-g0", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fno-semantic-interposition",
    "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-psabi",
]  # fmt: skip
# Where Cython looks for what a file names: parts by their folder ("cells/lstm.pxi"), base's team.pxd as `team`, and the
# package's own capi.pxd.
INCLUDED = ["src", "src/base", "."]
DIRECTIVES = {
    "language_level": "3",
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": False,
    "binding": False,
}


def compile_glue_for_size(paths):
    """Have what Cython writes around the kernels compiled for size, as GCC and Clang do with a cold function.

    What takes Python's arguments is half of a module, and runs once a call.
    """
    for path in map(Path, paths):
        text = path.read_text("utf-8")
        cold = re.sub(r"\n(static (?:PyObject \*|int )__pyx_p[wf]_)", r"\n__attribute__((cold)) \1", text)
        path.write_text(cold, "utf-8")


class Build(build_ext):
    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()
        if self.editable_mode:  # setuptools would use a temporary folder, and so compile everything each time
            tag = f"{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
            self.build_lib, self.build_temp = f"build/lib.{tag}", f"build/temp.{tag}"

    def build_extensions(self):
        # Here and not in setup(): a source distribution lists the .pyx, and asking for metadata compiles nothing.
        Options.docstrings = False  # the kernels' are for who reads their sources: six copies would only fill the wheel
        generated = cythonize(
            self.extensions, include_path=INCLUDED, compiler_directives=DIRECTIVES, build_dir="build/cython"
        )
        sources = {extension.name: extension.sources for extension in generated}
        for paths in sources.values():
            compile_glue_for_size(paths)
        if self.compiler.compiler_type == "msvc":
            self.use_clang_cl()
        compile_args, link_args = self.openmp_flags()
        for extension in self.extensions:
            extension.sources = sources[extension.name]
            extension.extra_compile_args += compile_args
            extension.extra_link_args += link_args
        super().build_extensions()

    def use_clang_cl(self):
        """Windows: the vector type needs Clang, which takes GCC's flags behind /clang: and links with LLVM's OpenMP."""
        clang = shutil.which("clang-cl")
        if clang is None:
            sys.exit("fastrnn: clang-cl is needed to build on Windows; install LLVM and put its bin folder on the PATH")
        self.compiler.initialize()
        self.compiler.cc = clang
        self.compiler.add_library_dir(str(Path(clang).parents[1] / "lib"))
        for extension in self.extensions:
            extension.extra_compile_args = [
                f"/clang:{flag}" for flag in extension.extra_compile_args
                if flag not in ("-g0", "-fno-semantic-interposition", "-fvisibility=hidden")
            ]  # fmt: skip

    def openmp_flags(self):
        """Compile and link flags for OpenMP, or those for single-threaded kernels where it is missing."""
        without = ["-Wno-unused-but-set-variable"], []  # the number of threads that Cython's region then ignores
        if os.environ.get("FASTRNN_NO_OPENMP", "0") != "0":
            return without
        flags = ["-fopenmp"], ["-fopenmp"]
        if self.compiler.compiler_type == "msvc":
            flags = ["/clang:-fopenmp"], ["libomp.lib"]
        elif sys.platform == "darwin":
            prefix = os.environ.get("LIBOMP_PREFIX", "/opt/homebrew/opt/libomp")
            flags = ["-Xpreprocessor", "-fopenmp", f"-I{prefix}/include"], [f"-L{prefix}/lib", "-lomp"]
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
            try:
                objects = self.compiler.compile([str(probe)], output_dir=folder, extra_postargs=flags[0])
                self.compiler.link_executable(objects, "probe", output_dir=folder, extra_postargs=flags[1])
            except (CompileError, LinkError):
                print("fastrnn: no OpenMP found; building single-threaded kernels", file=sys.stderr)
                return without
        return flags


def extensions():
    # -s: without it symbols are half of the file.
    link_args = {"linux": ["-Wl,-s"], "darwin": ["-Wl,-x"]}.get(sys.platform, [])
    shared = [str(path) for folder in ("src", "fastrnn") for path in sorted(Path(folder).rglob("*"))
              if path.suffix in (".h", ".pxi", ".pxd")]  # fmt: skip
    for name, folder in {"cpu": "simd", "threads": "base"}.items():
        yield Extension(
            f"fastrnn._core.{name}",
            [f"src/{folder}/{name}.pyx"],
            include_dirs=["src"],
            extra_compile_args=list(FLAGS),
            extra_link_args=list(link_args),
            depends=["setup.py", *shared],
        )
    for target, (width, flags) in TARGETS.items():
        for scalar in ("float32", "float64"):
            yield Extension(
                f"fastrnn._core.kernels_{target}_{scalar}",
                [f"src/simd/kernels_{target}_{scalar}.pyx"],
                include_dirs=["src", "fastrnn/include", numpy.get_include()],
                define_macros=[
                    ("VBYTES", str(width)),
                    ("REAL", "float" if scalar == "float32" else "double"),
                    ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
                ],
                extra_compile_args=FLAGS + flags,
                extra_link_args=list(link_args),
                depends=["setup.py", "src/kernels.pyx", *shared],
            )


setup(ext_modules=list(extensions()), cmdclass={"build_ext": Build})
