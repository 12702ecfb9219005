"""Which operations TensorFlow can run on which device: its registry of kernels, asked through its public C interface.

The wheel's own header tensorflow/c/c_api.h declares the functions; `tf.sysconfig.get_lib` names the library's folder.
The Python name for the same, `tensorflow.python.framework.kernels`, is private. The Linux wheel registers its GPU
kernels on machines without a GPU, too.
"""

import ctypes
import functools
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework.kernel_def_pb2 import KernelDef, KernelList
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.op_def_pb2 import OpDef, OpList


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p))


@functools.cache
def _library():
    library = ctypes.CDLL(str(Path(tf.sysconfig.get_lib()) / "libtensorflow_cc.so.2"))
    for name, arguments in (
        ("TF_GetAllOpList", ()),
        ("TF_GetRegisteredKernelsForOp", (ctypes.c_char_p, ctypes.c_void_p)),
    ):
        getattr(library, name).argtypes, getattr(library, name).restype = arguments, ctypes.POINTER(_Buffer)
    library.TF_NewStatus.restype = ctypes.c_void_p
    library.TF_DeleteStatus.argtypes = library.TF_GetCode.argtypes = (ctypes.c_void_p,)
    library.TF_DeleteBuffer.argtypes = (ctypes.POINTER(_Buffer),)
    return library


def _taken(buffer) -> bytes:
    content = ctypes.string_at(buffer.contents.data, buffer.contents.length)
    _library().TF_DeleteBuffer(buffer)
    return content


@functools.cache
def operations() -> dict[str, OpDef]:
    """Every operation that TensorFlow has, by its name."""
    return {op.name: op for op in OpList.FromString(_taken(_library().TF_GetAllOpList())).op}


@functools.cache
def kernels(op: str) -> tuple[KernelDef, ...]:
    """The kernels of an operation, of all devices and types."""
    library = _library()
    status = library.TF_NewStatus()
    try:
        buffer = library.TF_GetRegisteredKernelsForOp(op.encode(), status)
        if library.TF_GetCode(status):
            return ()
        return tuple(KernelList.FromString(_taken(buffer)).kernel)
    finally:
        library.TF_DeleteStatus(status)


def attribute_types(node: NodeDef, name: str) -> set[int]:
    """The `DataType`s of a node's attribute; a node does not say what is its operation's default."""
    value = node.attr[name] if name in node.attr else _defaults(node.op).get(name)
    return set() if value is None else {value.type, *value.list.type} - {0}


@functools.cache
def _defaults(op: str):
    return {attribute.name: attribute.default_value for attribute in operations()[op].attr}


def gpu_kernel(node: NodeDef) -> KernelDef | None:
    """The kernel that runs a node on a GPU: one for this device, or for any, that takes the node's types."""
    for kernel in kernels(node.op):
        if kernel.device_type in ("GPU", "DEFAULT") and all(
            attribute_types(node, rule.name) <= set(rule.allowed_values.list.type) for rule in kernel.constraint
        ):
            return kernel
    return None


def fractions_left_on_the_host(node: NodeDef, kernel: KernelDef) -> list[str]:
    """The results that a GPU kernel leaves in the host's memory though they hold fractions: the host makes them."""
    fractional = {kind.as_datatype_enum for kind in (tf.float16, tf.bfloat16, tf.float32, tf.float64)}
    return [
        result.name
        for result in operations()[node.op].output_arg
        if result.name in kernel.host_memory_arg
        and fractional & ({result.type} | attribute_types(node, result.type_attr or result.type_list_attr))
    ]
