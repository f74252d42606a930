# SPDX-License-Identifier: Apache-2.0
"""Prediction on Dask, Ray and Spark, to the bits of `model.predict`, with as many threads as the engine gives cores;
and scikit-learn's searches on the workers of joblib, Dask and Ray."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

import fastrnn
from fastrnn.distribution import dask as on_dask
from fastrnn.distribution import ray as on_ray
from fastrnn.distribution import spark as on_spark
from fastrnn.distribution.files import loaded
from fastrnn.layers import LSTM, Dense, Input
from fastrnn.sklearn import RNNClassifier

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((2000, 10, 3)).astype("float32")


@pytest.fixture(scope="module")
def model():
    fastrnn.utils.set_random_seed(0)
    return fastrnn.Sequential([Input((None, 3)), LSTM(16), Dense(2)])


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def cluster():
    import distributed

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(**options) as found, distributed.Client(found) as client:
        yield client


@pytest.fixture(scope="module")
def ray():
    import ray

    ray.init(num_cpus=4, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = SparkSession.builder.master("local[2]").config("spark.driver.host", "127.0.0.1").config(
        "spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield session
    session.stop()


def threads_here(*_: object) -> float:
    """As a scorer: the threads that a worker uses."""
    return float(fastrnn.get_num_threads())


class TestDask:
    @pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
    def test_arrays_here(self, scheduler, model, x):
        import dask.array

        before = fastrnn.get_num_threads()
        lazy = on_dask.predict(model, dask.array.from_array(x, chunks=(700, 4, 3)))
        assert lazy.shape == (2000, 2) and lazy.chunks == ((700, 700, 600), (2,)) and lazy.dtype == np.float32
        assert (lazy.compute(scheduler=scheduler) == model.predict(x, verbose=0)).all()
        assert fastrnn.get_num_threads() == before

    @pytest.mark.parametrize("given", ["model", "path"])
    def test_arrays_on_a_cluster(self, given, request, cluster, model, x):
        import dask.array

        lazy = on_dask.predict(request.getfixturevalue(given), dask.array.from_array(x, chunks=(500, 10, 3)))
        assert (lazy.compute() == model.predict(x, verbose=0)).all()
        assert set(cluster.run(threads_here).values()) == {1.0}

    def test_data_frames(self, cluster, model, x):
        import dask.dataframe
        import pandas

        flat = fastrnn.Sequential([Input((4,)), Dense(3)])
        frame = pandas.DataFrame(x[:50, :4, 0], columns=list("abcd"), index=np.arange(100, 150))
        found = on_dask.predict(flat, dask.dataframe.from_pandas(frame, npartitions=3)).compute()
        assert (found.to_numpy() == flat.predict(frame.to_numpy(), verbose=0)).all()
        assert found.index.equals(frame.index)

    def test_what_it_cannot_take(self, model, path, x):
        import dask.array

        with pytest.raises(TypeError, match="expected a Dask array or data frame, got ndarray"):
            on_dask.predict(model, x)
        with pytest.raises(TypeError, match="expected the path of a saved model, got int"):
            on_dask.predict(3, dask.array.from_array(x))
        two = Input((None, 3))
        with pytest.raises(ValueError, match="one input and one output"):
            on_dask.predict(fastrnn.Model(two, [LSTM(2)(two), LSTM(2)(two)]), dask.array.from_array(x))


class Counting(on_ray.Predictor):
    """Says how many threads it uses."""

    def __call__(self, batch):
        return {**super().__call__(batch), "threads": np.full(len(batch["data"]), fastrnn.get_num_threads())}


class TestRay:
    @pytest.mark.parametrize("cores", [1, 2])
    def test_predictions(self, cores, ray, model, path, x):
        found = ray.data.from_numpy(x).map_batches(
            Counting, fn_constructor_kwargs={"path": path, "inputs": "data"}, batch_size=300, num_cpus=cores,
            concurrency=2 // cores)
        batches = list(found.iter_batches(batch_size=None))
        assert {int(n) for batch in batches for n in batch["threads"]} == {cores}
        rows = np.concatenate([batch["data"] for batch in batches])
        predictions = np.concatenate([batch["prediction"] for batch in batches])
        assert rows.shape == x.shape
        assert (predictions == model.predict(rows, verbose=0)).all()

    def test_a_column_that_is_not_there(self, ray, path):
        with pytest.raises(KeyError, match=r"expected the columns \['x'\], got \['data'\]"):
            on_ray.Predictor(path)({"data": np.zeros((2, 10, 3))})

    def test_a_file_that_is_not_there(self, ray, tmp_path):
        with pytest.raises(FileNotFoundError, match="put the file where every worker can read it"):
            on_ray.Predictor(tmp_path / "none.safetensors")


class TestSpark:
    def test_predictions(self, spark, model, path, x):
        rows = [(i, row.ravel().tolist()) for i, row in enumerate(x[:400])]
        frame = spark.createDataFrame(rows, "id int, x array<float>")
        predict = on_spark.predict_udf(path, [[10, 3]], batch_size=64)
        found = frame.withColumn("found", predict("x")).orderBy("id").collect()
        assert (np.array([row.found for row in found], "float32") == model.predict(x[:400], verbose=0)).all()


class TestSearch:
    """Every worker follows what joblib, Dask or Ray says of threads."""

    @pytest.fixture
    def search(self, x):
        from sklearn.model_selection import GridSearchCV

        y = (x[:60, :, 0].sum(axis=1) > 0).astype(int)
        search = GridSearchCV(RNNClassifier(epochs=1), {"units": [2, 3]}, cv=2, scoring=threads_here, n_jobs=2,
                              refit=False)
        return lambda: search.fit(x[:60], y).cv_results_["mean_test_score"].tolist()

    def test_loky(self, search):
        from joblib import parallel_config

        with parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
            assert search() == [1.0, 1.0]

    def test_dask(self, search, cluster):
        from joblib import parallel_config

        with parallel_config("dask"):
            assert search() == [1.0, 1.0]

    def test_ray(self, search, ray):
        from joblib import parallel_config
        from ray.util.joblib import register_ray

        register_ray()
        with parallel_config("ray"):
            assert search() == [1.0, 1.0]


@pytest.mark.parametrize(("module", "call", "extra"), [
    ("dask", lambda path: on_dask.predict(path, None), "dask"),
    ("ray", on_ray.Predictor, "ray"),
    ("pyspark.ml.functions", on_spark.predict_udf, "spark"),
])  # fmt: skip
def test_an_engine_that_is_not_there(module, call, extra, path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"fastrnn\[{extra}\]"):
        call(path)


def test_a_model_is_loaded_once(path):
    assert loaded(str(path)) is loaded(str(path))
