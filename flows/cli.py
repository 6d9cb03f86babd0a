"""The `nadir` command: options in, one flow or small command out, and the exit code of the contract.

Here: parsing of the command line, the summary at the end, exit codes. Not here: the work. Heavy packages
are imported by the command that needs them, so that `--help` and bad usage answer at once.
"""

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from flows.settings import Settings
from transforms.errors import NadirError, UsageError, exit_code_of

if TYPE_CHECKING:
    from flows.simulate import WrittenLanding

INTERRUPTED = 130
_EXIT_CODES = (
    "Exit codes: 0 published; 1 our bug; 2 bad usage; 3 a fatal check failed, nothing published; "
    "4 the disk, a lock or a server failed."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    started = time.perf_counter()
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options, started)
    except NadirError as error:
        # What the frames of the failed night hold would outlive the interpreter, and DuckDB complain of it.
        traceback.clear_frames(error.__traceback__)
        print(f"nadir {options.command}: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(
            f"nadir {options.command}: {error.filename or 'the disk'}: {error.strerror}. Expected a "
            "place that can be read and written: check the path, its permissions and the space left.",
            file=sys.stderr,
        )
        return exit_code_of(error)
    except BaseException as error:
        if not _was_interrupted(error):
            raise
        traceback.clear_frames(error.__traceback__)
        print(f"nadir {options.command}: interrupted; nothing is half written.", file=sys.stderr)
        return INTERRUPTED
    return code


