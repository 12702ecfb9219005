"""Errors of rows: a row that cannot be served says why and spares the others of its batch; a broken file does not."""

import tensorflow as tf


def first_error(*rules):
    """The message, a string or (B,) strings, of the first rule (message, (B,) boolean or True) that says something."""
    error = tf.constant("")
    for message, broken in reversed(rules):
        error = tf.where(tf.logical_and(broken, message != ""), message, error)
    return error


def why_it_failed(error: tf.errors.OpError) -> str:
    """What the operation says that failed; before and behind it stand places in a graph."""
    return error.message.split("\n\t")[0].splitlines()[-1]
