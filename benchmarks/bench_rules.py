"""The rules that `benchmarks.bench` gives to our server: a hundred of all kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["NONE_ACTS", "NO_RULES", "ONE_ACTS", "hundred_rules", "rules_file"]

NO_RULES = "nbtwisted, no rules"
NONE_ACTS = "nbtwisted, 100 rules, none acts"
ONE_ACTS = "nbtwisted, 100 rules, one acts"

Rules = list[dict[str, Any]]


def hundred_rules(*, one_acts: bool) -> Rules:
    """A hundred rules, of which the last is for `/get`, or none is.

    That one adds a header field, so the body is the same without it.
    """
    rules: Rules = [
        {"match": {"path": f"/service-{n}/orders/{{id}}"}, "delay": "200ms"}
        for n in range(60)
    ]
    rules += [
        {
            "match": {"method": "POST", "path": f"/service-{n}/orders/{{id}}/items/*"},
            "status": "200:9,503:1",
        }
        for n in range(20)
    ]
    rules += [
        {"match": {"path": f"/users/{{id}}/part-{n}"}, "body": "user {id}"}
        for n in range(10)
    ]
    rules += [
        {"match": {"path": "/get", "query": {"page": "1*"}}, "status": 503},
        {"match": {"path": "/get", "header": {"X-Tenant": "*acme*"}}, "status": 503},
        {"match": {"path": "/{tenant}/orders/{id}"}, "status": 503},
        {"match": {"path": "/{tenant}", "query": {"slow": True}}, "delay": "2s"},
        {"match": {"path": "/files/**"}, "rate": "10kB"},
        {"match": {"path": "/**/invoices"}, "status": 503},
        {"match": {"header": {"Authorization": "Bearer x*"}}, "status": 401},
        {"match": {"method": "DELETE"}, "fault": "reset"},
        {"match": {"target": "/get?page=1"}, "fault": "empty"},
    ]
    path = "/{name}" if one_acts else "/{name}/{id}"
    rules.append({"match": {"path": path}, "header": "X-Rule: acts"})
    return rules


def rules_file(folder: Path, *, one_acts: bool) -> str:
    """Write the file of these rules; returns its path."""
    path = folder / f"rules-{one_acts}.json"
    path.write_text(json.dumps({"rule": hundred_rules(one_acts=one_acts)}))
    return str(path)
