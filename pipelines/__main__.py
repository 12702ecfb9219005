"""`python -m pipelines NAME ...`: runs one of the pipelines; `python -m pipelines NAME --help` tells its options."""

import importlib
import logging
import sys

PIPELINES = {
    "handwriting": "pen files (IAM-OnDB, InkML, UNIPEN, QuickDraw, stroke-3, SVG, the embedded corpus)",
    "ink-recognition": "pen files with their texts to features for a recogniser (the formats of handwriting)",
    "script-detection": "pictures of lines in Arabic and Latin, spliced with garbage, to frames with a script for each",
    "segmentation": "pictures with a label for each pixel (Pascal VOC, CamVid, folders of image and mask)",
    "speech": "recordings (WAV) with their texts, or FSDD's spoken digits in strings, to log-mel frames",
    "text": "any text (plain, gz, xz, XML bytes, Penn Treebank), by bytes, characters or words",
    "text-lines": "pictures of lines of print with their texts (.gt.txt, lines.tsv), folders or archives, to frames",
    "voices": "spoken digits in the voices of eSpeak NG or Flite, as WAV files for speech --voices",
}


def main(argv: list[str] | None = None) -> int:
    """Runs the pipeline that the first word names; returns the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv and argv[0] in PIPELINES:
        # Before Beam is imported, which warns about cloud libraries that nobody asked for.
        logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(message)s")
        return importlib.import_module(f"pipelines.{argv[0].replace('-', '_')}").main(argv[1:])
    wants_help = bool(argv) and argv[0] in ("-h", "--help")
    lines = ["usage: python -m pipelines NAME [options]", *(f"  {name:16} {what}" for name, what in PIPELINES.items())]
    if argv and not wants_help:
        lines.append(f"error: there is no pipeline {argv[0]!r}")
    print("\n".join(lines), file=sys.stdout if wants_help else sys.stderr)
    return 0 if wants_help else 2


if __name__ == "__main__":
    sys.exit(main())
