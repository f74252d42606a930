# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: what it imports and in which direction, its command line, its documentation."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import fastrnn
from fastrnn import _core

PACKAGE = Path(fastrnn.__file__).parent

#: As docs/architecture.md and CONTRIBUTING.md say it, too. Before the list comes `_version`, after it the
#: public names of `__init__.py` and `__main__`.
RULE = """
A module imports, at the top of its file, only what comes before it in this list, or what stands beside it between the
same bars where that closes no circle; imports for types alone count as well:
`_core`, `arrays`, `ranks`, `registered`, `registry`, `runtime`, `spellings`, `config`, `mixed_precision` | `graph` |
`activations`, `initializers`, `regularizers`, `constraints` | `layers` | `losses`, `metrics`, `optimizers` | `ops`,
`tree`, `random`, `backend` | `training` | `callbacks` | `serving` | `models`, `saving` | `generation`,
`preprocessing`, `utils`, `datasets`, `sklearn`, `capi` | `distribution`
"""
ORDER = [["_version"], *(re.findall(r"`(\w+)`", place) for place in RULE.split("|")), ["fastrnn"], ["__main__"]]
#: Imports for types alone that point the other way.
TYPES_AHEAD = {("fastrnn.training.loop", "fastrnn.callbacks.callback_list")}    # the CallbackList that a run calls
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}

INTERNAL = ["registry.py", "registered.py", "arrays.py", "graph"]

# Each of these costs more than its use at import is worth.
HEAVY = ["scipy", "matplotlib", "json", "csv", "tempfile", "subprocess", "shutil", "random", "pickle", "unittest",
         "asyncio", "multiprocessing", "concurrent", "logging", "argparse", "importlib.metadata"]  # fmt: skip


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with this package on its path and these variables added to the environment."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FASTRNN_")}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True,
                          env={**kept, "PYTHONPATH": path, **environment})  # fmt: skip


def modules() -> list[str]:
    """Every module of the package, without the compiled ones."""
    found = pkgutil.walk_packages([str(PACKAGE)], "fastrnn.")
    return ["fastrnn", *(m.name for m in found if not m.name.startswith("fastrnn._core."))]


def public_modules() -> list[str]:
    return [name for name in modules() if not any(part.startswith("_") for part in name.split("."))]


class Import(NamedTuple):
    """An import of a module of this package: at run time, or for a type checker alone; inside a function or not."""

    target: str
    nested: bool
    for_types: bool


