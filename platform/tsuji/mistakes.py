"""What a person can mend, said in one line: settings that can't be used, and what the packages refuse."""

from pydantic import ValidationError


class NotThereError(Exception):
    """The hub does not have what was named; the text names it, and the command that lists what there is."""


_SECRET = ("_URL", "_URLS", "_KEY", "_SECRET")


def lines_of(error: ValidationError) -> list[str]:
    """Each setting that is wrong with what is wrong, and its value where that may be shown."""
    lines = []
    for one in error.errors():
        name = "_".join(["TSUJI", *(str(part) for part in one["loc"])]).upper()
        what = one["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        shown = "" if name.endswith(_SECRET) else f", got {one['input']!r}"  # may hold a password
        must = "" if one["type"] == "value_error" else "must be "
        lines.append(f"{name}: {must}{what}{shown}")
    return lines


def is_mendable(error: Exception) -> bool:
    """Whether the error is one of the packages' own, whose text says what to do."""
    from tsuji_geo.areas import AreaError
    from tsuji_geo.opendata.errors import DatasetError
    from tsuji_ingest.alerting.webhooks import WebhookError
    from tsuji_ingest.decoders import DecoderError
    from tsuji_ingest.metrics import EndpointError
    from tsuji_platform.analytics.alert_rules import RulesError
    from tsuji_platform.exports.files import ExportFileError
    from tsuji_platform.imports.rows import ImportFileError
    from tsuji_platform.store import StoreError
    from tsuji_simulators.recorded.recording import RecordingError
    from tsuji_simulators.scenario_files import ScenarioError
    from tsuji_simulators.tape.message import TapeError

    return isinstance(
        error,
        (
            NotThereError,
            StoreError,
            AreaError,
            DatasetError,
            DecoderError,
            EndpointError,
            ExportFileError,
            ImportFileError,
            RecordingError,
            RulesError,
            ScenarioError,
            TapeError,
            WebhookError,
        ),
    )
