# SPDX-License-Identifier: Apache-2.0
"""Two extensions that need fastrnn's header; Cython finds fastrnn's .pxd where the package is."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import fastrnn

in_c = Extension("forecaster.forecast", ["forecaster/forecast.c"], include_dirs=[fastrnn.get_include()])
in_cython = Extension("forecaster.forecast_cython", ["forecaster/forecast_cython.pyx"],
                      include_dirs=[fastrnn.get_include()])  # fmt: skip
site = str(Path(fastrnn.__file__).parents[1])

setup(ext_modules=[in_c, *cythonize([in_cython], include_path=[site], language_level=3)])