class TestImports:
    """Imports point back in the list of `RULE`, in no circle, from the top of each file."""

    @staticmethod
    def source_of(module: str) -> Path:
        path = PACKAGE.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    @classmethod
    def imports_of(cls, module: str) -> Iterator[Import]:
        """What a module imports of this package."""
        known = set(modules())

        def visit(node: ast.AST, nested: bool, for_types: bool) -> Iterator[Import]:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                for_types = True
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, nested, for_types) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = module.split(".") if cls.source_of(module).name == "__init__.py" else module.split(".")[:-1]
                    base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
                for alias in node.names:
                    name = f"{base}.{alias.name}"
                    yield Import(name if name in known else base, nested, for_types)
            inside = nested or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from visit(child, inside, for_types)

        for name, nested, for_types in visit(ast.parse(cls.source_of(module).read_text("utf-8")), False, False):
            if name.split(".")[0] == "fastrnn":
                yield Import("fastrnn._core" if name.startswith("fastrnn._core") else name, nested, for_types)

    @staticmethod
    def level(module: str) -> int:
        name = module.split(".")[1] if "." in module else module
        assert name in LEVEL, f"fastrnn.{name} has no place in ORDER"
        return LEVEL[name]

    @pytest.mark.parametrize("module", modules())
    def test_point_back_in_the_list(self, module):
        for target, nested, for_types in self.imports_of(module):
            if not (for_types and (module, target) in TYPES_AHEAD):
                assert self.level(target) <= self.level(module), f"{module} imports {target}, which comes after it"
            # The public names are the one exception: those are imported when they are first asked for.
            assert not nested or module == "fastrnn", f"{module} imports {target} inside a function"

    @pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
    def test_documents_say_the_same(self, document):
        path = Path(__file__).parents[1] / document
        if not path.is_file():
            pytest.skip("the tests are by themselves, without the documents")
        assert " ".join(RULE.split()) in " ".join(path.read_text("utf-8").split())

    def test_exceptions_are_needed(self):
        found = {(module, target) for module, _ in TYPES_AHEAD for target, _, _ in self.imports_of(module)}
        assert found >= TYPES_AHEAD

    def test_make_no_circle(self):
        """Nor do those for type checkers alone: whoever reads one file of a circle has to read all."""
        graph = {module: {found.target for found in self.imports_of(module)} - {module} for module in modules()}
        done: set[str] = set()

        def visit(module: str, path: list[str]) -> None:
            assert module not in path, " -> ".join([*path[path.index(module) :], module])
            if module not in done:
                for target in sorted(graph.get(module, ())):
                    visit(target, [*path, module])
                done.add(module)

        for module in graph:
            visit(module, [])

    def test_nothing_heavy_at_import(self):
        code = (
            "import sys, numpy; before = set(sys.modules); import fastrnn; "
            "print(*(set(sys.modules) - before), sep='\\n')"
        )
        run = python("-c", code)
        assert run.returncode == 0, run.stderr
        loaded = set(run.stdout.split())
        assert "fastrnn" in loaded
        assert sorted(loaded & set(HEAVY)) == []

    def test_every_module_by_itself(self):
        """Whichever module a program imports first, it works."""
        code = (
            "import importlib, sys\n"
            "for name in sys.argv[1:]:\n"
            "    for loaded in [m for m in sys.modules if m.startswith('fastrnn') and '_core' not in m]:\n"
            "        del sys.modules[loaded]\n"
            "    importlib.import_module(name)\n"
        )
        run = python("-c", code, *modules())
        assert run.returncode == 0, run.stderr

    def test_public_modules_after_one_import(self):
        names = [n for n in os.listdir(PACKAGE) if n.removesuffix(".py") in LEVEL and not n.startswith("_")]
        names = sorted(n.removesuffix(".py") for n in names if n not in INTERNAL)
        run = python("-c", "import sys, fastrnn\nfor name in sys.argv[1:]: getattr(fastrnn, name)", *names)
        assert run.returncode == 0, run.stderr


class TestAbsentNames:
    """A name that Keras has and fastrnn has not, or a typing error: what there is, in every module of Keras's names."""

    @pytest.mark.parametrize(("module", "name", "near", "there"), [
        ("layers", "HashedCrossing", None, "LayerNormalization"), ("layers", "LTSM", "LSTM", "GRU"),
        ("layers", "Bidirektional", "Bidirectional", "GRU"), ("models", "Modle", "Model", "Sequential"),
        ("optimizers", "Adamw", "AdamW", "SGD"), ("optimizers.schedules", "CosineDecy", "CosineDecay", "Polynomial"),
        ("losses", "MeanSquareError", "MeanSquaredError", "Huber"), ("metrics", "Rouge", None, "AUC"),
        ("callbacks", "OrbaxCheckpoint", "ModelCheckpoint", "EarlyStopping"),
        ("callbacks", "EarlyStoping", "EarlyStopping", "History"),
        ("initializers", "GlorotUniformm", "GlorotUniform", "Orthogonal"), ("activations", "tahn", "tanh", "relu"),
        ("constraints", "MaxNorn", "MaxNorm", "NonNeg"), ("regularizers", "L1l2", "L1L2", "L2"),
        ("utils", "to_categorial", "to_categorical", "set_random"), ("saving", "load_modle", "load_model", "convert"),
        ("preprocessing", "image", None, "sequence"), ("preprocessing.text", "Tokeniser", "Tokenizer", "tokenizer_"),
        ("preprocessing.sequence", "pad_sequence", "pad_sequences", "pad_"), ("", "layer", "Layer", "Sequential"),
    ])  # fmt: skip
    def test_say_what_there_is(self, module, name, near, there):
        path = ".".join(["fastrnn", *filter(None, [module])])
        loaded = importlib.import_module(path)
        with pytest.raises(AttributeError) as error:
            getattr(loaded, name)
        said, _, names = str(error.value).partition("; it has ")
        assert said.startswith(f"module '{path}' has no attribute '{name}'")
        assert (f"did you mean '{near}'" in said) == (near is not None) == ("did you mean" in said)
        assert there in names
        assert not hasattr(loaded, name)
        with pytest.raises(ImportError, match=name):
            exec(f"from {path} import {name}")

    @pytest.mark.parametrize("module", public_modules())
    def test_and_all_that_is_there_is_found(self, module):
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", ()):
            assert getattr(loaded, name) is not None


