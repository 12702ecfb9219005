"""What would run on a GPU, of every exported signature of every system: nothing that a loop computes is the host's."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.kernel_def_pb2 import KernelDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import kernels as private  # a test's second witness

from keras_seqgen.serving.gpu_audit import Operation, audit
from keras_seqgen.serving.kernel_registry import fractions_left_on_the_host, gpu_kernel, kernels

SYSTEMS = ("handwriting", "text", "segmentation")


@pytest.fixture(scope="module")
def tables(saved_models):
    return {system: audit(saved_models / system / "1") for system in SYSTEMS}


@pytest.mark.parametrize("system", SYSTEMS)
def test_nothing_numeric_in_a_loop_falls_back_to_the_host(tables, system):
    for signature, table in tables[system].items():
        looped = [row for row in table if row.in_loop]
        assert any(row.numeric and row.on_gpu for row in looped), f"{signature} has a loop that computes"
        assert not [row.op for row in looped if row.numeric and not row.on_gpu], signature


def test_what_is_the_hosts_is_known(tables):
    """Strings and their ids, the bytes of pictures, and integers beside them; no fractions."""
    host = {row for system in SYSTEMS for table in tables[system].values() for row in table if not row.on_gpu}
    assert {"UnicodeDecode", "StringJoin", "DecodeImage"} <= {row.op for row in host}
    assert not {row.op for row in host if row.numeric}


@pytest.mark.parametrize("system", ["ink-recognition", "text-lines", "speech"])
def test_of_a_recogniser_the_host_packs_the_frames_of_a_row_and_computes_nothing(saved_readers, system):
    packing = {"RaggedTensorToVariant", "RaggedTensorFromVariant", "RaggedTensorToTensor"}
    tables = audit(saved_readers / system / "1")
    assert {"recognise", "logits", "recognise_frames"} <= set(tables)
    for signature, table in tables.items():
        host = {row.op for row in table if row.numeric and not row.on_gpu}
        assert host == (packing if signature != "recognise_frames" else set()), signature
        assert any(row.numeric and row.in_loop and row.on_gpu for row in table), f"{signature} has a loop that computes"
        assert any(row.op == "MatMul" and row.on_gpu for row in table)


def test_of_the_detector_of_scripts_too(saved_readers):
    tables = audit(saved_readers / "script-detection" / "1")
    packing = {"RaggedTensorToVariant", "RaggedTensorFromVariant", "RaggedTensorToTensor"}
    for signature, expected in (("detect", packing), ("label_frames", set())):
        host = {row.op for row in tables[signature] if row.numeric and not row.on_gpu}
        assert host == expected, signature
        assert any(row.numeric and row.in_loop and row.on_gpu for row in tables[signature])


def test_the_work_is_counted(tables):
    table = tables["segmentation"]["segment"]
    assert {row.op for row in table} >= {"Conv2D", "DecodeImage", "SparseMatrixMatMul"}
    assert table == tables["segmentation"]["serving_default"]
    step = tables["handwriting"]["step"]
    assert any(row.op == "MatMul" and row.in_loop and row.on_gpu for row in step)
    assert all(not row.in_loop for row in step if row.op == "UnicodeDecode")


def node(op, **types):
    made = NodeDef(op=op)
    for name, dtype in types.items():
        made.attr[name].type = dtype.as_datatype_enum
    return made


def test_kernels_by_type():
    assert gpu_kernel(node("MatMul", T=tf.float32))
    assert not gpu_kernel(node("Equal", T=tf.string))
    assert gpu_kernel(node("Equal", T=tf.float32))
    assert not gpu_kernel(node("LookupTableFindV2", Tin=tf.string, Tout=tf.int64))
    assert gpu_kernel(node("Sum", T=tf.float32)), "a node does not say what is its operation's default: Tidx"
    assert gpu_kernel(node("Range", Tidx=tf.float32)).device_type == "GPU"


def test_results_in_the_hosts_memory():
    kernel = KernelDef(op="Range", device_type="GPU", host_memory_arg=["start", "output"])
    assert fractions_left_on_the_host(node("Range", Tidx=tf.float32), kernel) == ["output"]
    assert fractions_left_on_the_host(node("Range"), kernel) == [], "integers, by default"
    kernel.host_memory_arg.remove("output")
    assert fractions_left_on_the_host(node("Range", Tidx=tf.float32), kernel) == [], "a number that is read is no work"


@pytest.mark.parametrize("op", ["MatMul", "Sum", "UnicodeDecode", "CTCLoss", "BlockLSTMV2", "StatelessRandomUniformV2"])
def test_the_public_interface_tells_what_the_private_one_does(op):
    expected = [
        kernel.SerializeToString(deterministic=True) for kernel in private.get_registered_kernels_for_op(op).kernel
    ]
    assert [kernel.SerializeToString(deterministic=True) for kernel in kernels(op)] == expected


def test_a_loop_with_an_operation_of_the_host_is_found(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")], autograph=False)
    def shaky(x):
        def body(i, x):
            return i + 1, tf.strings.to_number(tf.strings.as_string(x)) + tf.nn.l2_normalize(x)

        return {"y": tf.while_loop(lambda i, x: i < 3, body, [0, x])[1]}

    module = tf.Module()
    module.f = shaky
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": shaky})
    assert np.isfinite(shaky(tf.ones(2))["y"]).all()
    table = audit(tmp_path)["serving_default"]
    wrong = {row.op for row in table if row.in_loop and row.numeric and not row.on_gpu}
    assert wrong == {"AsString", "StringToNumber"}
    assert Operation("Rsqrt", ("float32",), in_loop=True, on_gpu=True) in table
