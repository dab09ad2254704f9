"""Writes the test files in `../graphs` from what `record.py` recorded. Needs nothing but Python.

    python3 to_tests.py

Cases with the parameters of a graph name that graph; those with others hold it in place, with the parameters put in. The rows go
into the graph's source, so they have the names and the times of the sample data: nanoseconds since 1970.
"""
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).parent
GRAPHS = HERE.parent / "graphs"

# What the graphs rename; `event_time` is computed from `Creation_Time`.
SOURCE_COLUMNS = {"user": "User", "device": "Device", "activity": "gt", "x": "x"}
FEEDS = {"stepwise": "Stepwise", "restart": "Stepwise", "available_now": "Queued"}
WIDTH = 140

# Per operator, the parameters that its graph has, and those in it that the cases change.
OPERATORS = {
    "current-activity": ({}, None),
    "device-averages": ({"every": 500}, "every"),
    "user-sessions": ({"gap": 5000, "most": 1000}, "most"),
}


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def source_row(row):
    """A recorded row as the graph's source would read it. A missing column is null."""
    values = {SOURCE_COLUMNS[name]: value for name, value in row.items() if name != "event_time" and value is not None}
    if row["event_time"] is not None:
        since = instant(row["event_time"]) - datetime(1970, 1, 1, tzinfo=timezone.utc)
        values = {"Creation_Time": since // timedelta(microseconds=1) * 1000} | values
    return values


def ron(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {ron(field)}" for name, field in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(ron, value)) + "]"
    return "None" if value is None else json.dumps(value)


def port(name, rows, indent):
    """`{"name": [rows]}`, on one line if it fits."""
    line = ron({name: rows})
    if len(line) + indent < WIDTH:
        return line
    pad = " " * indent
    return f'{{\n{pad}    "{name}": [\n' + "".join(f"{pad}        {ron(row)},\n" for row in rows) + f"{pad}    ],\n{pad}}}"


def watermark(milliseconds):
    """Spark's first watermark is 1970; here there is none yet."""
    if milliseconds == 0:
        return "None"
    time = datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
    return f'"{time.isoformat(timespec="milliseconds").removesuffix(".000")}Z"'


def epoch(recorded, with_watermark):
    indent = 20
    fields = []
    if recorded.get("restart"):
        fields.append("restart: true")
    if recorded["input"] is not None:
        fields.append("input: " + port("activity", list(map(source_row, recorded["input"])), indent))
    if with_watermark:
        fields.append("watermark: " + watermark(recorded["watermark_ms"]))
    fields.append("output: " + port("console", recorded["output"], indent))
    line = "(" + ", ".join(fields) + ")"
    if len(line) + indent <= WIDTH and "\n" not in line:
        return " " * 16 + line
    return " " * 16 + "(\n" + "".join(" " * indent + field + ",\n" for field in fields) + " " * 16 + ")"


def case(recorded, with_watermark):
    epochs = "".join(epoch(one, with_watermark) + ",\n" for one in recorded["epochs"])
    return (
        f'        (\n            name: {json.dumps(recorded["name"])},\n            feed: {FEEDS[recorded["feed"]]},\n'
        f"            epochs: [\n{epochs}            ],\n        ),\n"
    )


def graph_in_place(text, name, change):
    """The graph without its comments and with another parameter, as a field of the test file."""
    lines = [line for line in text.splitlines() if not line.strip().startswith("//")]
    (before, after) = change
    text = "\n    ".join(lines).replace(before, after)
    assert after in text, f"`{name}` has no `{before}`"
    return text


def main():
    results = json.loads((HERE / "results.json").read_text())
    groups = {}
    for recorded in results:
        groups.setdefault((recorded["operator"], json.dumps(recorded["parameters"])), []).append(recorded)
    for (operator, parameters), cases in groups.items():
        text = (GRAPHS / f"{operator}.ron").read_text()
        parameters = json.loads(parameters)
        usual, field = OPERATORS[operator]
        if parameters == usual:
            file, graph = operator, json.dumps(f"{operator}.ron")
        else:
            count = parameters[field]
            file = f"{operator}-of-{count}"
            graph = graph_in_place(text, operator, (f"{field}: {usual[field]}", f"{field}: {count}"))
        with_watermark = "Watermark(" in text
        body = "".join(case(recorded, with_watermark) for recorded in cases)
        (GRAPHS / f"{file}.test.ron").write_text(
            "// What Spark Structured Streaming 4.3 answers, as `../recorded/record.py` recorded it; written by `../recorded/to_tests.py`.\n"
            "// Creation_Time counts nanoseconds since 1970: 1424772000000000000 is 2015-02-24T10:00:00Z.\n"
            f"Tests(\n    graph: {graph},\n    cases: [\n{body}    ],\n)\n"
        )


if __name__ == "__main__":
    main()