def _was_interrupted(error: BaseException | None) -> bool:
    """Tell whether Ctrl-C is behind an error: it ends Prefect's server too, which has errors of its own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nadir",
        description="A nightly data platform for radiation-induced lymphopenia.",
        epilog=_EXIT_CODES,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_nightly(commands)
    _add_as_of(commands)
    _add_plate(commands)
    _add_simulate(commands)
    _add_reproduce(commands)
    _add_reconstruct(commands)
    _add_up(commands)
    return parser


def _add_nightly(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "nightly",
        help="run a night: load, validate, derive, analyse, retrain, publish, report",
        description="Run a night. Without a landing folder, the default cohort is written to one.",
        epilog=f"Example: nadir nightly --landing landing --home .nadir --night 2026-11-23. {_EXIT_CODES}",
    )
    _add_home(command)
    command.add_argument("--landing", type=Path, metavar="DIR", help="landing folder (default: HOME/landing)")
    command.add_argument(
        "--night", type=_night, metavar="DATE", help="the night's name, an ISO date (default: today)"
    )
    command.add_argument("--json", action="store_true", help="print the night's summary as JSON")
    command.set_defaults(run=_run_nightly)


def _add_as_of(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "as-of",
        help="say what a past night knew: its estimates, its cohort, any table",
        description="Work out anew what a night published, from what the warehouse held on that night; what "
        "was corrected or withdrawn since does not count. CSV goes to standard output, what it is made of to "
        "standard error. Nothing is written.",
        epilog="Example: nadir as-of 2026-11-22 --table cohort > cohort.csv. Exit codes: 0 answered; 2 no "
        "such night, table or warehouse; 4 the warehouse cannot be read.",
    )
    command.add_argument("night", type=_night, metavar="NIGHT", help="the night's name, an ISO date")
    command.add_argument(
        "--table",
        default="estimates",
        metavar="NAME",
        help="estimates, cohort, counts, monthly_counts, weekly_counts, ... (default: estimates)",
    )
    _add_home(command)
    command.set_defaults(run=_run_as_of, landing=None)


def _add_plate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "plate",
        help="check one plate's export before it goes into the landing folder",
        description="Check an instrument's export as the night would. Its wells go to standard output as "
        "CSV, in the file's own units; what was found goes to standard error.",
        epilog="Example: nadir plate P0231.csv > wells.csv. Exit codes: 0 it would load clean; 3 a rule is "
        "broken; 2 the file is no export of the instrument.",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="the export, as the instrument wrote it")
    command.set_defaults(run=_run_plate)


def _add_simulate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "simulate",
        help="write a landing folder of simulated patients",
        description="Draw patients from a model with known coefficients and write them as landing files.",
        epilog="Example: nadir simulate --patients 500 --sites 3 --mess --seed 7 --out landing",
    )
    command.add_argument("--patients", type=int, default=98, metavar="N", help="patients (default: 98)")
    command.add_argument("--sites", type=int, default=1, metavar="S", help="hospitals (default: 1)")
    command.add_argument("--seed", type=int, default=1, metavar="K", help="seed (default: 1)")
    command.add_argument(
        "--plates", type=int, metavar="N", help="patients whose IL-7 is on plates (default: the first 2,000)"
    )
    command.add_argument(
        "--nights",
        type=int,
        default=0,
        metavar="D",
        help="write D landing folders, one a night, each with what is new (default: one folder with all)",
    )
    command.add_argument(
        "--mess", action="store_true", help="plant the faults that real files have, listed in faults.csv"
    )
    command.add_argument(
        "--counts-as",
        default="csv",
        metavar="FORM",
        help="files of counts as csv, fhir-ndjson, fhir-bundle or omop (default: csv; --mess: csv only)",
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder to write")
    command.set_defaults(run=_run_simulate)


def _add_reproduce(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "reproduce-paper",
        help="set the study's printed numbers beside ours",
        description="Run the reconstructed cohort and compare every printed number; exit 1 if fewer come out "
        "than are on record.",
        epilog="Example: nadir reproduce-paper",
    )
    command.set_defaults(run=_run_reproduce)


def _add_reconstruct(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "reconstruct",
        help="search anew for the pseudo-patients of the default cohort",
        description="Search for 98 pseudo-patients whose analyses give the study's printed numbers: about "
        "six minutes. The same seed gives the same files.",
        epilog="Example: nadir reconstruct --seed 1 --out cohort",
    )
    command.add_argument("--seed", type=int, default=1, metavar="K", help="seed (default: 1)")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the two files")
    command.set_defaults(run=_run_reconstruct)


def _add_up(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "up",
        help="start Prefect, MLflow and a worker on 127.0.0.1, deployed and scheduled",
        description="Start the servers and a worker, deploy the schedule, and stop them all at Ctrl-C.",
        epilog="Example: nadir up --home .nadir",
    )
    _add_home(command)
    command.add_argument("--landing", type=Path, metavar="DIR", help="landing folder (default: HOME/landing)")
    command.set_defaults(run=_run_up)


def _add_home(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--home", type=Path, metavar="DIR", help="home folder (default: $NADIR_HOME or .nadir)"
    )


def _night(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no ISO date, YYYY-MM-DD") from error


def _settings(options: argparse.Namespace) -> Settings:
    try:
        return Settings.with_folders(landing=options.landing, home=options.home)
    except ValidationError as error:
        told = "; ".join(f"NADIR_{one['loc'][0]}".upper() + f": {one['msg']}" for one in error.errors())
        raise UsageError(f"a setting in the environment cannot be taken. {told}") from error


def _run_nightly(options: argparse.Namespace, started: float) -> int:
    settings = _settings(options)
    prepare_prefect(settings)
    from flows.nightly import run_here  # noqa: PLC0415 (several seconds of imports)

    summary = run_here(settings, night=options.night, started=started)
    print(json.dumps(summary, indent=2, ensure_ascii=False) if options.json else _told(summary))
    return 0


def prepare_prefect(settings: Settings) -> None:
    """Point Prefect, before it is imported, at the home folder and make it quiet."""
    settings.paths.prefect.mkdir(parents=True, exist_ok=True)  # Prefect makes no folder's parents.
    for name, value in {
        "PREFECT_HOME": str(settings.paths.prefect),
        # A small machine under load needs more than the 20 s that Prefect gives its embedded server.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        # What happens goes to Prefect; the terminal gets the summary, or one error message.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    }.items():
        os.environ.setdefault(name, value)


def _run_as_of(options: argparse.Namespace, _started: float) -> int:
    from flows.as_of import ask  # noqa: PLC0415 (a second of imports)

    answer = ask(_settings(options).paths.current, options.night, table=options.table)
    print(answer.csv, end="")
    print(answer.told, file=sys.stderr)
    return 0


def _run_plate(options: argparse.Namespace, _started: float) -> int:
    from flows.check_plate import check_plate, tell  # noqa: PLC0415 (numpy and polars)

    checked = check_plate(options.file)
    print(checked.wells.write_csv(), end="")
    print("\n".join(tell(checked, name=options.file.name)), file=sys.stderr)
    return checked.exit_code


def _run_simulate(options: argparse.Namespace, started: float) -> int:
    from flows.simulate import Delivery, write_landing  # noqa: PLC0415 (numpy and the models)

    plates = {} if options.plates is None else {"n_plate_patients": options.plates}
    delivery = Delivery(has_mess=options.mess, n_nights=options.nights, counts_as=options.counts_as, **plates)
    written = write_landing(
        options.out,
        n_patients=options.patients,
        n_sites=options.sites,
        seed=options.seed,
        delivery=delivery,
    )
    seconds = time.perf_counter() - started
    print(f"{written.n_patients:,} simulated patients in {written.out} ({seconds:.1f} s)")
    print(_told_landing(written, delivery.nights))
    return 0


def _run_reproduce(_options: argparse.Namespace, _started: float) -> int:
    from flows.reproduction import falls_short, reproduce_paper, tell  # noqa: PLC0415 (several seconds)

    side_by_side = reproduce_paper()
    print(tell(side_by_side))
    return int(falls_short(side_by_side))


def _run_reconstruct(options: argparse.Namespace, started: float) -> int:
    from flows.cohort_search import search_cohort  # noqa: PLC0415 (a second of imports)

    search_cohort(options.out, seed=options.seed)
    print(f"98 pseudo-patients in {options.out} ({time.perf_counter() - started:.0f} s)")
    return 0


def _run_up(options: argparse.Namespace, started: float) -> int:
    from flows.servers import run_servers  # noqa: PLC0415 (only this command needs it)

    del started
    return run_servers(_settings(options))


def _told_landing(written: "WrittenLanding", nights: tuple[date, ...]) -> str:
    """Tell what was written, a line each; only what has arrived by the last night counts."""
    out = written.out
    told = {
        "counts": f"{written.n_counts:,}",
        "plates": f"{written.n_plates:,}",
        "files": f"{written.n_files:,}",
        "nights": f"{nights[0]} to {nights[-1]}, a landing folder each" if nights else "",
        "faults": f"{written.n_faults:,}, listed in {out / 'faults.csv'}" if written.n_faults else "",
        "truth": str(out / "truth.json"),
    }
    return "\n".join(f"  {name:<12} {value}" for name, value in told.items() if value)


def _told(summary: dict[str, Any]) -> str:
    """Tell a night's summary in a dozen lines, every path one that can be opened."""
    lines = [summary["headline"], ""]
    lines += [f"  {name:<12} {value}" for name, value in summary["where"].items()]
    lines += [f"  {'note':<12} {note}" for note in summary["notes"]]
    lines += ["", "MLflow's addresses answer while `nadir up` runs."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
