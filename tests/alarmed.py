"""A small city with alert rules: its evaluator can be ended and begun, its time stands until it is moved."""

import orjson

from samples import after, area_set, message, registration, square
from tsuji.area_sets import by_kind
from tsuji_ingest.alerting.evaluator import Evaluator
from tsuji_platform.analytics.alert_rules import Rules, parse
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.alert_outbox import AlertFilter, AlertRow, Alerts
from tsuji_platform.store.alerting import AlertOffice
from tsuji_platform.store.writer import Writer

LABEL = 'label = { ja = "試験", en = "Test" }\n'
HOT = f"""
[[rule]]
id = "hot"
{LABEL}
observed_property = "air_temperature"
things = {{ kind = "smart_pole" }}
at_least = 35
clears_below = 33
for = "2m"
clears_after = "2m"
"""
BUSY = f"""
[[rule]]
id = "busy"
{LABEL}
figure = "footfall"
areas = {{ set = "squares" }}
at_least = 100
"""
MUTE = f"""
[[rule]]
id = "mute"
{LABEL}
silent_intervals = 3
things = {{}}
for = "2m"
"""


class Alarmed:
    """Two poles and a counter in one area.

    Args:
        url: an empty database with the schema.
        rules: TOML.
        targets: who is to be told.
    """

    def __init__(self, url: str, rules: str, targets: tuple[str, ...] = ("mqtt",)) -> None:
        self.url = url
        self.now = after(minutes=0)
        self.writer = Writer(url, "test")
        self.database = Database(url, size=2)
        self.alerts = Alerts(self.database)
        self.rules = parse(rules, "rules")
        self.writer.save(
            [
                registration("pole-1", "air_temperature", kind="smart_pole"),
                registration("pole-2", "air_temperature", kind="smart_pole"),
                registration("gate-1", "pedestrians", kind="footfall_counter"),
            ]
        )
        areas = Areas(self.database)
        areas.put(area_set("squares", square("W", 139.69, 35.69)), by_kind)
        self._targets = targets
        self._offices: list[AlertOffice] = []
        self.begin()

    @staticmethod
    def read(text: str) -> Rules:
        """Rules out of TOML."""
        return parse(text, "rules")

    def begin(self, holder: str = "ingest", rules: Rules | None = None, **more) -> Evaluator:
        """What a process does that starts; the one before is not asked."""
        for one in self._offices:  # a process that is gone has no connection
            one.close()
        office = AlertOffice(self.url, holder, self._targets)
        self._offices.append(office)
        self.evaluator = Evaluator(
            office, rules or self.rules, lambda: self.now, figures_rest_times=0, **more
        )
        return self.evaluator

    def close(self) -> None:
        for one in self._offices:
            one.close()
        self.writer.close()
        self.database.close()

    def say(self, thing_id: str, minutes: float, period_s: int = 60, **results: float) -> None:
        """Store a value; time goes on to it."""
        self.writer.save([message(thing_id, after(minutes=minutes), period_s, **results)])
        self.now = max(self.now, after(minutes=minutes))

    def turn(self) -> None:
        while self.evaluator.evaluate():
            pass

    def told(self) -> list[tuple[str, str | None]]:
        """Types of all messages with what they are about, in order."""
        bodies = [orjson.loads(body) for _, body in self.alerts.messages_after(0)]
        return [
            (it["type"].removeprefix("alert."), it["data"]["thing"] or it["data"]["area"]["code"])
            for it in bodies
        ]

    def found(self, **which: object) -> list[AlertRow]:
        return self.alerts.find(AlertFilter(**which), limit=100)
