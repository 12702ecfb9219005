"""What every command's arguments are made with. Nothing heavy is imported in this package: `--help` is quick."""

import argparse


class Parser(argparse.ArgumentParser):
    """A mistake is one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def add_command(commands, name: str, run: str, summary: str, examples: str) -> argparse.ArgumentParser:
    """A command with its summary, examples and the function that runs it, "module:function" below `commands`."""
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  keras-seqgen {name} {line}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def add_json(command) -> None:
    """The option --json."""
    command.add_argument("--json", action="store_true", help="print one JSON object on standard output")
