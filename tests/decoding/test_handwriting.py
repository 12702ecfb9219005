"""The writing loop, against the network on whole sequences, NumPy retellings and the density."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_seqgen.decoding import handwriting
from keras_seqgen.decoding.handwriting import Lines, past_the_end, start
from keras_seqgen.decoding.noise import point_noise
from keras_seqgen.distributions import StrokeMixture, stroke_mode, stroke_parameters, stroke_sample
from keras_seqgen.models.handwriting import handwriting_synthesis, output_layer, recurrent_layers


@functools.cache
def traced(model):
    return tf.function(functools.partial(handwriting.write, model), autograph=False, reduce_retracing=True)


def write(model, lines, **options):
    return traced(model)(lines, **options)


TEXTS = ["abc", "e", "dead bee.", "a cab", "bee"]


@pytest.fixture(scope="module")
def encode(vocabulary):
    def run(texts, width=0):
        ids = [vocabulary.encode(text) for text in texts]
        width = max(width, *map(len, ids))
        return tf.constant(np.stack([np.pad(row, (0, width - len(row))) for row in ids]))

    return run


def lines_of(text, bias=0.0, limit=300, first_seed=0):
    rows = text.shape[0]
    seed = tf.stack([tf.range(rows) + first_seed, tf.fill([rows], 9)], -1)
    return Lines(text, tf.fill([rows], float(bias)), seed, tf.fill([rows], limit))


def raw_on_whole_sequence(model, strokes, text):
    """What the model, as it is trained, says at each step of lines that were written."""
    delayed = tf.constant(np.pad(strokes, ((0, 0), (1, 0), (0, 0)))[:, :-1])
    return model({"strokes": delayed} if text is None else {"strokes": delayed, "text": text})


def test_every_point_is_drawn_from_what_the_trained_model_says(synthesis, encode):
    text = encode(TEXTS)
    lines = lines_of(text, bias=0.3)
    strokes, length, _ = write(synthesis, lines)
    noise = point_noise(lines.seed, tf.zeros(5, tf.int32), strokes.shape[1])
    parameters = stroke_parameters(raw_on_whole_sequence(synthesis, strokes.numpy(), text), lines.bias[:, None])
    expected = stroke_sample(parameters, noise[..., :2], noise[..., 2:]).numpy()
    for row, end in enumerate(length.numpy()):
        assert end > 5
        np.testing.assert_allclose(strokes[row, :end], expected[row, :end], rtol=1e-3, atol=1e-3)
        assert not strokes[row, end:].numpy().any()


def retold_window(model, strokes, text_length, length):
    """phi (T, `length`) of a single line, in NumPy (Graves 2013, equations 46 to 51)."""
    cell = recurrent_layers(model)[0].cell
    from_points = np.pad(strokes, ((1, 0), (0, 0)))[:-1]
    context = text_length
    state = [np.zeros((1, size)) for size in cell.state_size]
    h, c, w, kappa = state
    kernel, recurrent, peephole, bias, window_kernel, window_bias = (
        x.numpy().astype("float64")
        for x in (
            cell.kernel,
            cell.recurrent_kernel,
            cell.peephole_kernel,
            cell.bias,
            cell.window_kernel,
            cell.window_bias,
        )
    )

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    phis = []
    for x in from_points:
        z = np.concatenate([x[None], w], -1) @ kernel + h @ recurrent + bias
        z_i, z_f, z_c, z_o = np.split(z, 4, -1)
        i, f = sigmoid(z_i + peephole[0] * c), sigmoid(z_f + peephole[1] * c)
        c = f * c + i * np.tanh(z_c)
        h = sigmoid(z_o + peephole[2] * c) * np.tanh(c)
        alpha, beta, step = np.split(np.exp(h @ window_kernel + window_bias), 3, -1)
        kappa = kappa + step
        u = np.arange(1, length + 1)
        phi = sum(alpha[0, k] * np.exp(-beta[0, k] * (kappa[0, k] - u) ** 2) for k in range(alpha.shape[1]))
        phis.append(phi)
        w = phi[None, : len(context)] @ context
    return np.stack(phis)


def test_each_row_stops_by_the_rule_and_by_its_own_text(synthesis, encode, vocabulary):
    strokes, length, _ = write(synthesis, lines_of(encode(TEXTS), limit=2000))
    assert len(set(length.numpy())) > 3
    for row, text in enumerate(TEXTS):
        end, U = int(length[row]), len(text)
        context = np.eye(len(vocabulary))[vocabulary.encode(text) - 1]
        phi = retold_window(synthesis, np.concatenate([strokes[row, :end], np.zeros((1, 3))]), context, U + 1)
        past = phi[:, U] > phi[:, :U].max(axis=1)
        assert past[end]
        assert not past[:end].any()


def test_stop_rule_row_by_row():
    phi = tf.constant([[0.1, 0.2, 0.3, 0.9], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.1, 0.6, 0.2, 0.9]])
    kappa = tf.constant([[0.0, 2.0]] * 4)
    assert past_the_end(phi, kappa, tf.constant([2, 1, 2, 1])).numpy().tolist() == [True, False, False, True]
    kappa = tf.constant([[3.1, 5.0], [2.5, 1.5], [90.0, 3.0], [90.0, 91.0]])
    assert past_the_end(0.0 * phi, kappa, tf.constant([2, 1, 2, 1])).numpy().tolist() == [True, False, False, True]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7, 8, 13, 16, 29, 32, 33, 64])
def test_a_row_is_the_same_alone_in_a_batch_and_under_padding(synthesis, encode, rows):
    rng = np.random.default_rng(rows)
    texts = ["".join(rng.choice(list("abcde ."), 1 + n % 12)) for n in range(64)]
    lines = lines_of(encode(texts), limit=120)
    lines = lines._replace(bias=tf.constant(rng.uniform(0, 2, 64), tf.float32), limit=tf.range(64) + 60)
    strokes, length, _ = write(synthesis, lines)
    for first in range(0, 64 - rows + 1, 21):
        part = Lines(*(x[first : first + rows] for x in lines))
        part = part._replace(text=tf.pad(part.text, [[0, 0], [0, 7 * first]]))
        alone, end, _ = write(synthesis, part)
        np.testing.assert_array_equal(end, length[first : first + rows])
        T = min(alone.shape[1], strokes.shape[1])
        np.testing.assert_array_equal(alone[:, :T], strokes[first : first + rows, :T])


def test_limits_hold_row_by_row(synthesis, encode):
    lines = lines_of(encode(TEXTS))._replace(limit=tf.constant([3, 0, 7, 1, 2]))
    strokes, length, _ = write(synthesis, lines)
    assert length.numpy().tolist() == [3, 0, 7, 1, 2]
    assert strokes.shape == (5, 7, 3)


def test_seeds_tell_lines_apart_and_repeat_them(synthesis, encode):
    text = encode(["abc", "abc"])
    one, two, other = (write(synthesis, lines_of(text, first_seed=n))[0].numpy() for n in (3, 3, 30))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one[0, :9] - one[1, :9]).max() > 0.1
    assert np.abs(one[0, :9] - other[0, :9]).max() > 0.1


def test_chunks_make_up_the_line(synthesis, encode):
    lines = lines_of(encode(TEXTS), bias=0.5)
    strokes, length, _ = write(synthesis, lines)
    pen, parts, total = start(synthesis, 5), [[] for _ in TEXTS], 0
    for turn in range(200):
        wanted = tf.constant([1, 7, 20, turn % 3, 4])
        points, drawn, pen = write(synthesis, lines._replace(limit=wanted), pen=pen)
        total += int(tf.reduce_sum(drawn))
        for row in range(5):
            parts[row].append(points[row, : drawn[row]].numpy())
        if tf.reduce_all(pen.finished):
            break
    assert total == int(tf.reduce_sum(length))
    for row, end in enumerate(length.numpy()):
        np.testing.assert_array_equal(np.concatenate(parts[row]), strokes[row, :end])
        assert int(pen.drawn[row]) == end


def test_primer_leaves_the_network_where_teacher_forcing_does(synthesis, encode):
    rng = np.random.default_rng(3)
    primer = rng.normal(size=(3, 12, 3)).astype("float32")
    lengths = np.array([12, 5, 0], np.int32)
    text = encode(["ab cab", "dead", "bee"])
    lines = lines_of(text)._replace(limit=tf.constant([40, 40, 40]))
    strokes, length, _ = write(synthesis, lines, primer=tf.constant(primer), primer_length=tf.constant(lengths))
    noise = point_noise(lines.seed, tf.zeros(3, tf.int32), 40)
    for row, P in enumerate(lengths):
        end = int(length[row])
        assert end > 3
        whole = np.concatenate([primer[row, :P], strokes[row, :end].numpy()])[None]
        raw = raw_on_whole_sequence(synthesis, whole, text[row : row + 1])[:, P:]
        expected = stroke_sample(stroke_parameters(raw), noise[row, None, :end, :2], noise[row, None, :end, 2:])
        np.testing.assert_allclose(strokes[row, :end], expected[0], rtol=1e-3, atol=1e-3)
    plain, plain_length, _ = write(synthesis, Lines(*(x[2:] for x in lines)))
    np.testing.assert_array_equal(plain_length, length[2:])
    np.testing.assert_array_equal(plain[0, : length[2]], strokes[2, : length[2]])


def test_primed_rows_do_not_meet(synthesis, encode):
    rng = np.random.default_rng(4)
    primer = tf.constant(rng.normal(size=(4, 9, 3)), tf.float32)
    lengths = tf.constant([9, 2, 0, 5])
    lines = lines_of(encode(["ab cab", "dead", "bee", "cc"]), limit=50)
    strokes, length, _ = write(synthesis, lines, primer=primer, primer_length=lengths)
    for row in range(4):
        one = slice(row, row + 1)
        part = Lines(*(x[one] for x in lines))
        alone, end, _ = write(synthesis, part, primer=primer[one, : max(1, lengths[row])], primer_length=lengths[one])
        assert end[0] == length[row]
        np.testing.assert_array_equal(alone[0, : end[0]], strokes[row, : end[0]])


def test_stop_rule_waits_for_the_primer_to_end(synthesis, encode):
    """A primer so long that its window has run past the text: nothing is left to write."""
    primer = tf.zeros((1, 400, 3))
    lines = lines_of(encode(["ab"]))
    _, length, _ = write(synthesis, lines, primer=primer, primer_length=tf.constant([400]))
    assert int(length[0]) == 0


def test_large_bias_draws_the_mode(synthesis, encode):
    text = encode(TEXTS)
    strokes, length, _ = write(synthesis, lines_of(text, bias=300.0))
    parameters = stroke_parameters(raw_on_whole_sequence(synthesis, strokes.numpy(), text))
    mode = stroke_mode(parameters).numpy()
    first, second = np.sort(parameters.log_pi, axis=-1)[..., :-3:-1].transpose(2, 0, 1)
    likeliest = first - second > 0.01  # in a tie, rounding chooses
    for row, end in enumerate(length.numpy()):
        clear = likeliest[row, :end]
        assert clear.mean() > 0.9
        np.testing.assert_allclose(strokes[row, :end, :2][clear], mode[row, :end, :2][clear], atol=1e-3)


def test_first_point_has_the_distribution_of_the_density(synthesis, encode):
    rows = 4000
    text = tf.repeat(encode(["abc"]), rows, axis=0)
    strokes = write(synthesis, lines_of(text, limit=1))[0].numpy()[:, 0]
    raw = raw_on_whole_sequence(synthesis, np.zeros((1, 1, 3), "float32"), text[:1])[0, 0]
    parameters = StrokeMixture(raw).stroke_parameters
    p = type(parameters)(*(x.numpy() for x in parameters))
    pi, e = np.exp(p.log_pi), float(parameters.end_probability)
    rho = np.tanh(p.atanh_rho)
    for column, mean, log_sigma in ((0, p.mean_x, p.log_sigma_x), (1, p.mean_y, p.log_sigma_y)):

        def cdf(x, mean=mean, log_sigma=log_sigma):
            return stats.norm.cdf(x[:, None], mean, np.exp(log_sigma)) @ pi

        assert stats.kstest(strokes[:, column], cdf).pvalue > 1e-3
    covariance = sum(
        w * (r * np.exp(a + b) + x * y)
        for w, r, a, b, x, y in zip(pi, rho, p.log_sigma_x, p.log_sigma_y, p.mean_x, p.mean_y, strict=True)
    ) - (pi @ p.mean_x) * (pi @ p.mean_y)
    product = (strokes[:, 0] - pi @ p.mean_x) * (strokes[:, 1] - pi @ p.mean_y)
    assert abs(product.mean() - covariance) < 4 * product.std() / np.sqrt(rows)
    ends = int(strokes[:, 2].sum())
    assert stats.binomtest(ends, rows, e).pvalue > 1e-3
    edges = np.quantile(strokes[:, 0], [0.2, 0.4, 0.6, 0.8])
    share = np.diff([0, *(stats.norm.cdf(edges[:, None], p.mean_x, np.exp(p.log_sigma_x)) @ pi), 1])
    expected = rows * np.outer(share, [1 - e, e])
    bins = np.digitize(strokes[:, 0], edges)
    observed = np.array([[np.sum((bins == b) & (strokes[:, 2] == end)) for end in (0, 1)] for b in range(5)])
    assert stats.chisquare(observed.ravel(), expected.ravel() * rows / expected.sum()).pvalue > 1e-3


def test_prediction_network_writes_without_a_text(prediction):
    lines = Lines(None, tf.zeros(2), tf.constant([[1, 0], [2, 0]]), tf.constant([30, 12]))
    strokes, length, _ = write(prediction, lines)
    assert length.numpy().tolist() == [30, 12]
    noise = point_noise(lines.seed, tf.zeros(2, tf.int32), 30)
    parameters = stroke_parameters(raw_on_whole_sequence(prediction, strokes.numpy(), None))
    expected = stroke_sample(parameters, noise[..., :2], noise[..., 2:])
    np.testing.assert_allclose(strokes[0], expected[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(strokes[1, :12], expected[1, :12], rtol=1e-3, atol=1e-3)


def test_the_loop_reads_new_weights(synthesis, encode):
    lines = lines_of(encode(["abc"]), limit=5)
    before = write(synthesis, lines)[0]
    bias = output_layer(synthesis).bias
    kept = bias.numpy()
    bias.assign(kept + 0.5)
    after = write(synthesis, lines)[0]
    bias.assign(kept)
    assert np.abs(before - after).max() > 0.01
    np.testing.assert_array_equal(write(synthesis, lines)[0], before)


@pytest.mark.slow
def test_a_row_of_the_full_network_is_the_same_alone_and_in_a_batch(vocabulary, encode):
    """Holds where TensorFlow multiplies with oneDNN or in a single thread: see `decoding.handwriting`."""
    model = handwriting_synthesis(len(vocabulary))
    rng = np.random.default_rng(0)
    lines = lines_of(encode(["".join(rng.choice(list("abcde ."), 1 + n)) for n in range(64)]), limit=600)
    strokes, length, _ = write(model, lines)
    for rows in (1, 2, 3, 4, 7, 16, 31, 32, 64):
        for first in range(0, 65 - rows, max(16, rows)):
            part = slice(first, first + rows)
            alone, end, _ = write(model, Lines(*(x[part] for x in lines)))
            np.testing.assert_array_equal(end, length[part])
            np.testing.assert_array_equal(alone, strokes[part])
