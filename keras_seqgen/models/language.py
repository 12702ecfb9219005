"""Language models over characters, bytes or words: Graves's networks (2013, section 3) and their modern relatives."""

import keras
from keras import layers, ops

from keras_seqgen.layers import CarriedState, OneHot, PeepholeLSTM, ScheduledSampling, TokenEmbedding

# Of the rows that stand for a one-hot token. A kernel's usual scale, 0.02 for so many units, is for inputs of many
# numbers, not of a single one: with it the first hundred updates on the Penn Treebank stay at 2.9 nats a character,
# with this they reach 1.9. The row of a rare word stays where it starts: words want less.
TABLE_STDDEV = 0.3
CELLS = ("peephole_lstm", "lstm", "gru", "simple_rnn")


def language_graph(tokens, part):
    """The wiring, once: every layer sees the token and the layer below; the output sees every layer, or the last.

        h1 = recurrent_1(x)        hn = recurrent_n([x, h(n-1)])  or, without skips,  hn = recurrent_n(h(n-1))
        logits = output([h1, ..., hN])                            or, without skips,  logits = output(hN)

    Training calls it with layers and whole sequences, sampling with cells and one step.

    Args:
        tokens: (...,) int32 ids, 0 for "nothing yet".
        part: a function from a name to a callable, or to `None` where the network has no such part:
            "embedding"     ids -> x
            "tokens_n"      ids -> their share in the gates of layer n (a table that stands for one-hot times kernel)
            "below_n"       h(n-1) -> its share in the gates of layer n > 1, beside "tokens_n"
            "recurrent_n"   the recurrent layer
            "dropout_0", "dropout_n"    what x, and each hn, pass through
            "all_layers"    a list of h -> one tensor; a network without it has no skips
            "output"        -> logits (..., V) of the ids 1..V

    Returns:
        What "output" returns.

    Source: Graves 2013, section 2, equations 1 to 6.
    """

    def through(name, x):
        layer = part(name)
        return x if layer is None else layer(x)

    embedding, join = part("embedding"), part("all_layers")
    x = None if embedding is None else through("dropout_0", embedding(tokens))
    hidden: list = []
    while (recurrent := part(f"recurrent_{len(hidden) + 1}")) is not None:
        n = len(hidden) + 1
        if part(f"tokens_{n}") is not None:
            entering = part(f"tokens_{n}")(tokens)
            if hidden:
                entering = entering + part(f"below_{n}")(hidden[-1])
        elif hidden and join is not None:
            entering = ops.concatenate([x, hidden[-1]], axis=-1)
        else:
            entering = hidden[-1] if hidden else x
        hidden.append(through(f"dropout_{n}", recurrent(entering)))
    return part("output")(hidden[-1] if join is None else join(hidden))


def char_lm(vocabulary_size, units=1000, depth=1, **options):
    """A network that predicts the next character (or byte); see `language_model`.

    Example:

        >>> char_lm(49).count_params()  # Graves 2013, section 3.1: 4.25 M
        4252049
    """
    return language_model(vocabulary_size, units, depth, name="char_lm", **options)


def word_lm(vocabulary_size, units=1000, depth=1, **options):
    """A network that predicts the next word; see `language_model`.

    Example:

        >>> word_lm(10_000).count_params()  # Graves 2013, section 3.1: 54.0 M
        54017000
    """
    return language_model(vocabulary_size, units, depth, name="word_lm", **options)


