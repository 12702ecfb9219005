"""Rivals measured in turn, so that a machine whose speed drifts slows all of them alike."""

import statistics
import time


def measure_in_turn(rivals, rounds=7):
    """Seconds per call of each rival: one warm-up, then `rounds` rounds of one call each, in turn.

    Args:
        rivals: dict of name -> function without arguments.
        rounds: the number of rounds.

    Returns:
        dict of name -> list of `rounds` seconds.
    """
    for call in rivals.values():
        call()
        call()
    seconds = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, call in rivals.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds, a, b):
    """The median over rounds of a's time over b's."""
    return statistics.median(x / y for x, y in zip(seconds[a], seconds[b], strict=True))
