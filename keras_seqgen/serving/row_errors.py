"""Errors of rows: a row that cannot be served says why and spares the others of its batch."""

import tensorflow as tf


def first_error(*rules):
    """The message, a string or (B,) strings, of the first rule (message, (B,) boolean or True) that says something."""
    error = tf.constant("")
    for message, broken in reversed(rules):
        error = tf.where(tf.logical_and(broken, message != ""), message, error)
    return error
