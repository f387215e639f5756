"""The notebooks as shipped, their parameters, their runs, and what a reader gets to see of them."""

from __future__ import annotations

import getpass
import importlib
import json
import os
import re
import socket
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lineage_analytics.errors import LineageError, UsageError
from lineage_analytics.reporting import notebook_html, notebooks

nbformat: Any = importlib.import_module("nbformat")  # its functions are not typed
FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SHIPPED = [FOLDER / f"{name}.ipynb" for name in notebooks.NAMES]


def made(*cells: str | tuple[str, str], parameters: bool = True) -> Any:
    """A notebook of code cells, and of markdown cells given as ("md", text)."""
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}})
    if parameters:
        text = 'workspace: str = ""\nas_of: str = ""\nwindow: int = 30\nlookback: int = 90\nscope: str = "all"\nprofile: str = "analyst"'
        book.cells.append(nbformat.v4.new_code_cell(text, id="parameters", metadata={"tags": ["parameters"]}))
    for at, cell in enumerate(cells):
        build = nbformat.v4.new_code_cell if isinstance(cell, str) else nbformat.v4.new_markdown_cell
        book.cells.append(build(cell if isinstance(cell, str) else cell[1], id=f"c{at}"))
    return book


def written(folder: Path, book: Any, name: str = "n") -> Path:
    path = folder / f"{name}.ipynb"
    nbformat.write(book, path)
    return path


class Page(HTMLParser):
    """Elements, and whatever of a page would load something or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.without_alt = 0
        self.policy = ""
        self.links: list[str] = []
        self.styles = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        for name, value in held.items():
            if (name in {"src", "srcset", "data", "poster", "action", "background"} and not value.startswith("data:")) or name.startswith("on"):
                self.loads.append(f"{tag} {name}={value}")
        self.styles += held.get("style", "")
        if "href" in held:
            self.links.append(held["href"])
        if tag == "img" and not held.get("alt"):
            self.without_alt += 1
        if tag == "meta" and held.get("http-equiv") == "Content-Security-Policy":
            self.policy = held["content"]


    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style":
            self.styles += data


def check_page(path: Path) -> Page:
    text = path.read_text("utf-8")
    page = Page(text)
    assert not page.loads
    assert not page.without_alt
    assert not {"script", "iframe", "object", "embed", "link", "base", "form", "svg", "video", "audio"} & set(page.tags)
    assert "default-src 'none'" in page.policy
    assert "script-src 'none'" in page.policy
    assert not re.findall(r"url\(|@import", page.styles)
    assert all(link.startswith("#") or re.fullmatch(r"[\w./-]+\.html", link) for link in page.links)
    return page


# --- as shipped ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", SHIPPED, ids=notebooks.NAMES)
def test_parameters_of_a_notebook_are_those_of_the_model(path: Path) -> None:
    import papermill
    found = papermill.inspect_notebook(str(path))
    types = {str: "str", int: "int"}
    wanted = {
        name: (types[type(field.default)], field.default) for name, field in notebooks.Parameters.model_fields.items()
    }
    assert {name: (p["inferred_type_name"], json.loads(p["default"])) for name, p in found.items()} == wanted


@pytest.mark.parametrize("path", SHIPPED, ids=notebooks.NAMES)
def test_a_notebook_is_committed_without_outputs_and_reads_as_an_article(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.metadata["kernelspec"]["name"] == "python3"
    assert len({cell.id for cell in book.cells}) == len(book.cells)
    first, last = book.cells[0], book.cells[-1]
    assert first.cell_type == last.cell_type == "markdown"
    assert re.match(r"# .+\?\n\n\S", first.source)
    text = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert "## What this cannot say" in text
    assert "## What to do next" in text
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in book.cells) == 1
    for cell in book.cells:
        assert len(cell.source.splitlines()) <= 30
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
            assert not re.search(r"^\s*(async )?(def|class) |lambda|^\s*%|^\s*!", cell.source, re.M)
            assert not re.search(r"lineage_analytics\.|from lineage_analytics", cell.source)
            assert max(map(len, cell.source.splitlines())) <= 130
    assert not re.search(r"https?://|/home/|/tmp/|/Users/", path.read_text("utf-8"))


@pytest.mark.parametrize("path", SHIPPED, ids=notebooks.NAMES)
def test_text_in_a_notebook_is_never_built_from_markup(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert not re.search(r"Markdown\(|HTML\(|display_markdown|_repr_html_", cell.source)


# --- parameters ----------------------------------------------------------------------------------------------------

def test_an_unknown_parameter_is_wrong_usage_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="Did you mean lookback") as caught:
        notebooks.parameters({"lookbak": 90})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("given", "message"), [
    ({"window": "30"}, r"window as a whole number.*'30' \(str\)"),
    ({"window": 30.5}, "window as a whole number"),
    ({"window": True}, "window as a whole number"),
    ({"window": 0}, "greater than or equal to 1"),
    ({"as_of": 20260630}, "as_of as text"),
    ({"workspace": Path("x")}, "workspace as text"),
    ({"profile": "bord"}, "one of analyst, board"),
    ({"scope": "emea"}, "scope as one of all"),
    ({"workspace": "a\nb"}, "printable text"),
    ({"workspace\nimport os": "x"}, "Wanted a notebook parameter"),
])
def test_a_wrong_parameter_says_what_would_do(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        notebooks.parameters(given)
    assert "\n" not in str(caught.value)


def test_an_unknown_notebook_is_wrong_usage_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="Did you mean 02_privilege"):
        notebooks.source("02_privileges")


# --- runs ----------------------------------------------------------------------------------------------------------

NOISY = (
    "import os, sys, time, uuid, warnings\nwarnings.warn('at ' + os.getcwd())\nprint(sorted(os.environ))",
    "print('read', workspace, os.path.expanduser('~'), sys.executable)\n{'kept': workspace}",
    "import lineage_analytics as la\nla.charts.table(__import__('polars').DataFrame({'name': ['<script>alert(1)</script>']}), 'c')",
)
ODD = "it's a \"folder\" {window} \\ $(touch pwned)"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same notebook run twice, into folders that are not there yet, on a workspace with an awkward name."""
    folder = tmp_path_factory.mktemp("runs")
    book = written(folder, made(*NOISY))
    os.environ["LINEAGE_TEST_SECRET"] = "s3cr3t"  # noqa: S105
    try:
        given = notebooks.parameters({"workspace": str(folder / ODD), "window": 7})
        first = notebooks.execute(book, folder / "a {window}" / "deep" / "n.ipynb", given)
        second = notebooks.execute(book, folder / "b" / "n.ipynb", given)
    finally:
        del os.environ["LINEAGE_TEST_SECRET"]
    return first, second


