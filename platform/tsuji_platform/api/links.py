"""Where one goes from here: addresses by relation, the same for a thing, an area or a dataset wherever it is.

They are paths of this host, so that they hold behind any proxy.
"""

from typing import Any
from urllib.parse import quote, urlencode

Links = dict[str, str]


def to(*parts: str, **asked: Any) -> str:
    """The path of a resource; parameters that are None are left out."""
    path = "/v1/" + "/".join(quote(part, safe="") for part in parts)
    named = [(name, str(value)) for name, value in asked.items() if value is not None]
    return path + ("?" + urlencode(named, safe=":,/") if named else "")


def thing(thing_id: str) -> Links:
    """From a thing."""
    return {
        "self": to("things", thing_id),
        "datastreams": to("datastreams", thing=thing_id),
        "latest": to("latest", thing=thing_id),
        "observations": to("things", thing_id, "observations"),
        "alerts": to("alerts", thing=thing_id),
        "rejected": to("rejected", thing=thing_id),
        "collection": to("things"),
    }


def datastream(thing_id: str, observed_property: str, *, is_profiled: bool) -> Links:
    """From a datastream; only some have typical values."""
    asked = {"observed_property": observed_property}
    links = {
        "thing": to("things", thing_id),
        "latest": to("latest", thing=thing_id, **asked),
        "observations": to("things", thing_id, "observations", **asked),
        "series": to("things", thing_id, "series", **asked),
        "aggregates": to("aggregates", thing=thing_id, **asked, interval="P1D"),
    }
    return links | ({"typical": to("things", thing_id, "typical", **asked)} if is_profiled else {})


def area_set(area_set_id: str) -> Links:
    """From an area set."""
    here = ("area-sets", area_set_id)
    return {
        "self": to(*here),
        "areas": to(*here, "areas"),
        "list": to(*here, "areas", format="json"),
        "snapshot": to(*here, "snapshot"),
        "derived": to(*here, "derived"),
        "profiles": to(*here, "profiles.geojson"),
        "things": to("things", area_set=area_set_id),
        "alerts": to("alerts", area_set=area_set_id),
        "live": to("live", area_set=area_set_id),
        "collection": to("area-sets"),
    }


def area(area_set_id: str, code: str) -> Links:
    """From an area."""
    here = ("area-sets", area_set_id, "areas", code)
    asked = {"area_set": area_set_id, "area": code}
    return {
        "self": to(*here),
        "profile": to(*here, "profile"),
        "population": to(*here, "population"),
        "things": to("things", **asked),
        "latest": to("latest", **asked),
        "observations": to("observations", **asked, interval="PT1H"),
        "alerts": to("alerts", **asked),
        "snapshot": to("area-sets", area_set_id, "snapshot", area=code),
        "area_set": to("area-sets", area_set_id),
    }


def figure(area_set_id: str, code: str, figure_id: str, *, is_profiled: bool) -> Links:
    """From a figure of an area; only some have typical values."""
    here = ("area-sets", area_set_id, "areas", code)
    links = {"series": to(*here, "series", figure=figure_id)}
    return links | ({"typical": to(*here, "typical", figure=figure_id)} if is_profiled else {})


def dataset(dataset_id: str) -> Links:
    """From a dataset."""
    here = ("datasets", dataset_id)
    return {
        "self": to(*here),
        "features": to(*here, "features"),
        "geojson": to(*here, "features.geojson"),
        "collection": to("datasets"),
    }
