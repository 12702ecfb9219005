"""A pipeline's own options beside those of Beam, and what each pipeline does with a command line."""

import argparse
import logging
import sys
from collections.abc import Callable

from apache_beam.options.pipeline_options import PipelineOptions

from keras_seqgen.errors import UserError


def parse(
    name: str, argv: list[str], description: str | None, examples: str, add_arguments: Callable
) -> tuple[argparse.Namespace, PipelineOptions]:
    """The pipeline's own options, and those of Beam.

    They are no subclass of `PipelineOptions`: all of its subclasses in a process share one name space, in which two
    pipelines could not both have an `--input`, and Beam itself has `--labels` (of a job in Google's cloud).

    Raises:
        UserError: an option that neither of the two has, or a word that belongs to no option.
    """
    parser = argparse.ArgumentParser(
        f"python -m pipelines {name}",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser)
    own, beam_flags = parser.parse_known_args(argv)
    options = PipelineOptions(beam_flags)
    parsers: list[argparse.ArgumentParser] = []  # Beam's own
    everything = options.get_all_options(
        drop_default=True, retain_unknown_options=True, add_extra_args_fn=parsers.append
    )
    unknown = everything.keys() - PipelineOptions([]).get_all_options().keys()
    if unknown:
        raise UserError(f"unknown option: {' '.join(sorted('--' + name for name in unknown))}. See --help.")
    if stray := parsers[0].parse_known_args(beam_flags)[1]:  # Beam passes over them in silence
        raise UserError(f"{' '.join(map(repr, stray))} belongs to no option. See --help.")
    return own, options


def command(
    name: str,
    argv: list[str] | None,
    description: str | None,
    examples: str,
    add_arguments: Callable,
    prepare: Callable[[argparse.Namespace, PipelineOptions], int],
) -> int:
    """Runs `prepare` with the options of a command line, `sys.argv`'s by default.

    Returns:
        What `prepare` returns; 2 after a user's mistake, named in one line on standard error.
    """
    logging.getLogger("pipelines").setLevel(logging.INFO)
    try:
        return prepare(*parse(name, sys.argv[1:] if argv is None else list(argv), description, examples, add_arguments))
    except SystemExit as stop:  # argparse: --help, or a mistake that it has told
        return int(stop.code or 0)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
