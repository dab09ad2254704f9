"""Records what Spark Structured Streaming answers for the three example operators, epoch by epoch.

    python3 -m venv venv && venv/bin/pip install 'pyspark==4.3.0' 'pandas<3' pyarrow      # about 500 MB; needs Java 17
    venv/bin/python record.py                 # all cases, into results.json beside this file
    venv/bin/python record.py user-sessions   # the cases whose operator or name contains the text; the others are kept

`to_tests.py` then writes the test files from `results.json`. The operators are written here in Python, for
`applyInPandasWithState`, and in Rust in this example; the cases are in `cases.py`.

An epoch is a micro-batch here: each input is one file, and the source takes one file per micro-batch. The column `line` keeps the
rows of a file in their order, whatever a shuffle does to them.
"""
import datetime
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["TZ"] = "UTC"
time.tzset()
os.environ["PYSPARK_PYTHON"] = sys.executable  # Its workers need pandas too.

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.streaming.state import GroupState, GroupStateTimeout

from cases import CASES

RESULTS = Path(__file__).with_name("results.json")


# The operators. Their state is one JSON text: PySpark takes no state with arrays in it.

STATE = "kept STRING"


def kept(state, otherwise):
    return json.loads(state.get[0]) if state.exists else otherwise


def keep(state, *values):
    state.update((json.dumps(values),))


def rows_of(frames):
    """The rows of a call in the order of their file; `event_time` is in microseconds since 1970, or None."""
    rows = [row._asdict() for frame in frames for row in frame.itertuples(index=False)]
    for row in rows:
        row["event_time"] = None if pd.isna(row["event_time"]) else row["event_time"].value // 1000
    return sorted(rows, key=lambda row: row["line"])


def by_event_time(rows):
    """Rows without a time first; rows of the same time as they arrived."""
    return sorted(rows, key=lambda row: (row["event_time"] is not None, row["event_time"] or 0))


def times(micros):
    return pd.to_datetime(pd.Series(micros, dtype="Int64"), unit="us")


def mean(values):
    total = 0.0
    for value in values:  # `sum` compensates for rounding; other languages do not.
        total += value
    return total / len(values)


def current_activity(key, frames, state):
    """Per user the activity at work, with its first and last time: one row per call."""
    activity, start, end = kept(state, otherwise=("", None, None))
    for row in rows_of(frames):
        at = row["event_time"]
        if at is None:
            continue
        if row["activity"] == activity:
            start = at if start is None else min(start, at)
            end = at if end is None else max(end, at)
        elif end is None or at > end:
            activity, start, end = row["activity"], at, at
    keep(state, activity, start, end)
    yield pd.DataFrame({"user": [key[0]], "activity": [activity], "start": times([start]), "end": times([end])})


def device_averages(every):
    def call(key, frames, state):
        """Per device the average of every `every` readings, in the order of their times within an epoch."""
        [values] = kept(state, otherwise=([],))
        averages = []
        for row in by_event_time(rows_of(frames)):
            values.append(float(row["x"]))
            if len(values) == every:
                averages.append(mean(values))
                values = []
        keep(state, values)
        if averages:
            yield pd.DataFrame({"device": [key[0]] * len(averages), "average": averages})

    return call


