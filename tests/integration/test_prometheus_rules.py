"""What `deploy/prometheus/` holds is read by Prometheus's own tool, rings when it must, and asks for metrics that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import prometheus_client
import pytest
import yaml

from tests.requirements import missing
from tocsin.observability import metrics

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = sorted(FOLDER.glob("*.rules.yaml"))


def promtool(*arguments: object) -> None:
    program = shutil.which("promtool")
    if program is None:
        missing("promtool", "it is not on the PATH (Debian: prometheus)")
    done = subprocess.run(
        [str(program), *map(str, arguments)], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_rules() -> None:
    assert RULES


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.name)
def test_prometheus_reads_the_rules(rules: Path) -> None:
    promtool("check", "rules", rules)


def test_a_configuration_that_loads_them_is_valid(tmp_path: Path) -> None:
    written = {
        "rule_files": [str(rules) for rules in RULES],
        "scrape_configs": [{"job_name": "tocsin", "static_configs": [{"targets": ["127.0.0.1:8080"]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(written), encoding="utf-8")
    promtool("check", "config", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("tests", sorted(FOLDER.glob("*.tests.yaml")), ids=lambda path: path.name)
def test_the_rules_ring_when_they_must_and_not_otherwise(tests: Path) -> None:
    promtool("test", "rules", tests)


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.name)
def test_every_metric_that_a_rule_asks_for_is_declared(rules: Path) -> None:
    assert metrics.TIMER_OLDEST_DUE_SECONDS  # so that they are declared
    declared = {
        sample for family in prometheus_client.REGISTRY.collect() for sample in (family.name, f"{family.name}_total")
    }
    found = [rule for group in yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    asked = {name for rule in found for name in re.findall(r"\btocsin_\w+", rule["expr"])}
    assert asked
    assert asked <= declared
    for rule in found:
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
