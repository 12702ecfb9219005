"""The files beside the models, read as the protos that TensorFlow Serving reads them as; versions only grow."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from keras_seqgen.decoding.line_writer import ROWS_AT_ONCE
from keras_seqgen.errors import UserError
from keras_seqgen.serving.batching import BATCHING_PARAMETERS, may_be_joined
from keras_seqgen.serving.models_config import (
    METRICS_PATH,
    label_versions,
    model_names,
    read_models_config,
    record_version,
    wanted_versions,
)
from keras_seqgen.serving.version_writer import module_of, write_version
from keras_seqgen.serving.versions import versions
from keras_seqgen.serving.warmup import WARMUP, signatures_of

SHIPPED = Path(__file__).parents[2] / "saved_models"
CARD = "# Twice\n\nDoubles numbers; trained on nothing, free of terms.\n"


@pytest.fixture(scope="module")
def protos():
    """The messages that no Python package has: name, number and kind of their fields as in TensorFlow Serving's
    servables/tensorflow/session_bundle_config.proto and config/monitoring_config.proto."""
    integer, text, flag, message = (getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind}")
                                    for kind in ("INT64", "STRING", "BOOL", "MESSAGE"))  # fmt: skip
    whole, string = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
    fields = {
        "BatchingParameters": [
            ("max_batch_size", 1, message, whole),
            ("batch_timeout_micros", 2, message, whole),
            ("max_enqueued_batches", 3, message, whole),
            ("num_batch_threads", 4, message, whole),
            ("thread_pool_name", 5, message, string),
            ("allowed_batch_sizes", 6, integer, ""),
            ("pad_variable_length_inputs", 7, flag, ""),
        ],
        "PrometheusConfig": [("enable", 1, flag, ""), ("path", 2, text, "")],
        "MonitoringConfig": [("prometheus_config", 1, message, ".tensorflow.serving.PrometheusConfig")],
    }
    file = descriptor_pb2.FileDescriptorProto(name="retold.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    for name, rows in fields.items():
        made = file.message_type.add(name=name)
        for field, number, kind, type_name in rows:
            label = 3 if field == "allowed_batch_sizes" else 1
            made.field.add(name=field, number=number, type=kind, label=label, type_name=type_name or None)
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto.FromString(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(wrappers)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))
        for name in fields
    }


def write(folder, times=2.0):
    module = tf.Module()
    module.scale = tf.Variable(times)
    function = tf.function(
        lambda x: {"y": module.scale * x}, input_signature=[tf.TensorSpec((None,), tf.float32, "x")]
    ).get_concrete_function()
    return write_version(folder, module, {"serving_default": function}, CARD, {})


@pytest.mark.parametrize("made", [False, True])
def test_the_files_parse_as_their_protos(protos, tmp_path, made):
    root = SHIPPED
    if made:
        root = tmp_path
        record_version(write(tmp_path / "twice"))
    config = text_format.Parse((root / "models.config").read_text(), ModelServerConfig())
    assert [model.name for model in config.model_config_list.config] == model_names(root)
    for model in config.model_config_list.config:
        assert (model.base_path, model.model_platform) == (f"/models/{model.name}", "tensorflow")
        there = versions(root / model.name)
        assert set(model.model_version_policy.specific.versions) == set(model.version_labels.values()) <= set(there)
        assert {"latest", "stable"} <= set(model.version_labels)
        for number in there:
            parameters = root / model.name / str(number) / BATCHING_PARAMETERS
            joined = all(may_be_joined(signature) for signature in signatures_of(parameters.parent).values())
            assert parameters.exists() is joined
            files = model.name in ("script-detection", "segmentation", "speech", "text-lines")
            assert joined is not files, "a broken file would fail other requests"
            if not joined:
                continue
            batching = text_format.Parse(parameters.read_text(), protos["BatchingParameters"]())
            assert batching.max_batch_size.value == 128 == ROWS_AT_ONCE
            assert batching.pad_variable_length_inputs
    batching = text_format.Parse((root / "batching.config").read_text(), protos["BatchingParameters"]())
    assert batching.num_batch_threads.value == 4
    monitoring = text_format.Parse((root / "monitoring.config").read_text(), protos["MonitoringConfig"]())
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path == METRICS_PATH


def test_labels_follow_exports_and_a_persons_own_stay(tmp_path):
    folder = tmp_path / "twice"

    def recorded(number, **options):
        record_version(folder / str(number), **options)
        (model,) = read_models_config(tmp_path).model_config_list.config
        assert sorted(set(model.version_labels.values())) == list(model.model_version_policy.specific.versions)
        return label_versions(model)

    for _ in range(5):
        write(folder)
    assert recorded(1) == {"latest": 1, "stable": 1}
    assert recorded(2) == {"latest": 2, "stable": 1}, "no gate was passed"
    assert recorded(3, stable=True) == {"latest": 3, "stable": 3}
    path = tmp_path / "models.config"
    path.write_text(
        path.read_text().replace('key: "stable"', 'key: "stable"\n value: 3\n}\nversion_labels {\nkey: "mine"')
    )
    assert recorded(4) == {"latest": 4, "stable": 3, "mine": 3}
    assert recorded(5, stable=True) == {"latest": 5, "stable": 5, "mine": 3}
    assert recorded(4) == {"latest": 5, "stable": 5, "mine": 3}, "an older version is not the latest"
    (tmp_path / "monitoring.config").write_text("# a person's own")
    record_version(write(tmp_path / "another"))
    assert (tmp_path / "monitoring.config").read_text() == "# a person's own"
    assert [model.name for model in read_models_config(tmp_path).model_config_list.config] == ["another", "twice"]
    assert not list(tmp_path.glob(".config-*"))


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("", [9]),
        ("model_version_policy { latest { num_versions: 2 } }", [5, 9]),
        ("model_version_policy { all {} }", [1, 5, 9]),
        ("model_version_policy { specific { versions: 1 versions: 7 } }", [1]),
    ],
)
def test_policies(policy, wanted):
    text = f"model_config_list {{ config {{ {policy} }} }}"
    config = text_format.Parse(text, ModelServerConfig()).model_config_list.config[0]
    assert wanted_versions(config, [1, 5, 9]) == wanted
    assert wanted_versions(None, [1, 5, 9]) == [9]
    assert wanted_versions(None, []) == []


def test_a_number_never_comes_back(tmp_path):
    folder = tmp_path / "twice"
    for number in ("1", "2"):
        version = write(folder)
        assert version.name == number
        record_version(version)
    shutil.rmtree(version)
    assert write(folder).name == "3", "models.config remembers that there was a 2"


def test_a_version_is_there_whole_or_not_at_all(tmp_path):
    folder, done, seen = tmp_path / "twice", threading.Event(), []

    def watch():
        while not done.is_set():
            for path in folder.glob("[0-9]*"):
                seen.append(path.name)
                for file in ("saved_model.pb", "README.md", "variables/variables.index", WARMUP, BATCHING_PARAMETERS):
                    assert (path / file).exists(), file

    with ThreadPoolExecutor() as pool:
        watcher = pool.submit(watch)
        made = list(pool.map(lambda _: write(folder).name, range(6)))
        done.set()
        watcher.result()
    assert sorted(made) == list("123456"), "exporters at the same time take different numbers"
    assert seen
    assert not list(folder.glob(".export-*"))


def test_exporters_at_the_same_time_lose_no_line(tmp_path):
    made = [write(tmp_path / name) for name in "abcd"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(record_version, made))
    assert [model.name for model in read_models_config(tmp_path).model_config_list.config] == list("abcd")


def test_the_same_weights_become_the_same_file(tmp_path):
    variables = [tf.Variable([float(n)], name=f"weight_{n}") for n in range(8)]

    def exported(order):
        function = tf.function(lambda: {"y": tf.add_n([variables[n] for n in order])}, input_signature=())
        functions = {"serving_default": function.get_concrete_function()}
        version = write_version(tmp_path / "sum", module_of(functions.values()), functions, CARD, {})
        return (version / "variables/variables.data-00000-of-00001").read_bytes()

    assert exported(range(8)) == exported([5, 2, 7, 0, 6, 1, 4, 3])


def test_a_broken_file_is_named(tmp_path):
    version = write(tmp_path / "twice")
    (tmp_path / "models.config").write_text("model_config_list { konfig {} }")
    for call in (lambda: record_version(version), lambda: write(tmp_path / "twice")):
        with pytest.raises(UserError, match=r"models\.config is not a ModelServerConfig.*konfig"):
            call()
    assert versions(tmp_path / "twice") == [1]
    assert not list((tmp_path / "twice").glob(".export-*"))


@pytest.mark.parametrize(
    ("inputs", "joined"),
    [
        ({"text": [-1], "seed": [-1, 2]}, True),
        ({"strokes": [-1, -1, 3], "length": [-1]}, True),
        ({"primer_strokes": [-1, -1, 3], "primer_length": [-1]}, True),
        ({"frames": [-1, -1, 8], "frames_length": [-1]}, True),
        ({"strokes": [-1, -1, 3], "primer_length": [-1]}, False),
        ({"image": [-1, -1, -1, 3]}, False),
        ({"image": [-1]}, False),
        ({"wav": [-1]}, False),
    ],
)
def test_requests_are_joined_where_a_row_stays_as_it_is(inputs, joined):
    signature = SignatureDef()
    for name, shape in inputs.items():
        for size in shape:
            signature.inputs[name].tensor_shape.dim.add(size=size)
    assert may_be_joined(signature) is joined