def user_sessions(gap, most):
    def call(key, frames, state):
        """Per user a session, which ends when no row came for `gap`, or with `most` readings."""
        # Spark's rule is that a call starts without a timeout. PySpark leaves the old one standing, and takes this only
        # together with an update or a removal, which every call below ends with.
        state._timeout_timestamp = GroupState.NO_TIMESTAMP
        newest, values, activities = kept(state, otherwise=(None, [], []))
        activities = set(activities)
        ended = []

        def end():
            ended.append((sorted(activities), len(values), mean(values)))

        if state.hasTimedOut:
            end()
            values = []
        else:
            for row in by_event_time(rows_of(frames)):
                values.append(float(row["x"]))
                activities.add(row["activity"])
                if row["event_time"] is not None:
                    newest = max(newest or 0, row["event_time"])
                if len(values) == most:
                    end()
                    newest, values, activities = None, [], set()
        if values:
            keep(state, newest, values, sorted(activities))
            if newest is not None:
                # A row may be in time and yet further than the gap behind the watermark that this epoch closes by.
                state.setTimeoutTimestamp(max(newest // 1000 + gap, state.getCurrentWatermarkMs()))
        elif state.exists:
            state.remove()
        if ended:
            rows = [(key[0], *session) for session in ended]
            yield pd.DataFrame(rows, columns=["user", "activities", "readings", "mean_x"])

    return call


OPERATORS = {
    "current-activity": dict(
        function=lambda: current_activity,
        source="line BIGINT, user STRING, activity STRING, event_time TIMESTAMP",
        output="user STRING, activity STRING, start TIMESTAMP, end TIMESTAMP",
        key="user",
        mode="update",
        timeout=GroupStateTimeout.NoTimeout,
    ),
    "device-averages": dict(
        function=device_averages,
        source="line BIGINT, device STRING, x DOUBLE, event_time TIMESTAMP",
        output="device STRING, average DOUBLE",
        key="device",
        mode="append",
        timeout=GroupStateTimeout.NoTimeout,
        readings=True,
    ),
    "user-sessions": dict(
        function=user_sessions,
        source="line BIGINT, user STRING, activity STRING, x DOUBLE, event_time TIMESTAMP",
        output="user STRING, activities ARRAY<STRING>, readings BIGINT, mean_x DOUBLE",
        key="user",
        mode="append",
        timeout=GroupStateTimeout.EventTimeTimeout,
        readings=True,
    ),
}


def query(operator, parameters, frame):
    """The graph of the operator: what is in `../graphs`, in Spark's terms."""
    if operator.get("readings"):
        frame = frame.where("x IS NOT NULL").withWatermark("event_time", "5 seconds")
    return frame.groupBy(operator["key"]).applyInPandasWithState(
        operator["function"](**parameters), operator["output"], STATE, operator["mode"], operator["timeout"]
    )


# The runner.

def start_spark():
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def put(folder, number, rows):
    """One file of rows, complete when it appears, with a time of its own: the source takes the oldest first."""
    hidden = folder / f".{number:05}"
    hidden.write_text("".join(json.dumps({"line": line, **row}) + "\n" for line, row in enumerate(rows)))
    os.utime(hidden, (1_600_000_000 + number, 1_600_000_000 + number))
    hidden.rename(folder / f"{number:05}.json")


def plain(value):
    if isinstance(value, datetime.datetime):
        text = value.isoformat(timespec="microseconds")
        return text.rstrip("0").rstrip(".") + "Z"
    return value


def watermark(checkpoint, batch):
    """What the log of planned micro-batches says. Spark starts at 0, where others have none yet."""
    line = (checkpoint / "offsets" / str(batch)).read_text().splitlines()[1]
    return json.loads(line)["batchWatermarkMs"]


def record(spark, case):
    operator = OPERATORS[case["operator"]]
    base = Path(tempfile.mkdtemp(prefix="recorded-"))
    folder, checkpoint = base / "in", base / "checkpoint"
    folder.mkdir()
    frame = spark.readStream.schema(operator["source"]).option("maxFilesPerTrigger", 1).json(str(folder))
    answers = []

    def collect(frame, batch):
        rows = [{name: plain(value) for name, value in row.asDict().items()} for row in frame.collect()]
        answers.append((batch, sorted(rows, key=json.dumps)))

    def start(**trigger):
        writer = query(operator, case["parameters"], frame).writeStream.outputMode(operator["mode"])
        writer = writer.option("checkpointLocation", str(checkpoint)).foreachBatch(collect)
        return (writer.trigger(**trigger) if trigger else writer).start()

    epochs = []

    def add(inputs, restart=False):
        """The micro-batches since the last call: the first ones had these inputs, the others none."""
        for place, (batch, rows) in enumerate(answers):
            epoch = {"input": inputs[place] if place < len(inputs) else None}
            epoch |= {"watermark_ms": watermark(checkpoint, batch), "output": rows}
            epochs.append({"restart": True} | epoch if restart and place == 0 else epoch)
        assert len(answers) >= len(inputs), f"{case['name']}: {len(answers)} micro-batches for {len(inputs)} inputs"
        answers.clear()

    if case["feed"] == "available_now":
        for number, rows in enumerate(case["inputs"]):
            put(folder, number, rows)
        start(availableNow=True).awaitTermination()
        add(case["inputs"])
    else:
        running = None if case["feed"] == "restart" else start()
        for number, rows in enumerate(case["inputs"]):
            put(folder, number, rows)
            if running:
                running.processAllAvailable()
            else:
                start(availableNow=True).awaitTermination()
            add([rows], restart=not running and number > 0)
        if running:
            running.stop()
    return {name: case[name] for name in ("operator", "parameters", "name", "feed")} | {"epochs": epochs}


# The file.

def text(results):
    """JSON with a row on a line, so that two recordings can be compared."""
    def rows(values):
        return "[]" if not values else "[\n    " + ",\n    ".join(map(json.dumps, values)) + "\n   ]"

    def epoch(value):
        fields = [f'"{name}": {rows(field) if isinstance(field, list) else json.dumps(field)}' for name, field in value.items()]
        return "  {" + ",\n   ".join(fields) + "}"

    def case(value):
        head = ", ".join(f'"{name}": {json.dumps(value[name])}' for name in ("operator", "parameters", "name", "feed"))
        return " {" + head + ', "epochs": [\n' + ",\n".join(map(epoch, value["epochs"])) + "\n ]}"

    return "[\n" + ",\n".join(map(case, results)) + "\n]\n"


def main():
    only = sys.argv[1:]
    kept = json.loads(RESULTS.read_text()) if only and RESULTS.exists() else []
    kept = {(case["operator"], case["name"]): case for case in kept}
    spark = start_spark()
    results = []
    for case in CASES:
        title = f"{case['operator']}: {case['name']}"
        before = kept.get((case["operator"], case["name"]))
        wanted = not only or any(part in title for part in only)
        if wanted:
            print(title, flush=True)
        if wanted or before:
            results.append(record(spark, case) if wanted else before)
        RESULTS.write_text(text(results))
    spark.stop()


if __name__ == "__main__":
    main()
