"""SavedModels of a few operations, made in no time."""

import tensorflow as tf


def doubling(folder, version, times=2.0):
    """folder/<version>: y = times x; `slow` does it after n additions."""
    module = tf.Module()
    module.scale = tf.Variable(times)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
    def default(x):
        return {"y": module.scale * x}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x"), tf.TensorSpec((None,), tf.int32, "n")])
    def slow(x, n):
        last = tf.while_loop(lambda i: i < n[0], lambda i: [i + 1], [0], parallel_iterations=1)[0]
        return {"y": module.scale * x, "i": tf.fill(tf.shape(x), last)}

    aside = folder / f".aside-{version}"
    tf.saved_model.save(module, str(aside), signatures={"serving_default": default, "slow": slow})
    aside.rename(folder / str(version))
    return folder / str(version)
