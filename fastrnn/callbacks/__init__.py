# SPDX-License-Identifier: Apache-2.0
"""Callbacks: watch a run, stop it, or change it under way."""

from typing import TYPE_CHECKING

from fastrnn.callbacks.backup_and_restore import BackupAndRestore
from fastrnn.callbacks.base import Callback
from fastrnn.callbacks.callback_list import CallbackList
from fastrnn.callbacks.csv_logger import CSVLogger
from fastrnn.callbacks.early_stopping import EarlyStopping
from fastrnn.callbacks.history import History
from fastrnn.callbacks.lambda_callback import LambdaCallback
from fastrnn.callbacks.learning_rate_scheduler import LearningRateScheduler
from fastrnn.callbacks.model_checkpoint import ModelCheckpoint
from fastrnn.callbacks.progress import ProgbarLogger
from fastrnn.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from fastrnn.callbacks.remote_monitor import RemoteMonitor
from fastrnn.callbacks.swap_ema_weights import SwapEMAWeights
from fastrnn.callbacks.tensorboard import TensorBoard
from fastrnn.callbacks.terminate_on_nan import TerminateOnNaN
from fastrnn.registry import absent_from

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)