class TestDocumentation:
    @pytest.mark.parametrize("module", modules())
    def test_examples_run(self, module):
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        result = doctest.testmod(importlib.import_module(module), optionflags=flags)
        assert result.failed == 0

    @pytest.mark.parametrize("module", public_modules())
    def test_public_names_are_documented(self, module):
        loaded = importlib.import_module(module)
        missing = [] if loaded.__doc__ else [module]
        for name, thing in vars(loaded).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module:
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                if not inspect.getdoc(thing):
                    missing.append(name)
            if inspect.isclass(thing):
                for method, function in vars(thing).items():
                    if not method.startswith("_") and callable(function) and not inspect.getdoc(getattr(thing, method)):
                        missing.append(f"{name}.{method}")
        assert missing == []


# The look-ups that each kind of object has: what they share is in `fastrnn.registry.Registry`.
LOOK_UPS = ("get", "serialize", "deserialize")
# What the package's own modules share.
INNER = {"fastrnn.arrays", "fastrnn.registry"}
# What a program calls on a model.
METHODS = ["add", "build", "compile", "evaluate", "fit", "get_layer", "load_weights", "predict", "predict_on_batch",
           "save", "save_weights", "set_weights", "summary", "test_on_batch", "train_on_batch"]  # fmt: skip


def public_functions() -> dict[str, Callable[..., object]]:
    """The functions that modules offer by their `__all__`, by the name that a program calls them by."""
    found: dict[Callable[..., object], str] = {}
    for module in map(importlib.import_module, sorted(set(public_modules()) - INNER)):
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isfunction(thing) and name not in LOOK_UPS:
                found.setdefault(thing, f"{module.__name__}.{name}")
    return {name: thing for thing, name in found.items()}


class TestDocstrings:
    """Each public function says what its arguments are, and has an example; or it says where that is written."""

    @staticmethod
    def check(function: Callable[..., object]) -> None:
        text = inspect.getdoc(function) or ""
        if re.search(r"; see `[\w.]+`", text):
            return
        names = [p.name for p in inspect.signature(function).parameters.values()
                 if p.kind is not p.VAR_KEYWORD and p.name != "self"]
        # Whose arguments are Keras's, and said once.
        if function.__module__.startswith(("fastrnn.ops.", "fastrnn.random.", "fastrnn.backend.")):
            assert ">>> " in text, "an example"
            return
        head, _, arguments = text.partition("Args:\n")
        assert [name for name in names if not re.search(rf"^ +[\w, ]*\b{name}\b[^:]*:", arguments, re.MULTILINE)] == []
        assert not names or ">>> " in text, "an example"
        if re.search(r"^ +raise \w+Error", inspect.getsource(function), re.MULTILINE):
            assert "Raises:\n" in arguments or "Raises:\n" in head

    @pytest.mark.parametrize("function", public_functions().values(), ids=public_functions())
    def test_functions(self, function):
        self.check(function)

    @pytest.mark.parametrize("method", METHODS)
    def test_methods_of_a_model(self, method):
        self.check(getattr(fastrnn.Sequential, method))


