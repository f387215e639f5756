"""The notebooks of a report: typed parameters, runs through papermill, and the same for reading as HTML.

A run gets its parameters as plain text and numbers that were checked here, its own kernel of this interpreter with an
encrypted connection, an environment without inherited secrets, and no profile or history of the user. What it leaves
holds no times, durations or paths: equal inputs give equal bytes.
"""

from __future__ import annotations

import html
import logging
import os
import shutil
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lineage_analytics.errors import LineageError, UsageError, did_you_mean
from lineage_analytics.reporting import notebook_html
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.workspace.estate import Estate

NAMES = ("01_coverage", "02_privilege", "03_decisions", "04_copilot", "05_maturity", "06_acceleration")
WORKSPACE_SHOWN = "<workspace>"
_AT_ONCE = 2
_START_SECONDS = 120
_CELL_SECONDS = 3_600
_UNANSWERED = "before replying"
"""What jupyter_client says of a kernel that died at its start."""
_KEPT_ENVIRONMENT = (
    "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "POLARS_MAX_THREADS", "PYTHONPATH", "SYSTEMROOT",
    "TEMP", "TMP", "TMPDIR", "USER", "VIRTUAL_ENV",
)
_TYPES = {"string_type": "text", "int_type": "a whole number", "int_from_float": "a whole number"}


class Parameters(BaseModel):
    """The parameters of every notebook; names and defaults are those of its cell tagged ``parameters``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    workspace: str = Field("", description="workspace folder; empty: the synthetic sample, built on first use")
    as_of: str = Field("", description="end of the window, ISO date or time; empty: the newest record")
    window: int = Field(30, ge=1, le=3_660, description="reporting window in days")
    lookback: int = Field(90, ge=1, le=3_660, description="usage look-back in days")
    scope: Literal["all"] = Field("all", description="part of the estate; today only all of it")
    profile: Literal["analyst", "board"] = Field("analyst", description="analyst, or board: no names of people")


def parameters(values: Mapping[str, object]) -> Parameters:
    """The parameters of a run, checked before anything runs.

    Raises
    ------
    UsageError : an unknown name, a wrong type or a value outside its limits; the message says what would do.
    """
    known = list(Parameters.model_fields)
    for name in values:
        if name not in known:
            raise UsageError(f"Wanted a notebook parameter, one of {', '.join(known)}",
                             f"found {printable(name, 60)!r}", did_you_mean(str(name), known))
    try:
        made = Parameters.model_validate(dict(values))
    except ValidationError as error:
        raise _wrong(error, values) from None
    for name in ("workspace", "as_of", "scope"):
        text = getattr(made, name)
        if not text.isprintable():
            raise UsageError(f"Wanted the notebook parameter {name} as printable text",
                             f"found {printable(text, 60)!r}", "leave out control characters")
    return made


def _wrong(error: ValidationError, values: Mapping[str, object]) -> UsageError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    wanted = _TYPES.get(first["type"])
    if first["type"] == "literal_error":
        allowed = get_args(Parameters.model_fields[name].annotation)
        wanted = f"one of {', '.join(allowed)}"
    elif wanted is None:
        wanted = first["msg"].removeprefix("Input should be ")
    found = values[name]
    return UsageError(f"Wanted the notebook parameter {name} as {wanted}",
                      f"found {printable(repr(found), 60)} ({type(found).__name__})",
                      f"{name}: {Parameters.model_fields[name].description}")


def source(name: str) -> Path:
    """The notebook of that name as shipped.

    Raises
    ------
    UsageError : no notebook of that name, or the notebooks do not stand beside the package.
    """
    if name not in NAMES:
        raise UsageError(f"Wanted a notebook, one of {', '.join(NAMES)}", f"found {printable(name, 60)!r}",
                         did_you_mean(name, NAMES))
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks", Path.cwd() / "notebooks"):
        if (folder / f"{name}.ipynb").is_file():
            return folder / f"{name}.ipynb"
    raise UsageError(f"Wanted the notebook {name}.ipynb", "it does not stand beside the package or in ./notebooks",
                     "run from the project's root")


def execute(notebook: Path, out: Path, given: Parameters) -> Path:
    """Run a notebook and write it with its outputs, free of times and paths.

    Parameters
    ----------
    notebook : the notebook to run; it is not changed.
    out : file to write; its folder is made when it is not there.
    given : checked parameters, see ``parameters``.

    Raises
    ------
    LineageError : a cell failed or the kernel did not start; one line names notebook, cell and error.
    """
    nbformat = import_module("nbformat")  # untyped, and slow to import
    ran = _run(nbformat.read(notebook, as_version=4), notebook.stem, given)
    scrubbed = scrub(ran, given)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.part")
    partial.write_text(nbformat.writes(scrubbed) + "\n", encoding="utf-8")
    partial.replace(out)
    return out


def _run(notebook: Any, name: str, given: Parameters) -> Any:
    papermill = import_module("papermill")
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    private = Path(tempfile.mkdtemp(prefix="lineage-notebook-"))
    try:
        try:
            return _executed(notebook, given, private)
        except RuntimeError as error:
            # Kernels that start at once may be given one port between them; the next start gets another.
            if _UNANSWERED not in str(error):
                raise
            return _executed(notebook, given, private)
    except papermill.PapermillExecutionError as error:
        said = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
        raise LineageError(f"Wanted notebook {name} to run", f"cell {error.cell_index} failed with "
                           f"{printable(said, 300)}", f"open notebooks/{name}.ipynb in JupyterLab to see it") from None
    except (RuntimeError, OSError, TimeoutError) as error:
        raise LineageError(f"Wanted a kernel to run notebook {name}", printable(error, 300),
                           "lineage doctor says whether this machine can run notebooks") from error
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _executed(notebook: Any, given: Parameters, private: Path) -> Any:
    kernels = import_module("lineage_analytics.reporting.kernels")
    return import_module("papermill").execute_notebook(
        notebook, None, parameters=_plain(given), kernel_name="python3", language="python", progress_bar=False,
        start_timeout=_START_SECONDS, execution_timeout=_CELL_SECONDS, kernel_manager_class=kernels.MANAGER,
        config=import_module("traitlets.config").Config({"KernelManager": {"transport_encryption": "required"},
                       kernels.SECTION: {"environment": _environment(private)}}),
    )


def _plain(given: Parameters) -> dict[str, str | int]:
    """Parameters as exactly str and int: papermill writes any other object into the notebook's code as it is."""
    made: dict[str, str | int] = {}
    for name, value in given.model_dump(mode="json").items():
        made[name] = int(value) if isinstance(value, int) else str(value)
    if given.workspace:
        made["workspace"] = str(Path(given.workspace).resolve())
    return made