def test_equal_runs_give_equal_bytes(ran: tuple[Path, Path]) -> None:
    assert ran[0].read_bytes() == ran[1].read_bytes()
    assert [path.name for path in ran[0].parent.iterdir()] == ["n.ipynb"]


def test_a_run_tells_nothing_of_the_machine(ran: tuple[Path, Path], tmp_path: Path) -> None:
    text = ran[0].read_text("utf-8")
    for told in (str(Path.home()), str(Path.cwd()), str(tmp_path.parents[1]), socket.gethostname(), "LINEAGE_TEST_SECRET"):
        assert told not in text
    if len(getpass.getuser()) > 4:
        assert getpass.getuser() not in text
    assert str(datetime.now(tz=UTC).year) + "-" not in text
    book = nbformat.read(ran[0], as_version=4)
    assert "papermill" not in book.metadata
    assert all(not cell.metadata.get("papermill") for cell in book.cells)
    assert all(output.get("name") != "stderr" for cell in book.cells for output in cell.get("outputs", []))


def test_parameters_arrive_as_they_were_given(ran: tuple[Path, Path]) -> None:
    book = nbformat.read(ran[0], as_version=4)
    injected = next(cell for cell in book.cells if cell.id == "injected-parameters")
    assert "window = 7" in injected.source
    assert f"workspace = '{notebooks.WORKSPACE_SHOWN}'" in injected.source
    shown = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
    assert f"read {notebooks.WORKSPACE_SHOWN} " in shown
    assert not (FOLDER.parent / "pwned").exists()


def test_a_failing_cell_is_one_line_with_notebook_cell_and_error(tmp_path: Path) -> None:
    book = written(tmp_path, made("1 / 1", "raise ValueError('first line\\nsecond \\x1b[31m line')"), "03_decisions")
    with pytest.raises(LineageError, match=r"notebook 03_decisions to run\. cell 3 failed with ValueError: first line") as caught:
        notebooks.execute(book, tmp_path / "out" / "n.ipynb", notebooks.parameters({}))
    assert not set(str(caught.value)) & {"\n", "\x1b"}
    assert not (tmp_path / "out").exists()


def dying(monkeypatch: pytest.MonkeyPatch, deaths: int, said: str) -> list[str]:
    """Let the first kernels die as jupyter_client tells it; a line for every start."""
    papermill: Any = importlib.import_module("papermill")
    real, starts = papermill.execute_notebook, list[str]()

    def started(*args: Any, **given: Any) -> Any:
        starts.append(given["kernel_name"])
        if len(starts) <= deaths:
            raise RuntimeError(said)
        return real(*args, **given)

    monkeypatch.setattr(papermill, "execute_notebook", started)
    return starts


