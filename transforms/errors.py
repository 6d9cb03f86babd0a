"""The families of failure, each with the exit code that it ends the night with.

Here: the exceptions that cross a folder's border. Not here: findings about single rows or files, which
are data and travel as rows of the quarantine table. Raised by all, caught by `flows.cli`.
"""


class NadirError(Exception):
    """A failure whose message says where, what was found, what was expected and what to do."""

    exit_code = 1


class UsageError(NadirError):
    """The command was called with something it cannot take."""

    exit_code = 2


class FatalDataError(NadirError):
    """The night's data failed a fatal check: nothing is published."""

    exit_code = 3


class WorldError(NadirError):
    """The disk, the network, a lock or a server failed, also after retries."""

    exit_code = 4


class DamagedFileError(WorldError):
    """A file of the platform's own is damaged: trying again does not help, restoring it does."""


class NotEstimableError(NadirError):
    """A statistic cannot be computed from these data; the message is the reason, and the night goes on."""


def exit_code_of(error: BaseException) -> int:
    """Return the exit code that an error ends a command with: an unforeseen one is our bug."""
    if isinstance(error, NadirError):
        return error.exit_code
    return WorldError.exit_code if isinstance(error, OSError) else NadirError.exit_code