def _environment(private: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    return {**kept, "IPYTHONDIR": str(private / "ipython"), "JUPYTER_CONFIG_DIR": str(private / "jupyter"),
            "PYTHONHASHSEED": "0", "TZ": "UTC", "PYTHONUTF8": "1"}


def scrub(notebook: Any, given: Parameters) -> Any:
    """The notebook without what differs between equal runs or tells of the machine: times, durations, ids, paths."""
    for part in (notebook.metadata, *(cell.metadata for cell in notebook.cells)):
        for key in ("papermill", "execution", "widgets"):
            part.pop(key, None)
    notebook.metadata["language_info"] = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    secret = _spoken(given)
    for at, cell in enumerate(notebook.cells):
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"
            cell["source"] = _shown_parameters(given)
        elif not cell.get("id"):
            cell["id"] = f"cell-{at}"
        if cell.cell_type == "code":
            kept = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
            cell["outputs"] = [_without(output, secret) for output in kept]
    return notebook


def _shown_parameters(given: Parameters) -> str:
    shown = _plain(given)
    if given.workspace:
        shown["workspace"] = WORKSPACE_SHOWN
    return "# Parameters of this run\n" + "\n".join(f"{name} = {value!r}" for name, value in shown.items())


def _spoken(given: Parameters) -> dict[str, str]:
    """Paths that must not be read in an output, with the words that stand for them, longest first."""
    found = {str(Path.home()): "~", str(Path.cwd()): ".", sys.prefix: "<python>", sys.base_prefix: "<python>"}
    if given.workspace:
        found |= {given.workspace: WORKSPACE_SHOWN, str(Path(given.workspace).resolve()): WORKSPACE_SHOWN}
    written = {form: words for path, words in found.items() if len(path) > 4 for form in _forms(path)}
    return {form: written[form] for form in sorted(written, key=lambda f: (-len(f), f))}


def _forms(path: str) -> set[str]:
    """The path as it stands in text, in a Python literal and in HTML."""
    return {path, repr(path)[1:-1], html.escape(path)}


def _without(value: Any, secret: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for path, words in secret.items():
            value = value.replace(path, words)
    elif isinstance(value, dict):
        for key in value:
            value[key] = _without(value[key], secret)
    elif isinstance(value, list):
        return [_without(item, secret) for item in value]
    return value


@dataclass(frozen=True)
class Running:
    """Notebooks on their way; ``finish`` waits for them."""

    pool: ThreadPoolExecutor
    made: Mapping[str, Future[Path]]

    def finish(self) -> list[str]:
        """The names of the notebooks, once all are written as ``.ipynb`` and ``.html``.

        Raises
        ------
        LineageError : one of them failed; those not yet begun are not begun.
        """
        try:
            for future in self.made.values():
                future.result()
        finally:
            self.pool.shutdown(wait=True, cancel_futures=True)
        return list(self.made)


def start(estate: Estate, folder: Path, names: Iterable[str] = NAMES, profile: str = "analyst") -> Running:
    """Begin to run the notebooks on an estate's workspace, two at a time, into ``folder``.

    The estate's moment is passed on to the microsecond, so that every notebook reads the same window.
    """
    if estate.directory is None:
        raise LineageError("Wanted an estate that was opened from a workspace", "it stands in memory only",
                           "la.read(..., workspace=DIR) keeps one")
    given = parameters({
        "workspace": str(estate.directory), "as_of": estate.as_of.isoformat(), "window": estate.window_days,
        "lookback": estate.lookback_days, "profile": profile,
    })
    chosen = list(names)
    sources = {name: source(name) for name in chosen}
    folder.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="notebook")
    return Running(pool, {name: pool.submit(_publish, sources[name], folder, given, chosen) for name in chosen})


def _publish(notebook: Path, folder: Path, given: Parameters, names: list[str]) -> Path:
    ran = execute(notebook, folder / notebook.name, given)
    links = notebook_html.links(names, notebook.stem)
    return notebook_html.to_html(ran, folder / f"{notebook.stem}.html", links)
