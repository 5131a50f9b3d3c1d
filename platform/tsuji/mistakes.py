"""What a person can mend, said in one line: settings that can't be used, and what the packages refuse."""

from pydantic import ValidationError

from tsuji.terminal import printable


class NotThereError(Exception):
    """The hub does not have what was named; the text names it, and the command that lists what there is."""


class FileTroubleError(Exception):
    """A file can't be read or written; the text names it and says what to do."""


_SECRET = ("_URL", "_URLS", "_KEY", "_SECRET", "_PASSWORD")


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


def text_of(error: ValidationError) -> str:
    """What is wrong with the value of an option, which is quoted: no secret is ever an option."""
    texts = []
    for one in error.errors():
        if one["type"] == "value_error":
            texts.append(printable(one["msg"].removeprefix("Value error, ")))
        else:
            must = one["msg"].removeprefix("Input should be ").partition(", unable to parse")[0]
            texts.append(f"{one['input']!r:.60}: must be {must}")
    return "; ".join(texts)


MENDABLE = frozenset(
    {
        "tsuji.mistakes.FileTroubleError",
        "tsuji.mistakes.NotThereError",
        "tsuji_geo.areas.AreaError",
        "tsuji_geo.opendata.errors.DatasetError",
        "tsuji_ingest.alerting.webhooks.WebhookError",
        "tsuji_ingest.broker_users.BrokerUsersError",
        "tsuji_ingest.decoders.registry.DecoderError",
        "tsuji_platform.analytics.alert_rules.RulesError",
        "tsuji_platform.devices.certificates.CertificateError",
        "tsuji_platform.devices.folder.BrokerFolderError",
        "tsuji_platform.exports.files.ExportFileError",
        "tsuji_platform.imports.rows.ImportFileError",
        "tsuji_platform.listening.ListenError",
        "tsuji_platform.insight.traces.TracingError",
        "tsuji_platform.settings_broker.BrokerTlsError",
        "tsuji_platform.store.backup_archive.ArchiveError",
        "tsuji_platform.store.errors.StoreError",
        "tsuji_simulators.recorded.recording.RecordingError",
        "tsuji_simulators.scenario_files.ScenarioError",
        "tsuji_simulators.tape.message.TapeError",
    }
)
"""By name: to import them all would take longer than most commands do."""


_OF_SETTINGS = frozenset(
    {
        "tsuji_ingest.alerting.webhooks.WebhookError",
        "tsuji_platform.insight.traces.TracingError",
        "tsuji_platform.settings_broker.BrokerTlsError",
        "tsuji_platform.store.errors.AddressError",
    }
)
"""Those that say that a setting can't be used."""


def is_mendable(error: Exception) -> bool:
    """Whether the error is one of the packages' own, whose text says what to do."""
    return not MENDABLE.isdisjoint(_names(error))


def is_of_settings(error: Exception) -> bool:
    """Whether the error says that a setting can't be used, so that nothing was begun."""
    return not _OF_SETTINGS.isdisjoint(_names(error))


def _names(error: Exception) -> list[str]:
    return [f"{one.__module__}.{one.__qualname__}" for one in type(error).__mro__]
