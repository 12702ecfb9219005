import numpy as np
import pytest
from scipy import stats

from keras_seqgen.decoding.cell_search import auc_interval, aucs, find_trackers, ranks, spearman_correlation

N = 4000


def pairs(values, labels):
    """The AUC by its definition: over all pairs."""
    high, low = values[labels][:, None], values[~labels][None]
    return np.mean((high > low) + 0.5 * (high == low))


@pytest.mark.parametrize("steps", [3, 10_000])  # with many ties, and hardly any
def test_auc_is_the_share_of_pairs_and_scipys_mann_whitney(steps):
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=(301, 4)) * steps) / steps
    labels = rng.random((301, 3)) < [0.5, 0.1, 0.9]
    found = aucs(values, labels)
    assert found.shape == (4, 3)
    for k in range(4):
        for p in range(3):
            label = labels[:, p]
            assert found[k, p] == pytest.approx(pairs(values[:, k], label), abs=1e-12)
            statistic = stats.mannwhitneyu(values[label, k], values[~label, k]).statistic
            assert found[k, p] == pytest.approx(statistic / (label.sum() * (~label).sum()), abs=1e-12)


def test_ranks_and_rank_correlation_are_scipys():
    rng = np.random.default_rng(1)
    a = rng.integers(0, 20, 200)
    b = a + rng.integers(0, 20, 200)
    np.testing.assert_array_equal(ranks(a), stats.rankdata(a))
    assert spearman_correlation(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_a_label_that_never_changes_has_no_auc():
    assert np.isnan(aucs(np.arange(5.0)[:, None], np.ones((5, 1), bool))).all()
    assert np.isnan(auc_interval(np.arange(5.0), np.zeros(5, bool), blocks=2)).all()


def test_interval_is_that_of_resampled_blocks():
    rng = np.random.default_rng(2)
    blocks, draws = 8, 200
    labels = np.repeat(rng.random(100) < 0.4, 7)
    values = np.round(labels + rng.normal(size=700), 1)
    auc, low, high = auc_interval(values, labels, draws=draws, blocks=blocks, seed=5)
    assert auc == pytest.approx(pairs(values, labels), abs=1e-12)
    block = np.arange(700) * blocks // 700
    counts = np.random.default_rng(5).multinomial(blocks, np.full(blocks, 1 / blocks), draws)
    drawn = []
    for times in counts:
        places = np.concatenate([np.flatnonzero(block == b) for b in range(blocks) for _ in range(times[b])])
        drawn.append(pairs(values[places], labels[places]))
    np.testing.assert_allclose([low, high], np.quantile(drawn, [0.025, 0.975]), atol=1e-12)


def test_interval_holds_the_truth_where_neighbours_are_alike():
    rng = np.random.default_rng(3)
    truth = stats.norm.cdf(1 / np.sqrt(2))  # of two normal distributions one standard deviation apart
    hits = widths = 0
    for seed in range(40):
        labels = np.repeat(rng.random(400) < 0.5, 10)
        values = labels + np.repeat(rng.normal(size=400), 10)  # ten places say no more than one
        _, low, high = auc_interval(values, labels, draws=200, seed=seed)
        hits += low < truth < high
        widths += (high - low) / 40
    assert hits >= 33
    alone = auc_interval(values, labels, draws=200, blocks=4000)  # place by place: too narrow
    assert alone[2] - alone[1] < 0.6 * widths


def planted(rng, sign):
    """40 cells of noise, of which number 17 tracks a property a little and 23 well; the property."""
    holds = np.repeat(rng.random(N // 20) < 0.2, 20)
    values = rng.normal(size=(N, 40))
    values[:, 17] += holds
    values[:, 23] += sign * 2.5 * holds
    return values, holds


@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_cell_is_found_with_its_sign(sign):
    values, holds = planted(np.random.default_rng(4), sign)
    held_out = np.arange(N) >= N // 2
    tracker = find_trackers(values, {"planted": holds}, held_out)["planted"]
    assert (tracker.cell, tracker.sign, tracker.threshold, tracker.spearman) == (23, sign, None, None)
    assert tracker.auc == pytest.approx(pairs(sign * values[held_out, 23], holds[held_out]), abs=1e-12)
    assert tracker.low < stats.norm.cdf(2.5 / np.sqrt(2)) < tracker.high
    assert tracker.share == pytest.approx(holds[held_out].mean())
    np.testing.assert_array_equal(tracker.holds(holds), holds)


def test_the_held_out_auc_of_noise_is_a_half_though_the_chosen_one_is_not():
    rng = np.random.default_rng(5)
    holds = rng.random(600) < 0.5
    tracker = find_trackers(rng.normal(size=(600, 500)), {"noise": holds}, np.arange(600) >= 300)["noise"]
    assert tracker.chosen_auc > 0.58
    assert tracker.low < 0.5 < tracker.high


def test_cells_are_not_chosen_on_held_out_text():
    rng = np.random.default_rng(6)
    holds = rng.random(N) < 0.5
    held_out = np.arange(N) >= N // 2
    values = rng.normal(size=(N, 2))
    values[held_out, 0] += 3 * holds[held_out]  # right, but only where nobody may look
    values[~held_out, 1] -= 0.5 * holds[~held_out]
    tracker = find_trackers(values, {"late": holds}, held_out)["late"]
    assert (tracker.cell, tracker.sign) == (1, -1)
    assert tracker.auc == pytest.approx(0.5, abs=0.05)


def test_a_number_is_cut_at_its_median_and_correlated():
    rng = np.random.default_rng(7)
    number = rng.integers(0, 80, N)
    values = rng.normal(size=(N, 6))
    values[:, 3] -= number / 20
    held_out = np.arange(N) % 2 == 1
    tracker = find_trackers(values, {"column": number}, held_out)["column"]
    assert (tracker.cell, tracker.sign) == (3, -1)
    assert tracker.threshold == np.median(number[~held_out])
    wanted = stats.spearmanr(-values[held_out, 3], number[held_out]).statistic
    assert tracker.spearman == pytest.approx(wanted, abs=1e-12)
    assert tracker.auc == pytest.approx(pairs(-values[held_out, 3], number[held_out] > tracker.threshold), abs=1e-12)


def test_properties_that_do_not_change_are_left_out_and_shapes_are_checked():
    rng = np.random.default_rng(8)
    values, held_out = rng.normal(size=(100, 3)), np.arange(100) >= 50
    properties = {"never": np.zeros(100, bool), "odd": np.arange(100) % 2 == 1, "early": ~held_out}
    assert list(find_trackers(values, properties, held_out)) == ["odd"]
    assert find_trackers(values, {"never": properties["never"]}, held_out) == {}
    with pytest.raises(ValueError, match="`short` must have a value for each of 100 places"):
        find_trackers(values, {"short": np.zeros(99, bool)}, held_out)
