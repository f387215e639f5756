"""Every option once: its flag, its check, its default, its help; and the configuration file that may set it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage_analytics.errors import ConfigurationError, UsageError, did_you_mean
from lineage_analytics.loaders.common.places import is_remote
from lineage_analytics.simulation import DAYS, PEOPLE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

CONFIGURATION = "lineage.toml"


@dataclass(frozen=True)
class Option:
    """One option; ``flags`` that do not start with ``-`` are positional. ``convert`` checks text from any origin."""

    flags: tuple[str, ...]
    help: str
    convert: Callable[[str, Any], Any]
    default: Any = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def positional(self) -> bool:
        return not self.flags[0].startswith("-")


def _text(_: str, value: Any) -> str:
    return str(value)


def _path(name: str, value: Any) -> Path:
    if "\0" in str(value):
        raise UsageError(f"Wanted {name} as a path", "found a NUL character in it")
    return Path(str(value))


def _paths(name: str, value: Any) -> list[Path | str]:
    return [str(item) if is_remote(item) else _path(name, item) for item in value]


def _whole(low: int, high: int) -> Callable[[str, Any], int]:
    def convert(name: str, value: Any) -> int:
        text = str(value)
        if isinstance(value, bool) or not text.lstrip("-").isdigit() or not low <= int(text) <= high:
            raise UsageError(f"Wanted {name} as a whole number from {low} to {high}", f"found {text[:40]!r}")
        return int(text)

    return convert


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"Wanted {name} as true or false", f"found {str(value)[:40]!r}")
    return value


def _profile(name: str, value: Any) -> str:
    if value != "analyst":
        found = "board is not built yet" if value == "board" else f"found {str(value)[:40]!r}"
        raise UsageError(f"Wanted {name} analyst", found, "leave it out")
    return "analyst"


OPTIONS: dict[str, Option] = {
    "paths": Option(("paths",), "files, folders, archives or globs of exported logs and inventories, or their "
                    "s3:// abfss:// gs:// https:// addresses", _paths,
                    extra={"nargs": "+", "metavar": "PATH"}),
    "id": Option(("id",), "case, step, record or native event id, ticket key or pull request number", _text,
                 extra={"metavar": "ID"}),
    "name": Option(("name",), "id, login or name of a person or workload", _text, extra={"metavar": "NAME"}),
    "principal": Option(("principal",), "id, ARN, login or name of a principal", _text, extra={"metavar": "WHO"}),
    "anybody": Option(("anybody",), "id or name of a principal; default: all", _text, "",
                      {"metavar": "WHO", "nargs": "?"}),
    "action": Option(("action",), "as the provider writes it, for example s3:GetObject", _text,
                     extra={"metavar": "ACTION"}),
    "resource": Option(("resource",), "ARN, id or pattern; default *, every resource", _text, "*",
                       {"metavar": "RESOURCE", "nargs": "?"}),
    "to": Option(("--to",), "id or name of what is reached; default tier0", _text, "tier0", {"metavar": "WHAT"}),
    "templates": Option(("--templates",), "write templates of the lists a customer keeps by hand", _path, None,
                        {"metavar": "DIR"}),
    "metric_id": Option(("metric_id",), "for example VIS-01", _text, extra={"metavar": "METRIC"}),
    "path": Option(("path",), "run folder, for example reports/current, or bundle", _path, extra={"metavar": "PATH"}),
    "bundle_file": Option(("--out",), "file to write; default: the id of the case, .zip", _path, None,
                          {"metavar": "F", "dest": "bundle_file"}),
    "records": Option(("--records",), "folders or files as delivered, to find the records in",
                      lambda name, value: _paths(name, [value] if isinstance(value, str) else value), [],
                      {"nargs": "+", "action": "extend", "metavar": "PATH"}),
    "sign": Option(("--sign",), "Ed25519 private key in PEM: also sign what is written, beside it", _path, None,
                   {"metavar": "KEY"}),
    "key": Option(("--key",), "Ed25519 private key in PEM", _path, None, {"metavar": "KEY"}),
    "public_key": Option(("--public-key",), "Ed25519 public key in PEM of the signer; exit 3 without a signature, 4 "
                         "when another signed", _path, None, {"metavar": "F"}),
    "extends": Option(("--extends",), "earlier run folder: was all it read also read for this one, unchanged", _path,
                      None, {"metavar": "RUN"}),
    "directory": Option(("directory",), "folder to write; must be empty or absent, or an earlier simulation", _path,
                        extra={"metavar": "DIR"}),
    "workspace": Option(("--workspace",), "folder of the tables; default ./workspace", _path, Path("workspace"),
                        {"metavar": "DIR"}),
    "out": Option(("--out",), "folder of the reports; default ./reports", _path, Path("reports"), {"metavar": "DIR"}),
    "as_of": Option(("--as-of",), "ISO date or time, UTC when no zone is given; default: newest record", _text, "",
                    {"metavar": "TIME"}),
    "window": Option(("--window",), "days of the reporting window; default 30", _whole(1, 3660), 30,
                     {"metavar": "DAYS"}),
    "lookback": Option(("--lookback",), "days of the usage look-back; default 90", _whole(1, 3660), 90,
                       {"metavar": "DAYS"}),
    "profile": Option(("--profile",), "analyst; default analyst", _profile, "analyst", {"metavar": "NAME"}),
    "summary_file": Option(("--summary-file",), "write one line, then JSON, about the run", _path, None,
                           {"metavar": "F"}),
    "force": Option(("--force",), "publish even when nothing changed", _flag, False, {"action": "store_true"}),
    "json": Option(("--json",), "one JSON document on stdout", _flag, False, {"action": "store_true"}),
    "metric": Option(("--metric",), "only this metric; may be repeated", lambda _, v: [str(x) for x in v], [],
                     {"action": "append", "metavar": "ID"}),
    "scope": Option(("--scope",), "only this variant", _text, "", {"metavar": "SCOPE"}),
    "limit": Option(("--limit",), "objects to show; default 20", _whole(1, 1_000_000), 20, {"metavar": "N"}),
    "require_anchor": Option(("--require-anchor",), "exit 3 when it is intact but not signed by --public-key", _flag,
                             False, {"action": "store_true"}),
    "seed": Option(("--seed",), "same seed and sizes, same bytes; default 7", _whole(0, 2**31), 7, {"metavar": "N"}),
    "people": Option(("--people",), f"people in the organisation, {PEOPLE[0]} to {PEOPLE[1]}; default 200",
                     _whole(*PEOPLE), 200, {"metavar": "N"}),
    "days": Option(("--days",), f"days of logs, {DAYS[0]} to {DAYS[1]}; default 120", _whole(*DAYS), 120,
                   {"metavar": "N"}),
    "scale": Option(("--scale",), "rows of everyday activity beyond the story; default 0", _whole(0, 10**9), 0,
                    {"metavar": "ROWS"}),
}


def add(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Give a parser the options; defaults stay None, so that a configuration file can set what was not typed."""
    for name in names:
        option = OPTIONS[name]
        settings = {"default": None, **option.extra} if not option.positional else option.extra
        parser.add_argument(*option.flags, help=option.help, **settings)


