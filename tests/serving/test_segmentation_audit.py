"""Every operation of the graph that labels pictures, the CRF within: whose it is, and what a GPU does with it."""

import re

import keras
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import kernels, op_def_registry

from keras_seqgen.models import small_backbone
from keras_seqgen.models.segmenter import segmenter
from keras_seqgen.serving import segmentation

PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction", "XlaCallModule"}


@pytest.fixture(scope="module")
def nodes():
    """Those of the signatures and of every function that they call."""
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_backbone, "_WIDTHS", (8, 16, 24, 32, 32))
        model = segmenter(3, iterations=2, theta_alpha=20.0)
    _, signatures = segmentation.SegmentationSignatures(model).trace()
    graphs = [signatures[name].graph.as_graph_def() for name in ("segment", "segment_pixels")]
    functions = [function for graph in graphs for function in graph.library.function]
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for function in functions for node in function.node_def]
    inside = {function.signature.name for function in functions}
    return [node for node in nodes if node.op not in inside]


def gpu_kernels(node):
    """The kernels for a GPU that take a node's types."""
    return [
        kernel
        for kernel in kernels.get_registered_kernels_for_op(node.op).kernel
        if kernel.device_type in ("GPU", "DEFAULT")
        and all(
            node.attr[rule.name].type in rule.allowed_values.list.type
            for rule in kernel.constraint
            if rule.allowed_values.list.type
        )
    ]


def holds_strings(node):
    kinds = [value.type for value in node.attr.values()]
    kinds += [kind for value in node.attr.values() for kind in value.list.type]
    return types_pb2.DT_STRING in kinds


def test_all_operations_are_tensorflows_own(nodes):
    names = {node.op for node in nodes}
    assert names >= {"SparseTensorToCSRSparseMatrix", "SparseMatrixMatMul", "Unique", "Conv2D"}  # lattice and network
    assert not names & PYTHON
    assert [name for name in sorted(names) if op_def_registry.get(name) is None] == []


def test_the_docstring_names_what_has_no_gpu_kernel_and_what_stays_on_the_host(nodes):
    (paragraph,) = (part for part in segmentation.__doc__.split("\n\n") if part.startswith("Without a GPU kernel"))
    files, rest = (set(re.findall(r"`(\w+)`", part)) for part in paragraph.split("which read files"))
    assert {node.op for node in nodes if not gpu_kernels(node) and not holds_strings(node)} == files
    of_lattice = {"InvertPermutation", "TensorScatterUpdate"}
    assert rest == of_lattice
    for node in nodes:
        if node.op in of_lattice:
            assert all(kernel.host_memory_arg for kernel in gpu_kernels(node))


def test_no_fraction_leaves_the_gpu_in_the_lattice_and_the_steps(nodes):
    """The sparse products, the convolutions and the lattice's sorting keep their operands in the GPU's memory."""
    heavy = {"SparseMatrixMatMul", "SparseMatrixTranspose", "Unique", "TopKV2", "LowerBound", "DepthwiseConv2dNative"}
    heavy |= {"Softmax", "MatMul", "BatchMatMulV2", "GatherV2", "Where"}
    seen = set()
    for node in nodes:
        if node.op in heavy:
            seen.add(node.op)
            assert any(
                "output" not in k.host_memory_arg and "input" not in k.host_memory_arg for k in gpu_kernels(node)
            )
    assert seen >= {"SparseMatrixMatMul", "Unique", "TopKV2", "DepthwiseConv2dNative", "Softmax"}
