"""Who may import whom: two tables, held over every Python file, imports inside functions included."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A folder may import itself and these.
MAY_IMPORT = {
    "transforms": set(),
    "expectations": {"transforms"},
    "models": {"transforms"},
    "flows": {"transforms", "expectations", "models"},
}
# A heavy package may be imported in one file or one folder, and its types do not leave it.
HOME = {
    "great_expectations": "expectations/validation.py",
    "lifelines": "models/survival/",
    "statsmodels": "models/regression.py",
    "sklearn": "models/prediction/",
    "skops": "models/prediction/",
    "prefect": "flows/nightly.py",
    "duckdb": "flows/warehouse.py",
    "mlflow": "flows/tracking/",
    "matplotlib": "flows/drawing/",
    "jinja2": "flows/report/page.py",
    "pydantic_settings": "flows/settings.py",
}
PURE = {"polars", "transforms"} | sys.stdlib_module_names
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "core", "misc"}


def files_of(root: Path, folder: str) -> list[Path]:
    return sorted((root / folder).rglob("*.py"))


def imports_of(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield (package, the name it is bound to) for every import, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.split(".")[0]
                yield package, alias.asname or package
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                yield node.module.split(".")[0], alias.asname or alias.name


def wrong_imports(root: Path) -> list[str]:
    wrong = []
    for folder, allowed in MAY_IMPORT.items():
        for path in files_of(root, folder):
            place = path.relative_to(root).as_posix()
            for package in {package for package, _ in imports_of(ast.parse(path.read_text()))}:
                is_forbidden = package in MAY_IMPORT and package not in {folder, *allowed}
                is_impure = folder == "transforms" and package not in PURE
                is_away = not place.startswith(HOME.get(package, place))
                if is_forbidden or is_impure or is_away:
                    wrong.append(f"{place} imports {package}")
    return sorted(wrong)


def annotations_of(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield (name, annotation) of functions, and of methods and fields of public classes."""
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) and node.name[0] != "_" else [node]
        for member in members:
            if isinstance(member, ast.AnnAssign):
                yield ast.unparse(member.target), member.annotation
            elif isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = [node for node in ast.walk(member.args) if isinstance(node, ast.arg)]
                for annotation in [member.returns, *(argument.annotation for argument in arguments)]:
                    if annotation:
                        yield member.name, annotation


def is_inside_a_home(root: Path, path: Path) -> bool:
    """Whether a file stands in a home that is a folder, and nobody outside of that folder imports it."""
    place = path.relative_to(root).as_posix()
    home = next((home for home in HOME.values() if home.endswith("/") and place.startswith(home)), None)
    module = place.removesuffix(".py").replace("/", ".")
    others = [other for folder in MAY_IMPORT for other in files_of(root, folder)]
    return home is not None and not any(
        re.search(rf"from {re.escape(module)} import", other.read_text())
        for other in others
        if not other.relative_to(root).as_posix().startswith(home)
    )


def leaks(root: Path) -> list[str]:
    """Public annotations that name what was imported from a heavy package, or from pandas."""
    found = []
    for path in (path for folder in MAY_IMPORT for path in files_of(root, folder)):
        if is_inside_a_home(root, path):
            continue
        tree = ast.parse(path.read_text())
        foreign = {name for package, name in imports_of(tree) if package in HOME or package == "pandas"}
        for name, annotation in annotations_of(tree):
            first_words = re.findall(r"(?<![\w.])[A-Za-z_]\w*", ast.unparse(annotation))
            if foreign.intersection(first_words) and name[0] != "_":
                found.append(f"{path.relative_to(root).as_posix()} {name}: {ast.unparse(annotation)}")
    return found


def bad_names(root: Path) -> list[str]:
    """Files and folders that say nothing, and files of flows that hide a module of the standard library."""
    paths = [path for folder in (*MAY_IMPORT, "tests") for path in (root / folder).rglob("*")]
    mute = [path for path in paths if path.stem in SAYS_NOTHING and (path.is_dir() or path.suffix == ".py")]
    hiding = [path for path in files_of(root, "flows") if path.stem in sys.stdlib_module_names]
    return sorted(path.relative_to(root).as_posix() for path in mute + hiding)


