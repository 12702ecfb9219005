"""The next version of a SavedModel, whatever it does: made aside, described, and there at once."""

import os
import shutil
import tempfile
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from keras_seqgen.serving.batching import BATCHING_PARAMETERS, MODEL_BATCHING, may_be_joined
from keras_seqgen.serving.models_config import recorded_versions
from keras_seqgen.serving.versions import versions
from keras_seqgen.serving.warmup import signatures_of, write_warmup


def write_version(folder, module, signatures, card, extra):
    """Write `folder/<version>/`: the SavedModel, and what a person or a program must know about it.

        saved_model.pb, variables/, ...
        README.md                           the model card: `card`, then the signatures
        assets.extra/NAME                   the files of `extra`
        assets.extra/tf_serving_warmup_requests
        batching_params.pbtxt               where requests may be joined (`batching`)

    The version is made aside and renamed when it is whole: a server that watches the folder never meets half of one.
    Its number is one above the greatest that the folder holds and that `models.config`, beside the folder, names: a
    number never comes back, though the newest version be deleted.

    Args:
        folder: `saved_models/NAME`; made if it does not exist.
        module: a `tf.Module` that holds the variables of the signatures.
        signatures: dict name -> concrete function, with a `serving_default`.
        card: Markdown: the data and its terms, the numbers reached, what the model is for.
        extra: dict name -> text.

    Returns:
        The `Path` of the version.

    Raises:
        ValueError: the card is empty.
    """
    if not card.strip():
        raise ValueError("`card` must say what the model was trained on, under which terms, and how good it is.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    try:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(aside), signatures=signatures, options=options)
        _forget_custom_gradients(aside / "saved_model.pb")
        (aside / "assets.extra").mkdir()
        for name, text in extra.items():
            (aside / "assets.extra" / name).write_text(text, encoding="utf-8")
        (aside / "README.md").write_text(card.rstrip() + "\n" + _describe(signatures), encoding="utf-8")
        add_serving_files(aside)
        aside.chmod(0o755)
        return _publish(aside, folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def add_serving_files(version):
    """Write into a SavedModel's folder what TensorFlow Serving reads besides: warm-up requests, batching parameters."""
    write_warmup(version)
    if all(may_be_joined(signature) for signature in signatures_of(version).values()):
        (version / BATCHING_PARAMETERS).write_text(MODEL_BATCHING, encoding="utf-8")


def module_of(functions):
    """A `tf.Module` that holds the variables that concrete functions read, and no others, in the order of their names.

    A graph tells its variables in any order; in one order the same weights become the same file at every export.
    """
    module = tf.Module()
    variables = {id(v): v for function in functions for v in function.graph.variables}.values()
    module.weights = sorted(variables, key=lambda variable: variable.name)
    return module


def _forget_custom_gradients(path):
    """Take out the names of the layers' own backward passes: every client would be warned that they are not there."""
    saved = SavedModel.FromString(path.read_bytes())
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                node.attr.pop("_gradient_op_type", None)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _publish(aside, folder):
    """Rename to the next version; another exporter may take that number first."""
    while True:
        target = folder / str(max([*versions(folder), *recorded_versions(folder)], default=0) + 1)
        try:
            os.rename(aside, target)
        except OSError:
            if not target.exists():
                raise
        else:
            return target


def _describe(signatures):
    """The part of the card that follows from the model itself."""
    lines = ["", "## Signatures", ""]
    for name, function in signatures.items():
        inputs = ", ".join(
            f"{s.name} {s.dtype.name} {_shape(s)}" for s in function.structured_input_signature[0] if s.name
        )
        outputs = ", ".join(f"{n} {s.dtype.name} {_shape(s)}" for n, s in sorted(function.structured_outputs.items()))
        lines.append(f"- `{name}`: {inputs} -> {outputs}")
    return "\n".join(lines) + "\n"


def _shape(spec):
    return "[" + ", ".join("?" if size is None else str(size) for size in spec.shape) + "]"
