"""How TensorFlow Serving may join requests to a batch: for all models together, and for one version.

`batching.config`, beside the models, gives the threads, which all models share. With the flag
`--enable_per_model_batching_parameters` TensorFlow Serving joins requests only for a version that holds
`batching_params.pbtxt`, by that file's numbers. A version gets one where joining cannot change a row's result: requests
whose inputs differ in an inner dimension are padded for the batch, so something must tell a row's own length; and no
row may fail the others, as a picture or WAV file does that breaks off.
"""

from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

BATCHING_PARAMETERS = "batching_params.pbtxt"
_FILES = ("image", "wav")  # inputs that are decoded
MAX_BATCH = 128  # rows; `decoding.line_writer` asks for so many at once

_SIZES = f"""\
max_batch_size {{ value: {MAX_BATCH} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
pad_variable_length_inputs: true
"""
BATCHING_CONFIG = f'{_SIZES}num_batch_threads {{ value: 4 }}\nthread_pool_name {{ value: "batches" }}\n'
MODEL_BATCHING = _SIZES


def may_be_joined(signature: SignatureDef) -> bool:
    """Whether every row's result stays as it is when rows of other requests stand beside it.

    A length must go with each input of unknown inner size: `length`, or for `x` `x_length`, or for `PREFIX_x`
    `PREFIX_length`. None may be a file: one that breaks off fails all rows.
    """
    for name, info in signature.inputs.items():
        if name in _FILES:
            return False
        if any(size.size < 0 for size in info.tensor_shape.dim[1:]):
            lengths = {"length", f"{name}_length", f"{name.rpartition('_')[0]}_length"}
            if not lengths & set(signature.inputs):
                return False
    return True
