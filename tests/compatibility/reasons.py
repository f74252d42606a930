# SPDX-License-Identifier: Apache-2.0
"""Why something differs from Keras, and what to use in place of what is absent: all that the page says beside names.

Names are patterns, as files have them; the first that fits counts. Every row must fit something: one that no longer
does is to be taken out.
"""

from __future__ import annotations

#: By name: what is different, though the arguments may be the same.
DIFFERENT: dict[str, str] = {
    "layers.SimpleRNN": "applies `activity_regularizer`, which Keras 3.15 forgets",
    "layers.Bidirectional": "with `unroll` and a mask the backward layer's outputs lose the steps that the mask leaves "
                            "out; Keras takes the mask the wrong way round",
    "layers.RNN": "`trainable=False` freezes the cells, too; a user's own cell runs step by step",
    "layers.StringLookup": "with `invert=True` gives `str`, not bytes",
    "layers.GlobalAveragePooling1D": "gives zeros where no step counts, not NaN",
    "layers.GlobalAvgPool1D": "gives zeros where no step counts, not NaN",
    "layers.UpSampling2D": "`interpolation` is \"nearest\" or \"bilinear\"",
    "layers.MultiHeadAttention": "`attention_axes` is 1 alone, the axis of the steps",
    "layers.Layer": "a `call` of the user's own trains with the package autograd; arguments are keywords",
    "layers.Lambda": "trains with the package autograd",
    "losses.CTC": "takes the layer's mask as the lengths of the predictions",
    "losses.get": "names such as \"accuracy\" are chosen by shapes, which are further arguments",
    "metrics.*IoU": "keeps fractional weights, which Keras cuts down to whole numbers",
    "activations.sparsemax": "follows the paper (Martins and Astudillo 2016)",
    "models.Model": "`fit` on a finished generator stops; `train_step` overrides are an error that names "
                    "`train_on_batch` and `add_loss`",
    "Model": "`fit` on a finished generator stops; `train_step` overrides are an error that names `train_on_batch` and "
             "`add_loss`",
    "KerasTensor": "`Input` and calls on symbols make them, nobody else",
    "Variable": "holds an array; `add_weight` makes a layer's",
    "ops.map": "runs eagerly, in Python",
    "ops.scan": "runs eagerly, in Python",
    "ops.while_loop": "runs eagerly, in Python",
    "ops.fori_loop": "runs eagerly, in Python",
    "ops.cond": "runs eagerly, in Python",
    "ops.switch": "runs eagerly, in Python",
    "ops.vectorized_map": "runs eagerly, in Python",
    "callbacks.ProgbarLogger": "takes the stream to write to",
}

#: By argument: why it is not taken.
ARGUMENTS: dict[str, str] = {
    "lora_*": "there are no low-rank additions to trained weights",
    "quantization_config": "there are no quantized weights",
    "sparse": "arrays are dense",
    "ragged": "arrays are dense: pad, and mask",
    "tensor": "symbols stand for no arrays",
    "input_tensor": "symbols stand for no arrays",
    "optional": "every input is given",
    "splines": "the picture is drawn by matplotlib",
    "module_objects": "names are looked up in `custom_objects`",
    "upper": "take the transpose",
    "reduction": "the updates replace what is there",
    "skip_mismatch": "shapes must fit",
    "zipped": "a model is one file",
    "max_shard_size": "weights are one file",
    "input_tensors": "call the clone on the new inputs",
    "clone_function": "change the configuration, then `from_config`",
    "call_function": "change the configuration, then `from_config`",
    "recursive": "inner models are cloned, too",
}

_IMAGES = "augment images before, with NumPy or a data pipeline"
_VOLUMES = "sequences and pictures have one or two axes of space"
_NUMPY = "NumPy's function of this name, on arrays"

