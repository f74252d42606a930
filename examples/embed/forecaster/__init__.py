# SPDX-License-Identifier: Apache-2.0
"""Forecasts of the tide, by a model inside an extension."""

from pathlib import Path

from forecaster.forecast import Forecaster
from forecaster.forecast_cython import Forecaster as CythonForecaster

__all__ = ["MODEL", "CythonForecaster", "Forecaster"]

#: The file of the model that the package has.
MODEL = Path(__file__).with_name("model.safetensors")
