"""The command line: parse, call, print. Results go to stdout, progress and messages to stderr."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from lineage_analytics import __version__
from lineage_analytics.commands import COMMANDS, options
from lineage_analytics.errors import LimitError, LineageError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNEXPECTED = 1
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """argparse whose complaints say what was wanted, what was found and what would do."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"Wanted {self.prog} as --help shows it", message, self._suggestion(message))

    def _suggestion(self, message: str) -> str:
        words = message.replace("'", " ").replace(",", " ").split()
        for word in words:
            if word.startswith("--"):
                known = [flag for option in options.OPTIONS.values() for flag in option.flags if flag.startswith("--")]
                if word not in known:
                    return did_you_mean(word.partition("=")[0], known)
        if "choice:" in words:
            return did_you_mean(words[words.index("choice:") + 1], COMMANDS)
        return f"{self.prog} --help"


def parser() -> argparse.ArgumentParser:
    """The parser with every command; nothing heavy is imported for it."""
    top = _Parser(
        prog="lineage",
        description="Lineage graphs, privilege and visibility measures and maturity reports from exported identity, "
                    "service-account and copilot logs. It reads files and never changes a tenant.",
        epilog="Exit codes: 0 complete, 1 unexpected failure, 2 wrong usage, 3 complete but degraded, 4 integrity, "
               "5 nothing assessable, 6 configuration, 7 a limit, memory or disk, 8 another run holds the lock.",
    )
    top.add_argument("--version", action="version", version=f"lineage {__version__}")
    top.add_argument("--config", metavar="F", help="options by the same names; default: lineage.toml here, if any")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, command in COMMANDS.items():
        options.add(subparsers.add_parser(name, help=command.help, description=command.help), command.options)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is the contract of the README."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        given = parser().parse_args(arguments)
        options.complete(given, COMMANDS[given.command].options)
        return COMMANDS[given.command].run(given)
    except LineageError as error:
        _say(error)
        return error.exit_code
    except KeyboardInterrupt:
        _say("Stopped by the keyboard; nothing was published.")
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except MemoryError:
        _say(LimitError("Wanted more memory", "there is no more", "give the run more, or load fewer files at once"))
        return LimitError.exit_code
    except OSError as error:
        return _system_error(error)
    except Exception as error:
        return _unexpected(error)


def _system_error(error: OSError) -> int:
    import errno

    from lineage_analytics.text import printable

    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    name, reason = printable(error.filename or "a file"), printable(error.strerror or error)
    _say(f"Wanted to read or write {name}. Found: {reason}.")
    return LimitError.exit_code if full else UsageError.exit_code


def _unexpected(error: Exception) -> int:
    """One line for the user, the traceback in a file for whoever mends it."""
    import tempfile
    import traceback

    from lineage_analytics.text import printable

    with tempfile.NamedTemporaryFile("w", prefix="lineage-error-", suffix=".txt", delete=False) as file:
        file.write(traceback.format_exc())
    _say(f"Unexpected failure, a defect of ours: {type(error).__name__}: {printable(error)}. Details: {file.name}")
    return _UNEXPECTED


def _say(message: object) -> None:
    sys.stderr.write(f"lineage: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
