"""`nadir simulate`: options in, a landing folder out, and a few lines about it."""

import polars as pl
import pytest

from flows.cli import main


def simulate(*arguments):
    return main(["simulate", "--patients", "45", *map(str, arguments)])


def told(capsys):
    """What was printed below the first line, by its first word."""
    _, *lines = capsys.readouterr().out.splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def test_what_was_written_is_told_in_a_few_lines(tmp_path, capsys):
    out = tmp_path / "landing"
    assert simulate("--sites", 2, "--mess", "--out", out) == 0
    lines = told(capsys)
    n_faults = len(pl.read_csv(out / "faults.csv"))
    assert lines["faults"] == f"{n_faults}, listed in {out / 'faults.csv'}"
    assert lines["files"] == str(len(list(out.glob("*/*.csv"))))
    assert lines["truth"] == str(out / "truth.json")
    assert "nights" not in lines


def test_clean_files_are_written_where_no_mess_is_asked_for(tmp_path, capsys):
    assert simulate("--out", tmp_path / "landing") == 0
    assert "faults" not in told(capsys)
    assert not (tmp_path / "landing" / "faults.csv").exists()


def test_each_night_has_a_landing_folder(tmp_path, capsys):
    assert simulate("--nights", 3, "--out", tmp_path / "nights") == 0
    folders = sorted(path.name for path in (tmp_path / "nights").iterdir() if path.is_dir())
    assert len(folders) == 3
    assert told(capsys)["nights"] == f"{folders[0]} to {folders[-1]}, a landing folder each"


@pytest.mark.parametrize(("n_patients", "n_plates"), [(0, 0), (19, 1), (20, 2)])
def test_plates_are_written_of_as_many_patients_as_asked(tmp_path, capsys, n_patients, n_plates):
    assert simulate("--plates", n_patients, "--out", tmp_path / "landing") == 0
    assert told(capsys)["plates"] == str(n_plates)


@pytest.mark.parametrize(
    "wrong", [("--nights", -1), ("--plates", -1), ("--sites", 0), ("--patients", 0), ("--seed", -1)]
)
def test_a_number_out_of_range_is_bad_usage_and_writes_nothing(tmp_path, capsys, wrong):
    assert simulate(*wrong, "--out", tmp_path / "landing") == 2
    assert "must be" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_number_is_bad_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        simulate("--nights", "many", "--out", "landing")
    assert "--nights" in capsys.readouterr().err


def test_help_shows_an_example_that_can_be_run(capsys, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="0"):
        main(["simulate", "--help"])
    example = " ".join(capsys.readouterr().out.split("Example: nadir ")[1].split())
    monkeypatch.chdir(tmp_path)
    assert main(example.split()) == 0
