"""The part of SARIF 2.1.0 that we use, written down from the specification.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
with the section of each object.  A property that is not here is one that we do not mean to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

#: Checks a value and returns what is wrong with it.
Check = Callable[[Any, str], "list[str]"]


def text(pattern: str = r"(?s).+") -> Check:
    def check(value: Any, where: str) -> list[str]:
        fits = isinstance(value, str) and re.fullmatch(pattern, value)
        return [] if fits else [f"{where}: {value!r} is not like {pattern}"]

    return check


def one_of(*values: Any) -> Check:
    return lambda value, where: [] if value in values else [f"{where}: {value!r} not in {values}"]


def kind(wanted: type) -> Check:
    def check(value: Any, where: str) -> list[str]:
        return [] if type(value) is wanted else [f"{where}: {value!r} is no {wanted.__name__}"]

    return check


def number(least: int) -> Check:
    def check(value: Any, where: str) -> list[str]:
        return [] if type(value) is int and value >= least else [f"{where}: {value!r}"]

    return check


def array(items: Check, *, least: int = 0, unique: bool = False) -> Check:
    def check(value: Any, where: str) -> list[str]:
        if not isinstance(value, list) or len(value) < least:
            return [f"{where}: {value!r} is no array of at least {least}"]
        if unique and any(item in value[:i] for i, item in enumerate(value)):
            return [f"{where}: an item is there twice"]
        return [wrong for i, item in enumerate(value) for wrong in items(item, f"{where}[{i}]")]

    return check


def mapping(values: Check) -> Check:
    def check(value: Any, where: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no object"]
        return [wrong for name, item in value.items() for wrong in values(item, f"{where}.{name}")]

    return check


def thing(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    def check(value: Any, where: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no object"]
        known = {**required, **(optional or {})}
        wrong = [f"{where}: no {name}" for name in required if name not in value]
        for name, item in value.items():
            unknown = [f"{where}: {name} is unknown"]
            wrong += known[name](item, f"{where}.{name}") if name in known else unknown
        return wrong

    return check


def anything(_value: Any, _where: str) -> list[str]:
    return []


#: RFC 3339 in UTC (3.9).
TIME = text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
#: RFC 3986: no blanks, nothing that would have to be escaped (3.10).
URI = text(r"(%[0-9A-Fa-f]{2}|[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-])+")
LEVEL = one_of("none", "note", "warning", "error")

MESSAGE = thing({"text": text()})  # 3.11
ARTIFACT_LOCATION = thing({"uri": URI})  # 3.4
REGION = thing({"startLine": number(1)})  # 3.30
PHYSICAL_LOCATION = thing({"artifactLocation": ARTIFACT_LOCATION, "region": REGION})  # 3.29
LOCATION = thing({"physicalLocation": PHYSICAL_LOCATION})  # 3.28
SUPPRESSION = thing(  # 3.35
    {"kind": one_of("inSource", "external")},
    {"status": one_of("accepted", "underReview", "rejected"), "justification": text()},
)
RESULT = thing(  # 3.27
    {"message": MESSAGE},
    {
        "ruleId": text(),
        "ruleIndex": number(-1),
        "level": LEVEL,
        "locations": array(LOCATION),
        "partialFingerprints": mapping(text()),
        "suppressions": array(SUPPRESSION, unique=True),
        "properties": mapping(anything),
    },
)
RULE_REFERENCE = thing({"id": text(), "index": number(-1)})  # 3.52
NOTIFICATION = thing(  # 3.58
    {"message": MESSAGE}, {"level": LEVEL, "associatedRule": RULE_REFERENCE}
)
INVOCATION = thing(  # 3.20
    {"executionSuccessful": kind(bool)},
    {
        "exitCode": number(0),
        "startTimeUtc": TIME,
        "endTimeUtc": TIME,
        "machine": text(),
        "toolExecutionNotifications": array(NOTIFICATION),
    },
)
RULE = thing(  # 3.49
    {"id": text()},
    {
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": MESSAGE,
        "helpUri": URI,
        "defaultConfiguration": thing({}, {"level": LEVEL}),
        "properties": thing(
            {}, {"tags": array(text(), unique=True), "security-severity": text(r"\d+\.\d")}
        ),
    },
)
DRIVER = thing(  # 3.19
    {"name": text()}, {"version": text(), "rules": array(RULE, unique=True)}
)
RUN = thing(  # 3.14
    {"tool": thing({"driver": DRIVER})},
    {
        "invocations": array(INVOCATION),
        "columnKind": one_of("utf16CodeUnits", "unicodeCodePoints"),
        "results": array(RESULT),
    },
)
LOG = thing(  # 3.13
    {"version": one_of("2.1.0"), "runs": array(RUN)}, {"$schema": text(r"https://\S+\.json")}
)


def problems(log: Any) -> list[str]:
    """What is wrong with a log file: its shape, and references that lead nowhere."""
    wrong = LOG(log, "log")
    if wrong:
        return wrong
    for run in log["runs"]:
        ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        if len(ids) != len(set(ids)):
            wrong.append("two rules have one id")
        # 3.27.6: the rule at ruleIndex has the id ruleId; 3.52 says the same of associatedRule.
        for result in run["results"]:
            if ids[result["ruleIndex"]] != result["ruleId"]:
                wrong.append(f"{result['ruleId']} is not the rule {result['ruleIndex']}")
        for invocation in run["invocations"]:
            for said in invocation["toolExecutionNotifications"]:
                rule = said.get("associatedRule")
                if rule is not None and ids[rule["index"]] != rule["id"]:
                    wrong.append(f"{rule['id']} is not the rule {rule['index']}")
    return wrong
