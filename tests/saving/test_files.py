# SPDX-License-Identifier: Apache-2.0
"""Files are written as a whole or not at all: also where the process is killed, or the disk is full."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys

import pytest

import fastrnn
from fastrnn.saving import ModelFileError, convert, export_onnx, files, load_model, load_onnx
from tests.saving import zoo

SAVER = """
import os, signal, sys, time
import numpy as np, fastrnn
path, save = sys.argv[1:]
model = fastrnn.Sequential([fastrnn.Input((None, 64)), fastrnn.layers.LSTM(192), fastrnn.layers.Dense(8)])

def fill(value):
    model.set_weights([np.full_like(w, value) for w in model.get_weights()])

fill(0)
getattr(model, save)(path)
rng = np.random.default_rng(0)
seen = set()
for round in range(30):
    child = os.fork()
    if child == 0:
        while True:
            fill(time.monotonic_ns() % 1000)
            getattr(model, save)(path)
    time.sleep(rng.uniform(0, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    model.load_weights(path)
    values = {float(value) for w in model.get_weights() for value in np.unique(w)}
    assert len(values) == 1, values
    seen |= values
print(len(seen))
"""


class TestKilled:
    @pytest.mark.alone
    @pytest.mark.parametrize("name, save", [("m.safetensors", "save"), ("m.keras", "save"),
                                            ("m.weights.h5", "save_weights"), ("m.h5", "save_weights")])
    def test_the_old_file_or_the_new_one(self, name, save, tmp_path):
        """Processes that do nothing but save are killed at thirty moments; the file always has one version, whole."""
        root = os.path.dirname(os.path.dirname(fastrnn.__file__))
        run = subprocess.run([sys.executable, "-c", SAVER, str(tmp_path / name), save], capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": root})
        assert run.returncode == 0, run.stderr
        assert int(run.stdout) > 3      # versions, so that what was killed had been saving

    def test_an_error_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "file"
        path.write_bytes(b"old")

        def fail(file):
            file.write(b"half of the ne")
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            files.write_whole(path, fail)
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["file"]

    def test_onnx_too(self, tmp_path, monkeypatch):
        """An export that fails leaves the old file; one that does not keeps its mode."""
        path = tmp_path / "m.onnx"
        path.write_bytes(b"old")
        path.chmod(0o640)
        model = zoo.make(fastrnn, "LSTM-forward-1")

        def fail(descriptor):
            raise OSError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="disk full"):
                export_onnx(model, path)
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
        export_onnx(model, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert load_onnx(path).inputs[0].name == "input"

    def test_synced_before_it_takes_the_place(self, tmp_path, monkeypatch):
        """The bytes are on the disk before the name is, and the name at the end."""
        calls = []
        fsync, replace = os.fsync, os.replace

        def record_fsync(descriptor):
            calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", record_fsync)
        monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
        files.write_whole(tmp_path / "file", lambda file: file.write(b"new"))
        assert calls == ["file", "replace", "folder"]


class TestNoPath:
    """What is no path of a file is refused before anything is written, in words that say what to do."""

    CALLS = (lambda path: zoo.make(fastrnn, "LSTM-forward-1").save(path),
             lambda path: zoo.make(fastrnn, "LSTM-forward-1").save_weights(path),
             lambda path: zoo.make(fastrnn, "LSTM-forward-1").load_weights(path),
             load_model, fastrnn.saving.inspect, lambda path: convert(path, "m.keras"))

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("path", [io.BytesIO(), None, 3, b"m.keras", ["m"]], ids=lambda path: type(path).__name__)
    def test_of_another_type(self, call, path):
        with pytest.raises(TypeError, match=f"expected the path of a file.*got {type(path).__name__}; "):
            call(path)

    @pytest.mark.parametrize("call", CALLS)
    def test_empty(self, call, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ValueError, match="expected the path of a file, got ''"):
            call("")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("call", CALLS)
    def test_nul(self, call):
        with pytest.raises(ValueError, match="expected the path of a file, got 'm.x00.keras', which has a NUL"):
            call("m\0.keras")

    @pytest.mark.parametrize(("name", "message"), [
        ("x.tf", r"TensorFlow's \.tf files are neither read nor written; go by way of \.keras"),
        ("x.pb", r"TensorFlow's \.pb"), ("x.tflite", r"TensorFlow's \.tflite"),
        ("x.onnx", "write one by fastrnn.saving.export_onnx, and run one by fastrnn.saving.load_onnx"),
        ("x.pt", "fastrnn.saving.from_torch.*fastrnn.saving.to_torch"),
        ("x.pkl", r"no model format has names that end in '\.pkl'; expected one of \.safetensors, "),
    ])  # fmt: skip
    @pytest.mark.parametrize("call", (*CALLS[:4],))
    def test_of_another_format(self, call, name, message, tmp_path):
        with pytest.raises(ValueError, match=rf"^{tmp_path}/{name}: .*{message}"):
            call(tmp_path / name)
        assert not list(tmp_path.iterdir())

    def test_in_no_folder(self, tmp_path):
        """The error names the file that was asked for, not the temporary one."""
        path = tmp_path / "none" / "m.keras"
        with pytest.raises(FileNotFoundError, match="there is no such folder; make it first") as error:
            zoo.make(fastrnn, "LSTM-forward-1").save(path)
        assert error.value.filename == str(path)

    def test_a_folder(self, tmp_path):
        path = tmp_path / "m.keras"
        path.mkdir()
        with pytest.raises(IsADirectoryError, match="got that of a folder") as error:
            zoo.make(fastrnn, "LSTM-forward-1").save(path)
        assert error.value.filename == str(path)
        assert list(tmp_path.iterdir()) == [path]

    def test_in_a_folder_that_cannot_be_written_to(self, tmp_path, monkeypatch):
        def refuse(*args, **kwargs):
            raise PermissionError(errno.EACCES, "Permission denied", "a temporary file")

        monkeypatch.setattr("tempfile.mkstemp", refuse)
        with pytest.raises(PermissionError, match="Permission denied") as error:
            zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / "m.keras")
        assert error.value.filename == str(tmp_path / "m.keras")


class TestMode:
    def test_kept(self, tmp_path):
        path = tmp_path / "file"
        path.write_bytes(b"old")
        path.chmod(0o640)
        files.write_whole(path, lambda file: file.write(b"new"))
        assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o640, b"new")

    def test_of_a_new_file(self, tmp_path):
        before = os.umask(0o027)
        try:
            files.write_whole(tmp_path / "file", lambda file: file.write(b"new"))
            assert os.umask(0o027) == 0o027
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640

    def test_a_link_stays_one(self, tmp_path):
        (tmp_path / "there").mkdir()
        target = tmp_path / "there" / "file"
        target.write_bytes(b"old")
        (tmp_path / "link").symlink_to(target)
        files.write_whole(tmp_path / "link", lambda file: file.write(b"new"))
        assert (tmp_path / "link").is_symlink() and target.read_bytes() == b"new"


class TestReading:
    def test_no_file_but_something_else(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.keras")
        (tmp_path / "folder.keras").mkdir()
        (tmp_path / "empty.keras").touch()
        for name, message in [("pipe", "expected a file"), ("folder", "expected a file"), ("empty", "is empty")]:
            with pytest.raises(ModelFileError, match=message):
                load_model(tmp_path / f"{name}.keras")

    @pytest.mark.parametrize("name", ["m.pkl", "m.npz", "m.keras.bak"])
    def test_unknown_suffix(self, name, tmp_path):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ValueError, match=r"no model format has names that end in '\.\w+'; expected one of"):
            load_model(tmp_path / name)

    def test_without_h5py(self, tmp_path):
        """Native files need nothing; Keras's say what to install."""
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.save(tmp_path / "m")
        model.save(tmp_path / "m.keras")
        code = ("import sys; sys.modules['h5py'] = None\n"
                "import fastrnn\n"
                "fastrnn.saving.load_model('m')\n"
                "try: fastrnn.saving.load_model('m.keras')\n"
                "except ImportError as error: print(error)\n")
        root = os.path.dirname(os.path.dirname(fastrnn.__file__))
        run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": root})
        assert run.stdout.strip() == "Keras's .keras and .h5 files need h5py: pip install 'fastrnn[keras]'", run.stderr