def language_model(
    vocabulary_size,
    units,
    depth,
    cell="peephole_lstm",
    embedding=0,
    tied=False,
    gradient_clip=1.0,
    product_dtype=None,
    table_stddev=TABLE_STDDEV,
    dropout_tokens=0.0,
    dropout_input=0.0,
    dropout_hidden=0.0,
    dropout_output=0.0,
    scheduled_sampling=0.0,
    sampling_ramp=1,
    batch_size=None,
    wrap=lambda layer: layer,
    name="language_model",
):
    """A network that predicts the next token.

    Args:
        vocabulary_size: V, the number of tokens, with ids 1..V.
        units: H, cells in each layer.
        depth: N, the number of layers.
        cell: "peephole_lstm", "lstm", "gru" or "simple_rnn".
        embedding: E, the width of a learned embedding, or 0 for one-hot input.
        tied: whether the output uses the embedding's table. The network then has no skips, and its last layer has E
            units.
        gradient_clip: bound on the derivatives at the gates of a peephole LSTM, or `None`.
        product_dtype: of the products of a peephole LSTM in training, or `None`; see `layers.PeepholeLSTM`.
        table_stddev: standard deviation at the start of what a one-hot token adds to each gate of a peephole LSTM.
        dropout_tokens: fraction of the vocabulary that is dropped from the embedding at each update.
        dropout_input, dropout_hidden, dropout_output: dropout, with one mask for all time steps, of the embedded input,
            of all layers but the last, and of the last.
        scheduled_sampling, sampling_ramp: see `layers.ScheduledSampling`; 0 is off, as it should be.
        batch_size: B, for a model whose state is carried from one batch to the next (`CarriedState`); `None` for one
            whose every row starts from zero.
        wrap: applied to each layer that has weights, for weight noise; it must keep the layer's name.
        name: of the model.

    Returns:
        An uncompiled `keras.Model`: {"tokens": (B, T) int32} and, with `batch_size`, {"fresh": (B,) bool} -> logits
        (B, T, V) float32 of the token that follows each; see `language_graph`.

    Raises:
        ValueError: an unknown cell, a `product_dtype` for another than the peephole LSTM, or a tied output without an
            embedding.

    Source: Graves 2013, sections 2 and 3; Merity et al. 2018 for the dropouts; Press and Wolf 2017 for the tied output.
    """
    if cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}. Received: cell={cell}")
    if product_dtype and cell != "peephole_lstm":
        raise ValueError(f"`product_dtype` is of the peephole LSTM. Received: cell={cell}, {product_dtype=}")
    if tied and not embedding:
        raise ValueError("`tied` needs an `embedding`. Received: embedding=0")
    parts = {}
    tables = not embedding and cell == "peephole_lstm"
    if embedding:
        table = TokenEmbedding(vocabulary_size, embedding, dropout_tokens, reverse_bias=tied, name="embedding")
        parts["embedding"] = wrap(table)
    elif not tables:
        parts["embedding"] = OneHot(vocabulary_size, name="embedding")
    dropouts = [dropout_input, *[dropout_hidden] * (depth - 1), dropout_output]
    for n, rate in enumerate(dropouts):
        if rate:
            parts[f"dropout_{n}"] = layers.SpatialDropout1D(rate, name=f"dropout_{n}")
    for n in range(1, depth + 1):
        size = embedding if tied and n == depth else units
        if tables:
            start = keras.initializers.RandomNormal(stddev=table_stddev)
            table = TokenEmbedding(vocabulary_size, 4 * size, embeddings_initializer=start, name=f"tokens_{n}")
            parts[f"tokens_{n}"] = wrap(table)
            if n > 1:
                parts[f"below_{n}"] = wrap(layers.Dense(4 * size, use_bias=False, name=f"below_{n}"))
        parts[f"recurrent_{n}"] = wrap(
            _recurrent(cell, size, gradient_clip, product_dtype, not tables, f"recurrent_{n}")
        )
    if depth > 1 and not tied:
        parts["all_layers"] = layers.Concatenate(name="all_layers")
    if not tied:
        parts["output"] = wrap(layers.Dense(vocabulary_size, dtype="float32", name="output"))
    if scheduled_sampling:
        parts["sampling"] = ScheduledSampling(scheduled_sampling, sampling_ramp, name="sampling")
    return _wire(parts, batch_size, name)


def with_batch_size(model, batch_size):
    """The same network over the same weights with a state of its own, for another number of rows.

    Args:
        model: of `language_model`.
        batch_size: B, or `None` for a model without carried state.

    Returns:
        An uncompiled `keras.Model` that shares every weight with `model`. The state of `model` is not touched by it.
    """
    parts = network_parts(model)
    parts.pop("sampling", None)  # which is of training alone
    return _wire(parts, batch_size, model.name)


def network_parts(model):
    """The layers of a language model by the names of `language_graph`, wrappers kept, without `CarriedState`."""
    parts = {layer.name: layer for layer in model.layers}
    carried = {name.replace("carried", "recurrent"): parts.pop(name).layer for name in [*parts] if "carried_" in name}
    return parts | carried


def copy_weights(source, target):
    """Start `target` from the weights of `source`, a network of the same sizes with or without weight noise.

    Raises:
        ValueError: the sizes differ.
    """
    old, new = (
        {name: part.layer if isinstance(part, layers.Wrapper) else part for name, part in network_parts(model).items()}
        for model in (source, target)
    )
    names = [{name for name, layer in parts.items() if layer.trainable_variables} for parts in (old, new)]
    if names[0] != names[1]:
        raise ValueError(f"the layers differ: {', '.join(sorted(names[0] ^ names[1]))}")
    for name in names[0]:
        for variable, value in zip(new[name].trainable_variables, old[name].trainable_variables, strict=True):
            variable.assign(value)


def _wire(parts, batch_size, name):
    """The functional model over layers by name."""
    tokens = keras.Input(batch_shape=(batch_size, None), dtype="int32", name="tokens")
    fresh = keras.Input(batch_shape=(batch_size,), dtype="bool", name="fresh") if batch_size else None

    carried = {
        key: CarriedState(layer, batch_size, name=key.replace("recurrent", "carried"))
        for key, layer in parts.items()
        if batch_size and key.startswith("recurrent_")
    }

    def network(tokens, advance):
        def part(key):
            layer = parts.get(key)
            if key in carried:
                return lambda x: carried[key](x, fresh=fresh, advance=advance)
            if key.startswith("recurrent_") and layer is not None:
                return lambda x: layer(x)[0]
            return tied_output(parts) if key == "output" and layer is None else layer

        return language_graph(tokens, part)

    if "sampling" in parts:
        logits = network(parts["sampling"]([tokens, network(tokens, advance=False)]), advance=True)
    else:
        logits = network(tokens, advance=True)
    inputs = {"tokens": tokens} if batch_size is None else {"tokens": tokens, "fresh": fresh}
    return keras.Model(inputs, logits, name=name)


def tied_output(parts):
    """The output of a network that has no layer of its own for it: the embedding's table, turned round."""
    return lambda h: ops.cast(parts["embedding"](h, reverse=True), "float32")


def _recurrent(cell, units, gradient_clip, product_dtype, use_kernel, name):
    options = {"return_sequences": True, "return_state": True, "name": name}
    if cell == "peephole_lstm":
        options |= {"gradient_clip": gradient_clip, "product_dtype": product_dtype}
        return PeepholeLSTM(units, use_kernel=use_kernel, **options)
    return {"lstm": layers.LSTM, "gru": layers.GRU, "simple_rnn": layers.SimpleRNN}[cell](units, **options)
