"""The report as a JUnit XML file, as CI systems read it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

from swarm_host.testing.report.reporting import Summary
from swarm_host.testing.specs import BrokenFile, Result

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnit:
    """Writes a file at the end of the run.

    :param path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def begin(self, specs: int, broken: list[BrokenFile], seed: int) -> None:
        """Nothing is written before the end."""

    def result(self, result: Result) -> None:
        """Nothing is written before the end."""

    def end(self, summary: Summary) -> None:
        """A suite for each file, a case for each spec."""
        suites = Xml.Element("testsuites", name="swarm-host test", time=f"{summary.seconds:.3f}")
        by_file: dict[str, list[Result]] = {}
        for result in summary.results:
            by_file.setdefault(result.spec.file, []).append(result)
        for file, results in by_file.items():
            suite = Xml.SubElement(suites, "testsuite", name=_clean(file))
            seconds = sum(result.seconds for result in results)
            _count(suite, results, errors=0, seconds=seconds)
            properties = Xml.SubElement(suite, "properties")
            Xml.SubElement(properties, "property", name="seed", value=str(summary.seed))
            for result in results:
                _case(suite, result)
        for broken in summary.broken:
            suite = Xml.SubElement(suites, "testsuite", name=_clean(broken.file))
            _count(suite, [], errors=1, seconds=0)
            case = Xml.SubElement(
                suite, "testcase", classname=_clean(broken.file), name="loads", time="0.000"
            )
            _problem(case, "error", broken.text)
            _said(case, broken.said)
        _count(suites, summary.results, errors=len(summary.broken), seconds=summary.seconds)
        Xml.indent(suites)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        Xml.ElementTree(suites).write(self._path, encoding="utf-8", xml_declaration=True)


def _count(element: Xml.Element, results: list[Result], *, errors: int, seconds: float) -> None:
    skipped = sum(result.status in ("pending", "not run") for result in results)
    element.set("tests", str(len(results) + errors))
    element.set("failures", str(sum(result.status == "failed" for result in results)))
    element.set("errors", str(errors))
    element.set("skipped", str(skipped))
    element.set("time", f"{seconds:.3f}")


def _case(suite: Xml.Element, result: Result) -> None:
    spec = result.spec
    case = Xml.SubElement(
        suite,
        "testcase",
        classname=_clean(spec.file),
        name=_clean(spec.title),
        file=_clean(spec.where.rpartition(":")[0]),
        line=str(spec.first),
        time=f"{result.seconds:.3f}",
    )
    if result.status == "failed":
        _problem(case, "failure", result.text)
    elif result.status in ("pending", "not run"):
        Xml.SubElement(case, "skipped", message=result.status)
    _said(case, result.said)


def _problem(case: Xml.Element, kind: str, text: str) -> None:
    first = text.partition("\n")[0]
    Xml.SubElement(case, kind, message=_clean(first), type=kind).text = _clean(text)


def _said(case: Xml.Element, said: str) -> None:
    if said:
        Xml.SubElement(case, "system-out").text = _clean(said)


def _clean(text: str) -> str:
    """Text without what XML cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
