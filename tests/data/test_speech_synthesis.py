"""Speed, gain, noise and strings of words: pure functions of a seed."""

import numpy as np
import pytest
from scipy import signal

from keras_seqgen.data.speech_synthesis import (
    Synthesis,
    add_noise,
    change_gain,
    coloured_noise,
    join_clips,
    resample,
    synthesise,
)

RATE = 8000


def tone(hertz, count=4000, amplitude=0.3):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(count) / RATE)


def pitch(samples):
    """The strongest frequency, in Hz, to a fraction of a bin."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return spectrum.argmax() * RATE / (1 << 17)


@pytest.mark.parametrize("factor", [0.5, 0.85, 1.0, 1.15, 1.7, 2.0])
def test_speed_shortens_and_raises_the_pitch_alike(factor):
    changed = resample(tone(500), factor)
    assert len(changed) == round(4000 / factor)
    assert abs(pitch(changed) / (500 * factor) - 1) < 1e-3
    middle = slice(len(changed) // 4, -len(changed) // 4)
    expected = 0.3 * np.sin(2 * np.pi * 500 * factor * np.arange(len(changed)) / RATE)
    assert np.abs(changed[middle] - expected[middle]).max() < 2e-3


def test_nothing_folds_over():
    assert np.abs(resample(tone(3500), 2.0)[100:-100]).max() < 0.3 * 0.01  # 3500 Hz would come out as 1000 Hz
    assert abs(np.abs(resample(tone(1500), 2.0)[100:-100]).max() / 0.3 - 1) < 0.02


def test_the_same_speed_changes_nothing_and_a_rate_is_scipys():
    x = np.random.default_rng(0).normal(size=1000)
    np.testing.assert_allclose(resample(x, 1.0), x, atol=1e-6)
    smooth = tone(300) + tone(900, amplitude=0.1)
    ours, theirs = resample(smooth, 0.5), signal.resample_poly(smooth, 2, 1)
    assert np.abs(ours[200:-200] - theirs[200:-200]).max() < 2e-3


def test_the_shortest_sounds():
    assert len(resample(np.zeros(0), 1.3)) == 0
    assert len(resample(np.ones(1), 3.0)) == 1
    assert synthesise(np.ones(1), Synthesis(), 0).shape == (1,)
    with pytest.raises(ValueError, match="`factor` must be positive"):
        resample(np.ones(5), 0)


def test_gain_is_in_decibels_and_cut_off():
    x = tone(500, amplitude=0.1)
    np.testing.assert_allclose(change_gain(x, 6.0), x * 10**0.3, rtol=1e-5)
    assert np.abs(change_gain(x, 60.0)).max() == 1


@pytest.mark.parametrize("snr", [0.0, 10.0, 30.0])
def test_the_noise_has_the_ratio_that_is_asked_for(snr):
    x = tone(500, 20000, amplitude=0.05)
    noise = add_noise(x, snr, 1.0, np.random.default_rng(0)) - x
    assert abs(10 * np.log10(np.mean(x**2) / np.mean(noise**2)) - snr) < 0.01


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_the_noise_falls_as_its_slope_says(slope):
    noise = coloured_noise(1 << 17, slope, np.random.default_rng(0))
    assert abs(np.mean(noise**2) - 1) < 1e-6
    frequency, power = signal.welch(noise, RATE, nperseg=4096)
    band = (frequency > 100) & (frequency < 3000)
    fitted = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert abs(fitted + slope) < 0.1


def test_a_seed_decides_everything_and_seeds_differ():
    x = tone(500)
    one = [synthesise(x, Synthesis(), seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(one[0], one[1])
    assert len(one[0]) != len(one[2]) or np.abs(one[0] - one[2]).max() > 0.01
    assert all(sound.dtype == np.float32 and np.abs(sound).max() <= 1 for sound in one)


def test_what_is_drawn_fills_its_ranges():
    x = tone(500, 1000, amplitude=0.2)
    lengths = [len(x) / len(synthesise(x, Synthesis(0.2, 0, None), seed)) for seed in range(200)]
    assert 0.8 <= min(lengths) < 0.82
    assert 1.18 < max(lengths) <= 1.2
    gains = [20 * np.log10(np.abs(synthesise(x, Synthesis(0, 6, None), seed)).max() / 0.2) for seed in range(200)]
    assert -6.01 < min(gains) < -5.5
    assert 5.5 < max(gains) < 6.01
    noises = [synthesise(x, Synthesis(0, 0, (10, 20)), seed) - x for seed in range(100)]
    ratios = [10 * np.log10(np.mean(x**2) / np.mean(noise**2)) for noise in noises]
    assert 9.9 < min(ratios) < 11
    assert 19 < max(ratios) < 20.1
    np.testing.assert_array_equal(synthesise(x, Synthesis(0, 0, None), 3), x.astype(np.float32))


@pytest.mark.parametrize("wrong", [{"speed": 1.0}, {"speed": -0.1}, {"gain": -1}, {"snr": (20, 10)}])
def test_wrong_ranges(wrong):
    with pytest.raises(ValueError, match="`speed` must be in"):
        Synthesis(**wrong)


def test_joined_clips_stand_in_order_with_pauses_of_the_rooms_level():
    rng = np.random.default_rng(0)
    clips = []
    for hertz in (400, 800, 1600):
        clip = 0.004 * rng.normal(size=3000)
        clip[500:2500] += tone(hertz, 2000)
        clips.append(clip)
    joined = join_clips(clips, RATE, seed=5, gap=(0.1, 0.2), gain=3.0)
    np.testing.assert_array_equal(joined, join_clips(clips, RATE, seed=5, gap=(0.1, 0.2), gain=3.0))
    pauses = len(joined) - 9000
    assert 4 * 0.1 * RATE <= pauses <= 4 * 0.2 * RATE + 4
    loud = np.convolve(np.abs(joined), np.ones(200) / 200, "same") > 0.05
    starts = np.flatnonzero(np.diff(loud.astype(int)) == 1)
    assert len(starts) == 3
    for start, hertz in zip(starts, (400, 800, 1600), strict=True):
        assert abs(pitch(joined[start + 200 : start + 1800]) / hertz - 1) < 0.01
        level = np.sqrt(2 * np.mean(joined[start + 400 : start + 1600] ** 2)) / 0.3
        assert -3.2 < 20 * np.log10(level) < 3.2
    lead = joined[: round(0.1 * RATE)]
    assert 0.002 < lead.std() < 0.006
    assert len(join_clips([np.zeros(3)], RATE, 0)) > 3
