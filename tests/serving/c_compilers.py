# SPDX-License-Identifier: Apache-2.0
"""The compilers that exported C is tried by, and their strictest options."""

from __future__ import annotations

import os
import shutil
import subprocess

COMPILERS = ("gcc", "clang")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion", "-Wshadow", "-Wmissing-prototypes",
          "-Wdouble-promotion"]
SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compiler(name: str) -> str:
    """The path of a compiler; a test that needs one that is not there fails."""
    path = shutil.which(name)
    assert path, f"{name} is not installed, and these tests compile by it: apt-get install {name}"
    return path


def compiled(name: str, folder, *arguments: str) -> str:
    """A program of these files and options; whatever a compiler says is an error."""
    target = os.path.join(folder, f"program-{name}")
    run = subprocess.run([compiler(name), *arguments, "-lm", "-o", target], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0 and not run.stderr, run.stderr[:4000]
    return target