def test_folders_import_only_what_they_may_and_heavy_packages_only_at_home():
    assert wrong_imports(ROOT) == []


def test_types_of_heavy_packages_stand_in_no_public_signature():
    assert leaks(ROOT) == []


def test_no_file_is_named_for_nothing_or_hides_the_standard_library():
    assert bad_names(ROOT) == []


def test_the_tables_name_every_folder_of_code_and_homes_that_are_there():
    assert all(files_of(ROOT, folder) for folder in MAY_IMPORT)
    assert [home for home in HOME.values() if not (ROOT / home).exists()] == []


# The checks themselves, on planted violations


def plant(root: Path, place: str, code: str) -> Path:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text(code)
    return root


@pytest.mark.parametrize(
    ("place", "code", "package"),
    [
        ("models/roc.py", "from flows.settings import Settings", "flows"),
        ("models/roc.py", "import expectations.rules", "expectations"),
        ("expectations/rules.py", "from models import roc", "models"),
        ("transforms/merge.py", "def f():\n    from models.roc import Roc", "models"),
        ("transforms/merge.py", "import numpy as np", "numpy"),
        ("transforms/merge.py", "if True:\n    import scipy.stats", "scipy"),
        ("flows/steps.py", "import duckdb", "duckdb"),
        ("flows/deep/steps.py", "from mlflow.entities import Run", "mlflow"),
        ("models/roc.py", "class A:\n    def f(self):\n        import sklearn.metrics as m", "sklearn"),
    ],
)
def test_a_planted_import_is_found(tmp_path, place, code, package):
    assert wrong_imports(plant(tmp_path, place, code)) == [f"{place} imports {package}"]


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("flows/warehouse.py", "import duckdb\nimport models.roc\nfrom transforms import units"),
        ("transforms/merge.py", "import csv\nimport polars as pl\nfrom transforms.schemas import Table"),
        ("models/roc.py", "import numpy as np\nfrom models.estimate import Estimate"),
    ],
)
def test_an_import_that_is_allowed_is_left_alone(tmp_path, place, code):
    assert wrong_imports(plant(tmp_path, place, code)) == []


@pytest.mark.parametrize(
    ("code", "leak"),
    [
        ("import duckdb\ndef open_it() -> duckdb.Connection: ...", "open_it: duckdb.Connection"),
        ("import duckdb as db\ndef f(*, c: 'db.Value | None'): ...", "f: 'db.Value | None'"),
        ("from duckdb import Value as V\nclass A:\n    def f(self, *rest: list[V]): ...", "f: list[V]"),
        ("import pandas as pd\nasync def read() -> dict[str, pd.Series]: ...", "read: dict[str, pd.Series]"),
        ("import duckdb\nclass A:\n    value: duckdb.Value", "value: duckdb.Value"),
    ],
)
def test_a_planted_leak_is_found(tmp_path, code, leak):
    assert leaks(plant(tmp_path, "flows/warehouse.py", code)) == [f"flows/warehouse.py {leak}"]


@pytest.mark.parametrize(
    "code",
    [
        "import duckdb\ndef _open() -> duckdb.Connection: ...",
        "import duckdb\nclass A:\n    _c: duckdb.Connection\n    def __init__(self, c: duckdb.Value): ...",
        "import duckdb\nclass _A:\n    def f(self, c: duckdb.Value): ...",
        "import duckdb\ndef read(name: str) -> pl.DataFrame:\n    rows: duckdb.Value = duckdb.sql(name)",
        "from duckdb import Value\ndef read() -> pl.Value: ...",
    ],
)
def test_what_stays_at_home_is_no_leak(tmp_path, code):
    assert leaks(plant(tmp_path, "flows/warehouse.py", code)) == []


@pytest.mark.parametrize(
    ("place", "bad"),
    [
        ("models/utils.py", ["models/utils.py"]),
        ("flows/common/a.py", ["flows/common"]),
        ("tests/helpers.py", ["tests/helpers.py"]),
        ("flows/statistics.py", ["flows/statistics.py"]),
        ("models/statistics.py", []),
        ("flows/warehouse.py", []),
    ],
)
def test_a_name_that_says_nothing_or_hides_a_module_is_found(tmp_path, place, bad):
    assert bad_names(plant(tmp_path, place, "")) == bad