def test_a_kernel_that_dies_at_its_start_is_started_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = dying(monkeypatch, 1, "Kernel died before replying to kernel_info")
    out = notebooks.execute(written(tmp_path, made("1 + 1")), tmp_path / "out.ipynb", notebooks.parameters({}))
    assert (len(starts), nbformat.read(out, as_version=4).cells[-1].outputs[0].data["text/plain"]) == (2, "2")


@pytest.mark.parametrize(("deaths", "said", "starts"), [
    (9, "Kernel died before replying to kernel_info", 2), (1, "Kernel died", 1)])
def test_a_kernel_that_dies_twice_or_at_its_work_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int, said: str, starts: int,
) -> None:
    started = dying(monkeypatch, deaths, said)
    with pytest.raises(LineageError, match=rf"Wanted a kernel to run notebook n\. {said}"):
        notebooks.execute(written(tmp_path, made("1 + 1")), tmp_path / "out.ipynb", notebooks.parameters({}))
    assert len(started) == starts
    assert not (tmp_path / "out.ipynb").exists()


# --- reading -------------------------------------------------------------------------------------------------------

def test_a_page_of_a_run_opens_without_network_or_script(ran: tuple[Path, Path], tmp_path: Path) -> None:
    once = notebook_html.to_html(ran[0], tmp_path / "a.html", notebook_html.links(notebooks.NAMES, "02_privilege"))
    again = notebook_html.to_html(ran[1], tmp_path / "b.html", notebook_html.links(notebooks.NAMES, "02_privilege"))
    assert once.read_bytes() == again.read_bytes()
    page = check_page(once)
    assert page.tags.count("main") == 1
    assert "../index.html" in page.links
    assert "&lt;script&gt;alert(1)" in once.read_text("utf-8")


HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<iframe src='https://x.example'></iframe>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>", "<a href='javascript:alert(1)'>x</a>", "<base href='//x.example'>",
    "<img src='https://x.example/p.png' alt='x'>", "<style>@import 'https://x.example'</style>", "<form action='//x.example'><input></form>",
    "<img alt=x src='data:text/html;base64,PHNjcmlwdD4='>", "<object data='x.swf'></object>", "<meta http-equiv=refresh content='0;url=//x.example'>",
    "<div style='background:url(//x.example)'>x</div>", "</main></body><script>alert(1)</script>", "![x](https://x.example/p.png)",
    "[x](javascript:alert(1))", "[x](https://x.example/)", "{{7*7}} {% raw %}",
)


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_stays_text_wherever_it_stands(payload: str, tmp_path: Path) -> None:
    book = made(("md", f"# Title {payload}"), ("md", payload), "pass", parameters=False)
    data = {"text/html": payload, "text/plain": payload}
    book.cells[2].source = f"# {payload}"
    book.cells[2].outputs = [
        nbformat.v4.new_output("display_data", data=data),
        nbformat.v4.new_output("display_data", data={"text/markdown": payload, "text/plain": "x"}),
        nbformat.v4.new_output("display_data", data={"image/svg+xml": payload, "text/plain": payload}),
        nbformat.v4.new_output("execute_result", data={"text/plain": payload}),
        nbformat.v4.new_output("stream", name="stdout", text=payload),
        nbformat.v4.new_output("error", ename=payload, evalue=payload, traceback=[payload]),
    ]
    page = check_page(notebook_html.to_html(written(tmp_path, book), tmp_path / "n.html"))
    assert page.tags.count("main") == 1
    assert "49" not in (tmp_path / "n.html").read_text("utf-8").split("</style>")[1]


def test_a_chart_keeps_its_picture_and_words_but_not_its_rows(tmp_path: Path) -> None:
    import polars as pl

    from lineage_analytics import charts
    frame = pl.DataFrame({"domain": ["D1"], "name": ["secret name"], "status": ["scored"], "floor": [2], "ceiling": [3],
                          "note": ["x"]})
    book = made("chart", parameters=False)
    book.cells[0].outputs = [nbformat.v4.new_output("display_data", data={"text/html": charts.figure(charts.maturity_profile(frame))})]
    page = check_page(notebook_html.to_html(written(tmp_path, book), tmp_path / "n.html"))
    assert page.tags.count("img") == 1
    assert "data-spec" not in (tmp_path / "n.html").read_text("utf-8")
    assert "Maturity per domain" in (tmp_path / "n.html").read_text("utf-8")