class TestCommandLine:
    def test_show_config(self, capsys):
        fastrnn.show_config()
        lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if "set" not in line)
        assert lines["fastrnn"] == fastrnn.__version__
        assert set(lines) >= {"Python", "NumPy", "processor", "threads", "BLAS"}
        assert lines["threads"].split()[0] == str(fastrnn.get_num_threads())
        assert all(value.strip() for value in lines.values())
        assert "unknown" not in lines["BLAS"]

    def test_show_config_names_the_instruction_set(self, capsys):
        fastrnn.show_config()
        out = capsys.readouterr().out
        assert f"instruction set  {_core.isa} (available: {', '.join(_core.available)})" in out

    @pytest.mark.parametrize("arguments", [[], ["config"]])
    def test_module_prints_the_configuration(self, arguments):
        run = python("-m", "fastrnn", *arguments)
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith(f"fastrnn          {fastrnn.__version__}\n")
        assert "instruction set" in run.stdout

    def test_version(self):
        run = python("-m", "fastrnn", "--version")
        assert (run.returncode, run.stdout) == (0, f"fastrnn {fastrnn.__version__}\n")

    def test_unknown_command(self):
        run = python("-m", "fastrnn", "fly")
        assert run.returncode == 2
        assert "fly" in run.stderr


class TestInstructionSet:
    """FASTRNN_ISA forces an instruction set, or fails: it never falls back."""

    def test_the_best_one_without_it(self):
        run = python("-c", "from fastrnn import _core; print(_core.isa)", FASTRNN_ISA="")
        assert run.stdout.strip() == _core.available[0], run.stderr

    @pytest.mark.parametrize("isa", _core.available)
    def test_each_available_one(self, isa):
        code = "import fastrnn; from fastrnn import _core; print(_core.isa, _core.kernels('float32').__name__)"
        run = python("-c", code, FASTRNN_ISA=isa)
        assert run.stdout.split() == [isa, f"fastrnn._core.kernels_{isa}_float32"], run.stderr

    @pytest.mark.parametrize("isa", [name for name in _core.KNOWN if name not in _core.available])
    def test_unsupported(self, isa):
        run = python("-c", "import fastrnn", FASTRNN_ISA=isa)
        assert run.returncode != 0
        assert f"ImportError: FASTRNN_ISA='{isa}': " in run.stderr
        assert f"available: {', '.join(_core.available)}" in run.stderr

    @pytest.mark.parametrize("isa", ["sse9", "AVX2", " avx2", "avx2,avx512", "../avx2"])
    def test_unknown(self, isa):
        run = python("-c", "import fastrnn", FASTRNN_ISA=isa)
        assert run.returncode != 0
        assert f"ImportError: FASTRNN_ISA={isa!r}: there is no such instruction set" in run.stderr

    @pytest.mark.skipif("baseline" not in _core.built, reason="the baseline kernels are not built here")
    def test_the_built_but_unsupported(self):
        """What a processor without wide vectors says, on any processor."""
        code = (
            "import os, sys\n"
            "from fastrnn._core import cpu\n"
            "for name in [m for m in sys.modules if m.startswith('fastrnn') and m != 'fastrnn._core.cpu']:\n"
            "    del sys.modules[name]\n"
            "cpu.instruction_sets = lambda: ('baseline',)\n"
            "os.environ['FASTRNN_ISA'] = sys.argv[1]\n"
            "import fastrnn\n"
        )
        built = next((name for name in _core.built if name != "baseline"), None)
        if built is None:
            pytest.skip("only the baseline is built here")
        run = python("-c", code, built)
        assert run.returncode != 0
        assert f"FASTRNN_ISA='{built}': this processor does not support it; available: baseline" in run.stderr


class TestThreads:
    @pytest.mark.parametrize(
        "environment, expected",
        [
            ({"FASTRNN_NUM_THREADS": "3"}, "3"),
            ({"OMP_NUM_THREADS": "5"}, "5"),
            ({"FASTRNN_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, "3"),
        ],
    )
    def test_environment(self, environment, expected):
        run = python("-c", "import fastrnn; print(fastrnn.get_num_threads())", **environment)
        assert run.stdout.strip() == expected, run.stderr

    @pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
    def test_bad_environment(self, text):
        run = python("-c", "import fastrnn", FASTRNN_NUM_THREADS=text)
        assert run.returncode != 0
        assert f"FASTRNN_NUM_THREADS={text!r}: expected a positive whole number" in run.stderr
