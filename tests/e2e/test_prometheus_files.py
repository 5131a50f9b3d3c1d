"""Prometheus' own judge reads what is shipped: configuration, alert rules, queries of the dashboard."""

import json
from pathlib import Path

import yaml

import promtool

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_CASES = {
    "rule_files": [str(_DEPLOY / "prometheus-alerts.yml")],
    "evaluation_interval": "1m",
    "tests": [
        {
            "interval": "1m",
            "input_series": [
                {"series": 'up{job="tsuji-api", instance="a"}', "values": "0x20"},
                {"series": 'up{job="tsuji-ingest", instance="b"}', "values": "1x20"},
                {"series": 'tsuji_database_up{instance="a"}', "values": "0x20"},
                {"series": 'tsuji_database_up{instance="c"}', "values": "1x20"},
                {"series": 'tsuji_api_requests_total{status="200"}', "values": "0+98x30"},
                {"series": 'tsuji_api_requests_total{status="503"}', "values": "0+2x30"},
                {"series": "tsuji_ingest_values_received_total", "values": "0+100x60"},
                {"series": 'tsuji_ingest_values_total{outcome="rejected"}', "values": "0+4x60"},
            ],
            "alert_rule_test": [
                {
                    "eval_time": "5m",
                    "alertname": "TsujiServiceDown",
                    "exp_alerts": [
                        {
                            "exp_labels": {
                                "severity": "critical",
                                "job": "tsuji-api",
                                "instance": "a",
                            },
                            "exp_annotations": {
                                "summary": "tsuji-api at a does not answer",
                                "action": "look at its log, and start it again",
                            },
                        }
                    ],
                },
                # of several APIs one has lost the database, the others have it
                {"eval_time": "10m", "alertname": "TsujiDatabaseAway", "exp_alerts": []},
                {
                    "eval_time": "20m",
                    "alertname": "TsujiApiFails",
                    "exp_alerts": [
                        {
                            "exp_labels": {"severity": "warning"},
                            "exp_annotations": {
                                "summary": "more than 1 % of the data API's answers are errors of ours",
                                "action": "its log has them, with the request's id",
                            },
                        }
                    ],
                },
                {"eval_time": "40m", "alertname": "TsujiManyRejected", "exp_alerts": []},
            ],
        }
    ],
}


def test_the_configuration_and_its_rules_are_valid() -> None:
    done = promtool.judge("check", "config", "--lint=all", _DEPLOY / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout


def test_rules_fire_for_what_they_are_about_and_for_nothing_else(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text(yaml.safe_dump(_CASES), encoding="utf-8")
    done = promtool.judge("test", "rules", cases)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_says_what_to_do() -> None:
    rules = yaml.safe_load((_DEPLOY / "prometheus-alerts.yml").read_text(encoding="utf-8"))
    for rule in rules["groups"][0]["rules"]:
        assert {"summary", "action"} == set(rule["annotations"]), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]


def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    dashboard = json.loads((_DEPLOY / "grafana" / "tsuji.json").read_text(encoding="utf-8"))
    queries = [it["expr"] for one in dashboard["panels"] for it in one.get("targets", ())]
    assert len(queries) > 30
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), "utf-8")
    done = promtool.judge("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    places = [tuple(one["gridPos"].values()) for one in dashboard["panels"]]
    assert len(set(places)) == len(places), "no panel lies on another"