# --- the five, on a made-up organisation -----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All five notebooks run on a small made-up organisation that the simulation wrote."""
    import lineage_analytics as la
    from lineage_analytics.simulation import simulate
    folder = tmp_path_factory.mktemp("five")
    simulate(folder / "sample", seed=11, people=30, days=100)
    estate = la.read(folder / "sample", workspace=folder / "workspace")
    la.measure(estate)
    assert notebooks.start(estate, folder / "out").finish() == list(notebooks.NAMES)
    return folder / "out"


@pytest.mark.parametrize("name", notebooks.NAMES)
def test_each_notebook_runs_and_reads_without_network(read: Path, name: str) -> None:
    page = check_page(read / f"{name}.html")
    assert page.tags.count("h1") == 1
    assert page.tags.count("img") >= 1
    assert '<p class="la-answer">' in (read / f"{name}.html").read_text("utf-8")
    book = nbformat.read(read / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert str(read.parent) not in (read / f"{name}.ipynb").read_text("utf-8")


@pytest.mark.parametrize("name", notebooks.NAMES)
def test_no_table_of_a_notebook_has_more_than_ten_rows(read: Path, name: str) -> None:
    for body in re.findall(r"<tbody>(.*?)</tbody>", (read / f"{name}.html").read_text("utf-8"), re.S):
        assert 1 <= body.count("<tr>") <= 10


def test_three_records_set_aside_for_one_reason_are_three_though_they_stand_in_one_row(tmp_path: Path) -> None:
    import lineage_analytics as la
    (tmp_path / "in").mkdir()
    begun = {"auditID": "a", "stage": "RequestReceived", "verb": "get", "kind": "Event", "apiVersion": "audit.k8s.io/v1"}
    done = begun | {"stage": "ResponseComplete", "requestReceivedTimestamp": "2026-06-01T10:00:00Z"}
    (tmp_path / "in" / "audit.json").write_text("\n".join(map(json.dumps, [done, *([begun] * 3)])))
    la.read(tmp_path / "in", workspace=tmp_path / "w")
    given = notebooks.parameters({"workspace": str(tmp_path / "w")})
    text = notebooks.execute(notebooks.source("01_coverage"), tmp_path / "n.ipynb", given).read_text("utf-8")
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", text.split("What was set aside", 1)[1])
    assert cells[:5] == ["k8s_audit", "rejected", "out_of_scope", "1", "3"]


def test_what_assistants_read_is_unknown_and_not_zero_where_no_interaction_names_a_file(tmp_path: Path) -> None:
    import lineage_analytics as la
    (tmp_path / "in").mkdir()
    done = {"auditID": "a", "stage": "ResponseComplete", "verb": "get", "kind": "Event",
            "apiVersion": "audit.k8s.io/v1", "requestReceivedTimestamp": "2026-06-01T10:00:00Z"}
    (tmp_path / "in" / "audit.json").write_text(json.dumps(done))
    la.read(tmp_path / "in", workspace=tmp_path / "w")
    given = notebooks.parameters({"workspace": str(tmp_path / "w")})
    text = notebooks.execute(notebooks.source("04_copilot"), tmp_path / "n.ipynb", given).read_text("utf-8")
    assert "What assistants read is unknown: no interaction that names a file is loaded." in text
    assert "for 0 users" not in text


def test_the_answers_say_how_many_could_not_be_told(read: Path) -> None:
    import lineage_analytics as la
    estate = la.open(read.parent / "workspace")
    blind = la.assistant_reach(estate)["accessed_not_opened"].null_count()
    cases = la.decision_lineage(estate).cases.filter(
        pl.col("executed") & (pl.col("involvement_class") == "unknown")
        & pl.col("time").is_between(estate.window_start, estate.as_of, closed="right"))
    for name, untold in (("04_copilot", blind), ("03_decisions", cases.height)):
        answer = re.findall(r'<p class="la-answer">(.*?)</p>', (read / f"{name}.html").read_text("utf-8"), re.S)[0]
        assert untold > 0
        assert f"({untold:,} cannot be told)" in answer


def test_a_board_reads_no_names(read: Path, tmp_path: Path) -> None:
    given = notebooks.parameters({"workspace": str(read.parent / "workspace"), "profile": "board"})
    for name in ("02_privilege", "04_copilot"):
        text = notebooks.execute(notebooks.source(name), tmp_path / f"{name}.ipynb", given).read_text("utf-8")
        assert "withheld" in text
        assert "@" not in re.sub(r"data:image/[^\"]*|data-spec=[^>]*", "", text)
