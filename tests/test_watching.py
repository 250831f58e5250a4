"""What watches an installation is held to the code: dashboard, alarms and the page of metrics name what there is."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service import telemetry
from tests.test_docs import anchors

ROOT = Path(__file__).parent.parent
OPERATIONS = ROOT / "docs/operations.md"
DASHBOARD = ROOT / "ops/grafana/colloquy.json"
ALERTS, TRIALS = ROOT / "ops/prometheus/alerts.yml", ROOT / "ops/prometheus/alerts_test.yml"
NAME = re.compile(r"\b((?:colloquy|process)_[a-z_]+)\b")
PARTS = re.compile(r"_(?:bucket|sum|count)$")
#: What every Prometheus client tells of a process; the dashboard shows two of them.
OF_PYTHON = re.compile(r"^(?:process)_")
ROWS = ["API", "Pipeline", "Review queue", "Scorer", "Webhooks", "Live streams", "Mail"]


def of_the_code() -> dict[str, tuple[str, ...]]:
    """Answer each metric of the code with its labels."""
    found = {}
    for registry in (telemetry.api_registry, telemetry.worker_registry):
        for collector in set(registry._collector_to_names):
            for family in collector.describe() if hasattr(collector, "describe") else collector.collect():
                suffix = "_total" if family.type == "counter" else ""
                found[family.name + suffix] = tuple(getattr(collector, "_labelnames", ()))
    # Made when they are asked for, without a description beforehand.
    return found | {f"process_{name}": () for name in ("resident_memory_bytes", "cpu_seconds_total")}


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, rows too."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def rules() -> list[dict[str, Any]]:
    """The rules of the alarms."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Yield every expression of dashboard and alarms."""
    yield from (target["expr"] for panel in panels() for target in panel.get("targets", []))
    yield from (rule["expr"] for rule in rules())


def named(text: str) -> set[str]:
    """Answer the metrics that a text names."""
    return {PARTS.sub("", name) for name in NAME.findall(re.sub(r'"[^"]*"', "", text))}


def test_what_is_asked_for_is_counted() -> None:
    """Every metric and label in an expression is one of the code's."""
    known = of_the_code()
    for expression in expressions():
        names = named(expression)
        assert names <= known.keys() | set(), (expression, names - known.keys())
        labels = {label for name in names for label in known[name]} | {"job", "instance", "le"}
        used = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
        used += [one for by in re.findall(r"\bby \(([^)]*)\)", expression) for one in by.replace(" ", "").split(",")]
        assert {one for one in used if one} <= labels, expression


def test_what_is_counted_is_shown() -> None:
    """Every metric of ours is on the dashboard."""
    shown = {name for panel in panels() for target in panel.get("targets", []) for name in named(target["expr"])}
    assert {name for name in of_the_code() if not OF_PYTHON.match(name)} - shown == set()


def test_what_is_counted_is_on_the_page() -> None:
    """The page of metrics has each with its labels and kind, on the page of its process, and no other."""
    text = OPERATIONS.read_text()
    known = of_the_code()
    table = re.findall(r"^\| (`colloquy_[^|]+) \| (counter|gauge|histogram) \|", text, flags=re.MULTILINE)
    told = {}
    for cell, kind in table:
        for name, labels in re.findall(r"`(colloquy_\w+)(?:\{([\w,]+)\})?`", cell):
            told[name] = (tuple(labels.split(",")) if labels else (), kind)
    ours = {name: labels for name, labels in known.items() if not OF_PYTHON.match(name)}
    assert {name: labels for name, (labels, _) in told.items()} == ours
    assert all(name.endswith("_total") == (kind == "counter") for name, (_, kind) in told.items())


def test_every_alarm_has_its_line_in_the_runbook() -> None:
    """Each alarm has a severity, words and an anchor of the page of operations, where its name and severity stand."""
    headings, text = anchors(OPERATIONS), OPERATIONS.read_text()
    assert len(rules()) >= 20
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        severity, notes = rule["labels"]["severity"], rule["annotations"]
        assert f"`{rule['alert']}`, {severity}. " in text
        assert notes["summary"]
        assert notes["description"].endswith(".")
        path, _, anchor = notes["runbook_url"].partition("#")
        assert path == "docs/operations.md"
        assert anchor in headings, rule["alert"]
    assert set(re.findall(r"^`(Colloquy\w+)`, ", text, flags=re.MULTILINE)) == set(names)


def test_every_alarm_is_tried() -> None:
    """The trials that promtool runs make each alarm sound once at least."""
    trials = yaml.safe_load(TRIALS.read_text())["tests"]
    sounding = {one["alertname"] for trial in trials for one in trial["alert_rule_test"] if one.get("exp_alerts")}
    silent = {one["alertname"] for trial in trials for one in trial["alert_rule_test"] if not one.get("exp_alerts")}
    assert {rule["alert"] for rule in rules()} - sounding == set()
    assert silent


@pytest.mark.parametrize("command", ["check rules alerts.yml", "test rules alerts_test.yml"])
def test_promtool_agrees(command: str) -> None:
    """Where Prometheus' own tool is installed, it takes the rules, and every trial ends as it should."""
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not here; in Debian it comes with prometheus")
    ran = subprocess.run([promtool, *command.split()], cwd=ALERTS.parent, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_dashboard_is_whole() -> None:
    """Each part has its row; each panel a title, a unit, a sentence, a place of its own and the data source."""
    found = panels()
    assert {panel["title"] for panel in found if panel["type"] == "row"} >= set(ROWS)
    assert len({panel["id"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_prometheus_reads_both_pages() -> None:
    """The example reads the jobs that the alarms ask about, at the ports that both have unless told otherwise."""
    example = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in example["scrape_configs"]}
    assert jobs == {"colloquy-api": ["127.0.0.1:8000"], "colloquy-worker": ["127.0.0.1:8001"]}
    asked = {job for expression in expressions() for job in re.findall(r'job="([^"]+)"', expression)}
    assert asked <= set(jobs)
    assert example["rule_files"] == [ALERTS.name]
