"""What nobody may do through the book: run code from a file, leave a folder, call a stranger."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from labsupport.pipeline import options
from labsupport.pipeline.notebooks import code_cells, read_notebook

# Each runs code that a file, a text or a stranger's server holds.
UNSAFE_NAMES = {
    *("eval", "exec", "os.system", "os.popen", "torch.hub.load", "pandas.read_pickle"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("joblib.load", "dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads"),
    *("shelve.open", "yaml.load", "yaml.full_load", "yaml.unsafe_load"),
    *("torch.serialization.safe_globals", "torch.serialization.add_safe_globals"),
}
SAFE_VALUES = {"weights_only": True, "allow_pickle": False, "shell": False}

LESSONS = {
    ("saving_devices", "attack-run"): "a file made in the cell before calls a harmless function",
    (
        "saving_devices",
        "safe-globals",
    ): "the same file, with that function on the list of safe ones",
    ("moons_mlp", "tamper"): "a file made in this cell creates an empty file in its own folder",
}


def unsafe_uses(tree, aliases=None):
    """Yield what in a program can run code that a file or a text holds."""
    aliases = imported_names(tree) if aliases is None else aliases
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            name = full_name(node, aliases)
            if name in UNSAFE_NAMES:
                yield name
        elif isinstance(node, ast.keyword) and node.arg in SAFE_VALUES:
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            if value is not SAFE_VALUES[node.arg]:
                yield f"{node.arg}={ast.unparse(node.value)}"


def bare_loads(tree):
    """Yield calls of torch.load that leave it to torch's version whether they are safe."""
    aliases = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and full_name(node.func, aliases) == "torch.load":
            if "weights_only" not in [keyword.arg for keyword in node.keywords]:
                yield ast.unparse(node)


def imported_names(tree):
    """Return what each imported name of a program stands for."""
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for module in node.names:
                if module.asname:
                    aliases[module.asname] = module.name
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                aliases[name.asname or name.name] = f"{node.module}.{name.name}"
    return aliases


def full_name(node, aliases):
    """Return a name with the modules that it comes from, or an empty string."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{full_name(node.value, aliases)}.{node.attr}"
    return ""


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(b'')",
        "import pickle as p\nread = {'a': p.load}",
        "from pickle import loads as read\nread(b'')",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path, allow_pickle=True)",
        "joblib.load(path)",
        "yaml.load(text)",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "from torch.serialization import safe_globals\nwith safe_globals([f]): pass",
    ],
)
def test_unsafe_uses_finds(source):
    assert list(unsafe_uses(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["model.eval()", "yaml.safe_load(x)", "torch.load(x, weights_only=True)", "re.compile('a')"],
)
def test_unsafe_uses_passes(source):
    assert not list(unsafe_uses(ast.parse(source)))


def test_bare_loads_finds():
    assert list(bare_loads(ast.parse("from torch import load\nload(path)")))
    assert not list(bare_loads(ast.parse("import torch\ntorch.load(path, weights_only=True)")))


@pytest.mark.parametrize("folder", ["labsupport", "benchmarks"])
def test_package_runs_no_code_from_files(folder):
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [(path.name, use) for use in (*unsafe_uses(tree), *bare_loads(tree))]
    assert found == []


def test_chapters_run_code_from_files_in_the_listed_lessons_only():
    found = set()
    for path in (ROOT / "book").glob("*.ipynb"):
        cells = code_cells(read_notebook(path))
        trees = {cell["id"]: ast.parse(cell.source) for cell in cells}
        aliases = {}
        for tree in trees.values():
            aliases |= imported_names(tree)
        found |= {(path.stem, id) for id, tree in trees.items() if [*unsafe_uses(tree, aliases)]}
    assert found == set(LESSONS)


def test_torch_is_required_in_a_version_that_loads_safely_by_default():
    requirements = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    major, minor = re.search(r'"torch>=(\d+)\.(\d+)', requirements).groups()
    assert (int(major), int(minor)) >= (2, 10)


@pytest.mark.parametrize("command", ["run", "update", "check"])
@pytest.mark.parametrize("name", ["../sums", "/etc/passwd", "book/sums", "sums.ipynb", "", "--"])
def test_chapter_name_reaches_nothing_else(unrun_book, capsys, command, name):
    before = unrun_book.contents()
    assert unrun_book.main(command, "--", name) == 1
    assert capsys.readouterr().err.startswith(f"labs: no chapter {name!r}.")
    assert unrun_book.contents() == before
    assert not list(unrun_book.root.rglob("executed"))


@pytest.mark.parametrize(
    "text",
    [
        "'; import os #",
        '"; import os #',
        "\"\"\"\nimport os\n'''\nimport os",
        '"a\\"\nimport os"',
        "x\\",
        '\\"\nimport os',
        "{a: '\"); import os #'}",
        "['\"]; import os #']",
        "\u2028import os",
        "a\r\nimport os",
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_parameter_is_never_code(unrun_book, text):
    notebook = load_notebook_node(unrun_book.read("sums"))
    value = options.read_value(text)
    filled = parameterize_notebook(notebook, {"seed": value})
    (cell,) = (c for c in filled.cells if "injected-parameters" in c.metadata.get("tags", []))
    (statement,) = ast.parse(cell.source).body
    assert ast.unparse(statement.targets[0]) == "seed"
    assert ast.literal_eval(statement.value) == value


class Loads(HTMLParser):
    """Collects the addresses that a page loads or goes to without a click."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.classes = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.classes |= set((values.get("class") or "").split())
        for name, value in attributes:
            is_address = name in ("src", "srcset", "data", "poster", "action", "xlink:href")
            if is_address or (name == "href" and tag != "a"):
                self.addresses.append(value or "")
            elif name == "style":
                self.addresses += styled(value or "")
        if tag == "meta" and (values.get("http-equiv") or "").lower() == "refresh":
            self.addresses.append(values["content"].partition("url=")[2])


