"""What of an exported model would run on a GPU, told without one: its operations, signature by signature."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from keras_seqgen.serving.kernel_registry import attribute_types, fractions_left_on_the_host, gpu_kernel, operations
from keras_seqgen.serving.warmup import signatures_of

_LOOPS = ("While", "StatelessWhile")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "Case", "StatelessCase", *_LOOPS)
_WITHOUT_WORK = ("Placeholder", "NoOp", "Const")  # folded or fed; they compute nothing
_FRACTIONAL = {"float16", "bfloat16", "float32", "float64"}


@dataclass(frozen=True, order=True)
class Operation:
    """Equal nodes of a signature.

    op: the operation's name. types: of the node, such as ("float32",). in_loop: inside a `tf.while_loop`: once for each
    point, token or step. on_gpu: a GPU kernel takes these types, and leaves its fractional results in the GPU's memory.
    """

    op: str
    types: tuple[str, ...]
    in_loop: bool
    on_gpu: bool

    @property
    def numeric(self) -> bool:
        """Whether it computes with fractions."""
        return bool(_FRACTIONAL & set(self.types))


def audit(version) -> dict[str, dict[Operation, int]]:
    """The operations that each signature of a SavedModel reaches, through every function that it calls.

    Args:
        version: the folder of a SavedModel.

    Returns:
        dict signature -> dict `Operation` -> number of nodes.

    Example:

        >>> table = audit("saved_models/handwriting/2")["generate"]
        >>> [row.op for row in table if row.in_loop and row.numeric and not row.on_gpu]
        []
    """
    graph = SavedModel.FromString((Path(version) / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    functions = {function.signature.name: function.node_def for function in graph.library.function}
    tables = {}
    for name, signature in signatures_of(version).items():
        start = [info.name.partition(":")[0] for info in signature.outputs.values()]
        table: dict[Operation, int] = {}
        for node, in_loop in _reached(_behind(graph, start), functions, in_loop=False):
            row = _row(node, in_loop)
            table[row] = table.get(row, 0) + 1
        tables[name] = dict(sorted(table.items()))
    return tables


def _behind(graph: GraphDef, names: list[str]) -> list[NodeDef]:
    """The nodes that those of these names need."""
    nodes = {node.name: node for node in graph.node}
    seen: dict[str, NodeDef] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen[name] = nodes[name]
            waiting += [source.lstrip("^").partition(":")[0] for source in nodes[name].input]
    return list(seen.values())


def _reached(nodes, functions, in_loop: bool) -> Iterator[tuple[NodeDef, bool]]:
    for node in nodes:
        called = [value.func.name for value in node.attr.values() if value.HasField("func")]
        called += [func.name for value in node.attr.values() for func in value.list.func]
        for name in called:
            yield from _reached(functions[name], functions, in_loop or node.op in _LOOPS)
        if node.op not in (*_CALLS, *_WITHOUT_WORK):
            yield node, in_loop


def _row(node: NodeDef, in_loop: bool) -> Operation:
    found = set().union(*(attribute_types(node, attribute.name) for attribute in operations()[node.op].attr))
    types = tuple(sorted(tf.dtypes.as_dtype(kind).name for kind in found))
    kernel = gpu_kernel(node)
    return Operation(node.op, types, in_loop, kernel is not None and not fractions_left_on_the_host(node, kernel))
