"""What is asked of Spark about the three example operators: rows per epoch, in several feeds.

Times are seconds after 2015-02-24T10:00:00Z, None is a row without a time. Feeds: `stepwise` gives the next input when the query
has come to rest, `restart` also stops and starts the query before it, `available_now` has all inputs waiting from the start.
"""
import datetime
import random

CASES = []
BASE = datetime.datetime(2015, 2, 24, 10)


def at(seconds):
    if seconds is None:
        return None
    text = (BASE + datetime.timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return text.removesuffix(".000") + "Z"


def add(operator, parameters, columns, name, inputs, feed="stepwise"):
    """`inputs`: a list of epochs of tuples; the last of a tuple is the time."""
    inputs = [[{**dict(zip(columns, row)), "event_time": at(row[-1])} for row in rows] for rows in inputs]
    CASES.append(dict(operator=operator, parameters=parameters, name=name, feed=feed, inputs=inputs))


def in_epochs(rows, sizes):
    """Rows cut into epochs of these sizes, in turn, until none is left."""
    epochs = []
    while rows:
        size = sizes[len(epochs) % len(sizes)]
        epochs.append(rows[:size])
        rows = rows[size:]
    return epochs


# The current activity of a user.

def current(name, *inputs, feed="stepwise"):
    add("current-activity", {}, ("user", "activity"), name, inputs, feed)


current("a row of the same activity moves its end, a later one of another activity begins anew",
        [("ann", "stand", 0)], [("ann", "stand", 10)], [("ann", "walk", 20), ("ann", "walk", 25)], [("ann", "stand", 30)])
current("each user of an epoch gives one row, the others none",
        [("ann", "sit", 0), ("bob", "bike", 1), ("cyd", "walk", 2), ("ann", "sit", 3)],
        [("bob", "bike", 4)],
        [("cyd", "sit", 5), ("dan", "stand", 5), ("ann", "sit", 6), ("dan", "stand", 8)])
current("an earlier row of the same activity moves its start",
        [("ann", "walk", 100)], [("ann", "walk", 40)], [("ann", "walk", 60)])
current("a row of another activity that is not after the end changes nothing, and the row comes out as it was",
        [("ann", "walk", 10), ("ann", "walk", 20)], [("ann", "sit", 15)], [("ann", "sit", 20)], [("ann", "sit", 20.001)])
current("rows of an epoch are taken as they arrive, not by their time",
        [("ann", "walk", 30), ("ann", "sit", 10), ("ann", "walk", 20), ("ann", "sit", 40), ("ann", "walk", 35)],
        [("bob", "sit", 10), ("bob", "walk", 30), ("bob", "sit", 20)])
current("a row without a time is skipped, and a user without any other has no activity",
        [("ann", "walk", None), ("bob", "sit", 5)], [("bob", "walk", None)], [("ann", "walk", None), ("ann", "sit", 1)],
        [("ann", "sit", None), ("ann", "sit", 7), ("bob", "sit", 4)])
current("an activity that comes back starts again",
        [("ann", "walk", 0), ("ann", "sit", 10), ("ann", "walk", 20)], [("ann", "sit", 30), ("ann", "sit", 29)],
        [("ann", "walk", 28), ("ann", "walk", 31)])
current("a row that is hours late still counts: there is no timeout, and nothing is late",
        [("ann", "walk", 7200), ("bob", "sit", 10)], [("ann", "walk", 0)], [("bob", "walk", 11), ("cyd", "sit", -3600)])
current("a restart before every epoch",
        [("ann", "stand", 0), ("bob", "sit", 1)], [("ann", "walk", 10)], [("bob", "sit", 5)], [("ann", "walk", 12), ("bob", "walk", 5)],
        feed="restart")
current("all inputs wait from the start",
        [("ann", "stand", 0), ("bob", "sit", 1)], [("ann", "walk", 10)], [("bob", "sit", 5)], [("ann", "walk", 12), ("bob", "walk", 5)],
        feed="available_now")


def random_activities(seed):
    """Users who do a thing for a while, with rows up to a minute out of order and a few without a time."""
    draw, now, rows, doing = random.Random(seed), 0.0, [], {}
    for _ in range(200):
        now += draw.choice([0, 0.5, 1, 3, 8])
        user = draw.choice("abcdef")
        if user not in doing or draw.random() < 0.2:
            doing[user] = draw.choice(["bike", "sit", "stairsup", "stand", "walk"])
        when = None if draw.random() < 0.03 else now - draw.choice([0, 0, 0, 1, 5, 60])
        rows.append((user, doing[user], when))
    return rows


current("random rows", *in_epochs(random_activities(4), [7, 1, 23, 12]))
current("random rows, all waiting from the start", *in_epochs(random_activities(5), [40, 3]), feed="available_now")


# The average of every so many readings of a device.

def averages(name, *inputs, feed="stepwise", every=3):
    add("device-averages", {"every": every}, ("device", "x"), name, inputs, feed)


averages("an average comes out when its last reading is there",
         [("nexus", 1.0, 0)], [("nexus", 2.0, 1)], [("nexus", 4.5, 2)], [("nexus", 8.0, 3)])
averages("devices are counted apart",
         [("nexus", 1.0, 0), ("gear", 10.0, 0), ("nexus", 2.0, 1), ("s3", 7.0, 1)], [("gear", 20.0, 2), ("gear", 40.0, 3), ("s3", 7.0, 3)],
         [("nexus", 3.0, 4), ("s3", 8.5, 4)])
averages("readings of an epoch are taken in the order of their times",
         [("nexus", 8.0, 30), ("nexus", 1.0, 10), ("nexus", 2.0, 20), ("nexus", 3.0, 15)], [("nexus", 64.0, 5), ("nexus", 16.0, 2)])
averages("readings of the same time are taken as they arrived",
         [("nexus", 5.0, 1), ("nexus", 1.0, 1), ("nexus", 9.0, 1), ("nexus", 100.0, 1)], [("nexus", 2.0, 1), ("nexus", 3.0, 1)])
averages("an epoch with many readings gives several averages",
         [("nexus", float(x), x) for x in range(7)], [("nexus", float(x), x) for x in range(7, 15)])
averages("after an epoch that ends with the last reading nothing is left",
         [("nexus", 1.0, 0), ("nexus", 2.0, 1), ("nexus", 3.0, 2)], [("nexus", 10.0, 3), ("nexus", 20.0, 4)], [("nexus", 30.0, 5)])
averages("a reading behind the watermark counts: without a timeout nothing is late",
         [("nexus", 1.0, 1000)], [("nexus", 2.0, 0)], [("nexus", 6.0, 10)], [("gear", 1.0, 2000)])
averages("readings without a time come first",
         [("nexus", 10.0, 5), ("nexus", 1.0, None), ("nexus", 20.0, 6), ("nexus", 2.0, None)], [("gear", 1.0, None), ("gear", 2.0, None)],
         [("gear", 3.0, 1), ("nexus", 40.0, None), ("nexus", 50.0, -100)])
averages("a reading without a value does not count, and does not move the watermark",
         [("nexus", 1.0, 0), ("nexus", None, 1000), ("nexus", 2.0, 2)], [("nexus", None, 3), ("gear", None, 3)], [("nexus", 6.0, 4)])
averages("a restart before every epoch",
         [("nexus", 1.0, 0), ("gear", 4.0, 1)], [("nexus", 2.0, 2), ("gear", 5.0, 3)], [("nexus", 6.0, 4), ("nexus", 7.0, 5)],
         [("gear", 12.0, 6), ("nexus", 8.0, 6), ("nexus", 9.25, 7)],
         feed="restart")
averages("all inputs wait from the start",
         [("nexus", 1.0, 0), ("gear", 4.0, 1)], [("nexus", 2.0, 2), ("gear", 5.0, 3)], [("nexus", 6.0, 4), ("nexus", 7.0, 5)],
         [("gear", 12.0, 6), ("nexus", 8.0, 6), ("nexus", 9.25, 7)],
         feed="available_now")


def random_readings(seed, count, devices):
    draw = random.Random(seed)
    return [
        (draw.choice(devices), round(draw.uniform(-10, 10), 2), None if draw.random() < 0.03 else step - draw.choice([0, 0, 0, 2, 20, 300]))
        for step in range(count)
    ]


averages("random rows", *in_epochs(random_readings(6, 200, ["gear", "nexus", "s3", "s3mini"]), [9, 31, 1, 14]))


def five_hundred():
    """Three epochs: `nexus` reaches its 500th reading with the last row of the second, `gear` stays one short until the last."""
    draw = random.Random(7)
    rows = [("nexus" if step % 2 else "gear", round(draw.uniform(-10, 10), 2), 0.5 * step - draw.choice([0, 0, 3])) for step in range(1000)]
    gear = rows.index(next(row for row in reversed(rows) if row[0] == "gear"))
    held = rows.pop(gear)
    return [rows[:300], rows[300:], [held, ("nexus", 1.0, 501)]]


averages("the average of 500 readings", *five_hundred(), every=500)


# Sessions of a user.

def sessions(name, *inputs, feed="stepwise", most=4):
    add("user-sessions", {"gap": 5000, "most": most}, ("user", "activity", "x"), name, inputs, feed)


sessions("a session ends when the watermark is more than the gap past its last row",
         [("ann", "walk", 1.0, 0), ("ann", "sit", 2.0, 2)], [("bob", "bike", 5.0, 20)], [("bob", "bike", 6.0, 22)], [("cyd", "sit", 0.5, 60)])
sessions("a watermark that only reaches the timeout does not fire it",
         [("ann", "walk", 1.0, 0)], [("bob", "sit", 2.0, 10)], [("bob", "sit", 2.5, 10.001)])
sessions("a row within the gap keeps the session open",
         [("ann", "walk", 1.0, 0)], [("ann", "walk", 2.0, 4)], [("ann", "stand", 3.0, 8)], [("bob", "sit", 9.0, 13)], [("bob", "sit", 9.0, 20)])
sessions("a session ends with its last reading, and the next row opens another",
         [("ann", "walk", 1.0, 0), ("ann", "sit", 2.0, 1), ("ann", "walk", 3.0, 2)], [("ann", "bike", 10.0, 3), ("ann", "sit", 20.0, 4)],
         [("bob", "sit", 0.0, 30)])
sessions("an epoch with many readings gives several sessions",
         [("ann", "walk", float(x), x / 10) for x in range(4)] + [("ann", "sit", float(x), x / 10) for x in range(4, 9)], [("bob", "sit", 0.0, 30)])
sessions("after an epoch that ends with the last reading no timeout is left",
         [("ann", "walk", 1.0, 0), ("ann", "sit", 2.0, 1)], [("ann", "walk", 3.0, 2), ("ann", "sit", 4.0, 3)], [("bob", "sit", 0.0, 30)],
         [("bob", "sit", 1.0, 60)])
sessions("a row in the epoch in which the timeout is due keeps the session open",
         [("ann", "walk", 1.0, 0)], [("bob", "sit", 2.0, 30)], [("ann", "stand", 3.0, 28)], [("bob", "sit", 5.0, 31)], [("cyd", "sit", 6.0, 90)],
         feed="available_now")
sessions("a late row is dropped",
         [("ann", "walk", 1.0, 100)], [("ann", "sit", 2.0, 95), ("bob", "sit", 3.0, 10)], [("ann", "stand", 4.0, 95.001)], [("cyd", "sit", 5.0, 150)])
sessions("a row that is in time and yet further than the gap behind the watermark waits for the watermark to move",
         [("ann", "walk", 1.0, 0)], [("bob", "sit", 2.0, 100)], [("cyd", "sit", 3.0, 1), ("ann", "walk", 4.0, 50)], [("dan", "bike", 5.0, 100)],
         [("dan", "bike", 6.0, 200)],
         feed="available_now")
sessions("readings of an epoch are taken in the order of their times",
         [("ann", "walk", 8.0, 3), ("ann", "sit", 1.0, 0), ("ann", "stand", 2.0, 2), ("ann", "bike", 4.0, 1), ("ann", "walk", 16.0, 2.5)],
         [("bob", "sit", 0.0, 30)])
sessions("several sessions end in one epoch without input",
         [("ann", "walk", 1.0, 0), ("bob", "sit", 2.0, 1), ("cyd", "bike", 3.0, 2), ("bob", "stand", 4.0, 3)], [("dan", "sit", 5.0, 40)],
         [("ann", "sit", 7.0, 41)], [("dan", "sit", 5.0, 80)])
sessions("a row without a time counts and sets no timeout",
         [("ann", "walk", 1.0, None)], [("bob", "sit", 2.0, 0), ("bob", "walk", 3.0, None)], [("cyd", "sit", 4.0, 50)],
         [("ann", "sit", 5.0, 51)], [("cyd", "sit", 6.0, 90)], [("dan", "sit", 1.0, None), ("dan", "sit", 2.0, None), ("dan", "sit", 3.0, None), ("dan", "bike", 6.5, None)])
sessions("a session of rows without a time does not inherit the timeout of the one before it",
         [("ann", "walk", 1.0, 0)], [("ann", "sit", 2.0, 1), ("ann", "sit", 3.0, 2), ("ann", "walk", 6.0, 3)], [("ann", "bike", 5.0, 4)],
         [("ann", "bike", 1.0, 5), ("ann", "bike", 2.0, 6), ("ann", "bike", 3.0, 6), ("ann", "stand", 9.0, None)], [("bob", "sit", 7.0, 30)],
         [("bob", "sit", 7.0, 60)])
sessions("a reading without a value does not count, keeps no session open, and does not move the watermark",
         [("ann", "walk", 1.0, 0), ("ann", "sit", None, 4)], [("bob", "sit", None, 90)], [("bob", "sit", 2.0, 12)])
sessions("a restart before every epoch",
         [("ann", "walk", 1.0, 0), ("bob", "sit", 2.0, 1)], [("ann", "sit", 3.0, 4)], [("cyd", "sit", 4.0, 13)], [("cyd", "bike", 5.0, 14), ("ann", "walk", 6.0, 9)],
         [("ann", "walk", 7.0, 50)],
         feed="restart")
sessions("all inputs wait from the start",
         [("ann", "walk", 1.0, 0), ("bob", "sit", 2.0, 1)], [("ann", "sit", 3.0, 4)], [("cyd", "sit", 4.0, 13)], [("cyd", "bike", 5.0, 14), ("ann", "walk", 6.0, 9)],
         [("ann", "walk", 7.0, 50)],
         feed="available_now")


def random_sessions(seed, count):
    """Users who fall silent now and then; some rows late, a few without a time or a value."""
    draw, now, rows = random.Random(seed), 0.0, []
    for _ in range(count):
        now += draw.choice([0, 0.25, 0.5, 1, 1, 6])
        user = draw.choice("abbccccddddd")
        x = None if draw.random() < 0.02 else round(draw.uniform(-10, 10), 2)
        when = None if draw.random() < 0.03 else now - draw.choice([0, 0, 0, 0, 1, 3, 12])
        rows.append((user, draw.choice(["bike", "sit", "stand", "walk"]), x, when))
    return rows


sessions("random rows", *in_epochs(random_sessions(8, 200), [9, 1, 17, 5]))
sessions("random rows, all waiting from the start", *in_epochs(random_sessions(9, 120), [12, 4]), feed="available_now")


def thousand():
    """One user with 1002 readings, 1000 of them in two epochs; another whose session ends by its timeout."""
    draw = random.Random(10)
    rows = [("ann", draw.choice(["sit", "stand", "walk"]), round(draw.uniform(-10, 10), 2), 0.01 * step) for step in range(1000)]
    return [[("bob", "bike", 1.5, 0), *rows[:600]], rows[600:], [("ann", "bike", 1.0, 10), ("ann", "bike", 2.0, 11)], [("bob", "sit", 0.0, 30)]]


sessions("a session of 1000 readings", *thousand(), most=1000)