#: By name: what to use instead.
ABSENT: dict[str, str] = {
    # the package
    "FloatDTypePolicy": "`dtype=` of a layer",
    "Function": "`Model(inputs, outputs)`",
    "Quantizer": "float32: there are no quantized weights",
    "RematScope": "not needed: a CPU has memory enough",
    "StatelessScope": "not needed: a call keeps no state in the layer",
    "SymbolicScope": "not needed: symbols need no scope",
    "applications": "pictures are not what this library is for",
    "device": "`set_num_threads`: everything runs on the CPU",
    "distillation": "a `Model` whose loss compares with a teacher's predictions",
    "dtype_policies": "`dtype=` of a layer",
    "export": "`saving.export_onnx`",
    "legacy": "`saving` reads Keras 2's files",
    "quantizers": "float32: there are no quantized weights",
    "remat": "not needed: a CPU has memory enough",
    "visualization": "matplotlib",
    "wrappers": "a class of scikit-learn's around `fit` and `predict`",
    # layers
    "layers.Adaptive*": "pooling with `pool_size` by the length",
    "layers.*3D*": _VOLUMES,
    "layers.ConvLSTM*": "`TimeDistributed(Conv2D)`, `Flatten`, `LSTM`",
    "layers.Conv*2DTranspose": "`UpSampling2D` and `Conv2D`",
    "layers.Cropping2D": "`Lambda(lambda x: x[:, top:-bottom, left:-right])`",
    "layers.DepthwiseConv2D": "`Conv2D`",
    "layers.SeparableConv*2D": "`Conv2D`",
    "layers.GroupNormalization": "`LayerNormalization`",
    "layers.SpectralNormalization": "a `kernel_constraint`",
    "layers.HashedCrossing": "`Hashing` of joined strings",
    "layers.*Spectrogram": "`scipy.signal` before the model",
    "layers.ReversibleEmbedding": "`Embedding`, and `Dense` with its transpose",
    "layers.FlaxLayer": "a `Layer` with a `call` of its own",
    "layers.JaxLayer": "a `Layer` with a `call` of its own",
    "layers.TFSMLayer": "a `Layer` with a `call` of its own",
    "layers.TorchModuleWrapper": "`saving.from_torch`",
    "layers.Pipeline": "`Sequential`",
    "layers.Random*": _IMAGES,
    "layers.Resizing": _IMAGES,
    **dict.fromkeys((f"layers.{name}" for name in (
        "AugMix", "AutoContrast", "CenterCrop", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix",
        "Equalization", "MaxNumBoundingBoxes", "MixUp", "RandAugment", "Solarization")), _IMAGES),
    # optimizers, callbacks
    "optimizers.LossScaleOptimizer": "not needed: weights are float32 or float64",
    "optimizers.MultiOptimizer": "one optimizer; `trainable` chooses what it trains",
    "optimizers.OptimizerMap": "one optimizer; `trainable` chooses what it trains",
    "optimizers.ScheduleFreeAdamW": "`AdamW` with `use_ema=True`",
    "callbacks.OrbaxCheckpoint": "`ModelCheckpoint` or `BackupAndRestore`",
    # utils
    "utils.Config": "`types.SimpleNamespace`",
    "utils.FeatureSpace": "the preprocessing layers, one for each feature",
    "utils.audio_dataset_from_directory": "`scipy.io.wavfile` and `PyDataset`",
    "utils.*interactive_logging*": "`verbose=` of `fit`",
    "utils.bounding_boxes": "pictures are not what this library is for",
    "utils.legacy": "`saving` reads Keras 2's files",
    "utils.standardize_dtype": "`numpy.dtype(x).name`",
    **dict.fromkeys((f"utils.{name}" for name in (
        "array_to_img", "image_dataset_from_directory", "img_to_array", "load_img", "save_img")), "Pillow"),
    "preprocessing.image*": "Pillow",
    # ops
    "ops.*pool": "the pooling layers",
    "ops.*conv*": "the convolution layers",
    "ops.conj*": _NUMPY,
    "ops.custom_gradient": "a `Layer` with `forward` and `backward`",
    "ops.dot_product_attention": "`layers.Attention`",
    "ops.rms_normalization": "`layers.RMSNormalization`",
    "ops.image": "Pillow, or NumPy",
    "ops.linalg": "the functions are in `ops`",
    "ops.numpy": "the functions are in `ops`",
    "ops.segment_*": "`numpy.add.at` and the like",
    "ops.*fold": "`numpy.lib.stride_tricks.sliding_window_view`",
    "ops.extract_sequences": "`numpy.lib.stride_tricks.sliding_window_view`",
    "ops.depth_to_space": "`ops.reshape` and `ops.transpose`",
    "ops.space_to_depth": "`ops.reshape` and `ops.transpose`",
    "ops.rearrange": "`ops.reshape` and `ops.transpose`",
    "ops.associative_scan": "`ops.scan`",
    "ops.jvp": "`backward` gives the other product",
    "ops.*stft": "`scipy.signal`",
    "ops.*fft*": "`numpy.fft`",
    "ops.erf*": "`scipy.special`",
    "ops.i0": "`scipy.special`",
    "ops.psnr": "`metrics.MeanSquaredError`",
    **dict.fromkeys((f"ops.{name}" for name in (
        "glu", "hard_shrink", "soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink",
        "threshold")), "the function of this name in `activations`"),
    "ops.cholesky_inverse": "`ops.inv`",
    "ops.lu_factor": "`scipy.linalg.lu_factor`",
    "ops.solve_triangular": "`scipy.linalg.solve_triangular`",
    "ops.view_as_*": "`numpy.ndarray.view`",
    "ops.polar": "`r * numpy.exp(1j * angle)`",
    "ops.logdet": "`numpy.linalg.slogdet`",
    **dict.fromkeys((f"ops.{name}" for name in ("eig", "eigh", "lstsq", "matrix_rank", "pinv", "slogdet")),
                    "the function of this name in `numpy.linalg`"),
    "ops.view": "`numpy.ndarray.view`",
    "ops.fabs": "`ops.abs`",
    "ops.*": _NUMPY,
    # the rest
    "initializers.*STFT*": "`scipy.signal` before the model",
    "initializers.stft": "`scipy.signal` before the model",
    "initializers.IdentityInitializer": "`Identity`",
    "initializers.OrthogonalInitializer": "`Orthogonal`",
    "saving.KerasFileEditor": "`saving.inspect` and `saving.convert`",
}
