"""TensorFlow without the lines that its C++ half writes to standard error before anyone can ask it not to."""

import contextlib
import logging
import os
import sys


def import_tensorflow():
    """Imports TensorFlow and starts its CPU; KERAS_SEQGEN_VERBOSE=1 lets it talk."""
    # As in layers/lattice_filter.py, which nobody imports who runs an exported CRF: there are the reasons.
    os.environ.setdefault("TF_ENABLE_ONEDNN_SPMM", "1")
    with contextlib.ExitStack() as stack:
        if not os.environ.get("KERAS_SEQGEN_VERBOSE"):
            stack.enter_context(_standard_error_closed())
            logging.getLogger("absl").setLevel(logging.ERROR)
        import tensorflow as tf

        tf.config.list_logical_devices()
    return tf


@contextlib.contextmanager
def _standard_error_closed():
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