def styled(css):
    """Return the addresses that a style sheet loads."""
    found = re.findall(r"""url\(\s*['"]?([^'")]*)|@import\s+['"]([^'"]*)""", css)
    return ["".join(pair) for pair in found]


def strangers(html):
    """Return what the pages in a folder would load from elsewhere."""
    found = []
    for path in (p for p in html.rglob("*") if p.suffix in (".html", ".css", ".js", ".svg")):
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".html", ".svg"):
            page = Loads(text)
            styles = re.findall(r"<style.*?</style>", text, re.DOTALL)
            addresses = page.addresses + styled(" ".join(styles))
            if {name for name in page.classes if "thebe-launch" in name}:
                found.append((path.name, "a button that loads thebe"))
        else:
            addresses = styled(text) if path.suffix == ".css" else []
        if path.suffix in (".html", ".js"):
            called = r"""(?:import|fetch|importScripts|open)\(\s*['"`](https?://[^'"`]*)"""
            assigned = r"""\.(?:src|href)\s*=\s*['"`](https?://[^'"`]*)"""
            addresses += re.findall(called, text) + re.findall(assigned, text)
        found += [(path.name, a) for a in addresses if re.match(r"\s*(\w+:)?//", a)]
    return found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", '<script src="https://x.org/a.js"></script>'),
        ("a.html", '<img src="//x.org/a.png">'),
        ("a.html", '<link rel="stylesheet" href="http://x.org/a.css">'),
        ("a.html", '<meta http-equiv="Refresh" content="0; url=https://x.org">'),
        ("a.html", '<style>@import "https://x.org/a.css";</style>'),
        ("a.html", '<p style="background: url(https://x.org/a.png)">'),
        ("a.html", "<script>fetch('https://x.org')</script>"),
        ("a.html", '<button class="btn thebe-launch-button">'),
        ("a.css", "@font-face { src: url('https://x.org/a.woff2') }"),
        ("a.js", 'script.src = "https://x.org/a.js"'),
    ],
)
def test_strangers_finds(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert strangers(tmp_path)


def test_rendered_pages_load_nothing_from_elsewhere(rendered_book):
    html = rendered_book.root / "_build/html"
    assert (html / "index.html").exists()
    assert strangers(html) == []


def test_rendered_pages_bring_their_own_mathjax(rendered_book):
    html = rendered_book.root / "_build/html"
    (script,) = re.findall(r'src="([^"]*mathjax[^"]*\.js)', (html / "book/intro.html").read_text())
    assert (html / "book" / script).resolve().is_file()


def test_book_has_no_launch_buttons_and_no_analytics():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["launch_buttons"].keys() <= {"notebook_interface"}
    assert "analytics" not in config["html"]
    assert "google_analytics_id" not in config["html"]


def test_chapters_embed_no_active_content():
    for path in (ROOT / "book").glob("*.ipynb"):
        for cell in code_cells(read_notebook(path)):
            for output in cell["outputs"]:
                html = output.get("data", {}).get("text/html", "")
                found = re.search(r"<script|<iframe|\bon\w+\s*=|javascript:|(?:src|href)=", html)
                assert not found, (path.name, cell["id"], found)


@pytest.mark.skipif(
    not Path(ROOT / "_build/html/index.html").exists(),
    reason="the book is not rendered: labs html",
)
def test_the_rendered_book_loads_nothing_from_elsewhere():
    assert strangers(ROOT / "_build/html") == []