def complete(given: argparse.Namespace, names: Iterable[str]) -> None:
    """Fill what was not typed from the configuration file, then from the defaults; check every value."""
    configured, file = _configuration(given.config)
    for name in names:
        option = OPTIONS[name]
        shown = option.flags[0]
        typed = getattr(given, name)
        if typed is not None:
            setattr(given, name, option.convert(shown, typed))
        elif name in configured:
            try:
                setattr(given, name, option.convert(name, configured[name]))
            except UsageError as error:
                raise ConfigurationError(f"{error.wanted} in {file}", error.found, error.would_do) from None
        else:
            setattr(given, name, option.default)


def _configuration(named: str | None) -> tuple[dict[str, Any], str]:
    path = Path(named or CONFIGURATION)
    if not path.is_file():
        if named:
            raise UsageError(f"Wanted a configuration file at {named}", "there is none", "check the path")
        return {}, ""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Wanted TOML in {path}", str(error), "mend or remove the file") from None
    keys = {key.replace("-", "_"): key for key in found}
    known = {name for name, option in OPTIONS.items() if not option.positional}
    for key, written in keys.items():
        if key not in known:
            raise ConfigurationError(f"Wanted known options in {path}", f"found {written!r}", did_you_mean(key, known))
    return {key: found[written] for key, written in keys.items()}, str(path)
