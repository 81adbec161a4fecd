"""A bar on a terminal, lines elsewhere; the clock is ours, and the thread is awaited, never slept for."""

import io
import threading

import pytest

from greycard.progress import Meter, duration, line, meter


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Listened(io.StringIO):
    """A file that says when a line has come."""

    def __init__(self):
        super().__init__()
        self.written = threading.Event()

    def write(self, text):
        count = super().write(text)
        if text.endswith("\n"):
            self.written.set()
        return count


class Clock:
    """Ticks ``step`` seconds at each look."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def at(done, note=""):
    found = Meter(done)
    found.note = note
    return found


@pytest.mark.parametrize(
    ("found", "first", "seconds", "expected"),
    [
        (at(4096), 0, 2.0, "shards: 4,096/20,000 images, 2,048 images/s, 8 s left"),
        (at(1500), 1000, 100.0, "shards: 1,500/20,000 images, 5 images/s, 1 h 1 min left"),
        (at(1000), 1000, 30.0, "shards: 1,000/20,000 images"),  # nothing yet in this start: no rate
        (at(0), 0, 0.0, "shards: 0/20,000 images"),
        (at(20_000), 0, 200.0, "shards: 20,000/20,000 images, 100 images/s, took 3 min 20 s"),
        (at(3, "tiny, small"), 0, 60.0, "shards: 3/20,000 images, 3 images/min, 111 h 5 min left, tiny, small"),
        (at(2), 0, 3600.0, "shards: 2/20,000 images, 2 images/h, 9999 h 0 min left"),
    ],
)
def test_a_line_says_stage_done_rate_and_time_left(found, first, seconds, expected):
    assert line("shards", 20_000, "image", found, first, seconds) == expected


def test_durations_are_given_in_their_two_largest_units():
    assert [duration(value) for value in (0.2, 45, 59.6, 200, 3599.7, 7500)] == [
        *("0 s", "45 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min")
    ]


def test_a_file_gets_lines_though_the_job_says_nothing():
    file = Listened()
    with meter("training", 10, "epoch", stream=file, line_seconds=0.01) as shown:
        shown.reach(4, "tiny")
        assert file.written.wait(30)
    assert file.getvalue().startswith("training: 4/10 epochs, ")
    assert file.getvalue().splitlines()[0].endswith(", tiny")


def test_what_is_measured_elsewhere_is_asked_for():
    file, counts = Listened(), iter(range(5, 10**9))
    with meter("stream", 100, "image", stream=file, line_seconds=0.01, measure=lambda: next(counts)) as shown:
        assert file.written.wait(30)
    assert file.getvalue().startswith("stream: 5/100 images")
    assert shown.done > 5  # asked again at the end


def test_a_measure_that_fails_for_a_moment_ends_nothing():
    file, answers = Listened(), iter([OSError("renamed"), *[7] * 10**5])

    def measure():
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with meter("stream", 7, "image", stream=file, line_seconds=0.01, measure=measure) as shown:
        assert file.written.wait(30)
    assert shown.done == 7


def test_a_short_stage_is_silent_and_a_long_one_ends_with_a_line():
    short, long = io.StringIO(), io.StringIO()
    with meter("shards", 2, "image", stream=short, clock=Clock(1.0)) as shown:
        shown.advance(2)
    assert short.getvalue() == ""
    with meter("shards", 2, "image", stream=long, clock=Clock(20.0), line_seconds=40.0) as shown:
        shown.advance(2)
    assert long.getvalue() == ""
    with meter("shards", 2, "image", stream=long, clock=Clock(40.0), line_seconds=40.0) as shown:
        shown.advance(2)
    assert long.getvalue() == "shards: 2/2 images, 1.5 images/min, took 1 min 20 s\n"


def test_a_terminal_gets_a_bar_and_no_lines():
    terminal = Terminal()
    with meter("training", 10, "epoch", done=3, stream=terminal, line_seconds=0.01) as shown:
        shown.reach(9, "tiny")
        shown.advance()
    assert "training:" in terminal.getvalue()
    assert terminal.getvalue().rstrip().splitlines()[-1].count("10/10") == 1
    assert "tiny" in terminal.getvalue()


def test_nothing_is_shown_where_nothing_is_wanted():
    file = io.StringIO()
    with meter("training", 10, "epoch", show=False, stream=file, clock=Clock(1e6)) as shown:
        shown.reach(4)
    assert (shown.done, file.getvalue()) == (4, "")


def test_the_thread_ends_with_the_block_even_when_that_fails():
    def fail():
        with meter("training", 10, "epoch", stream=io.StringIO()):
            alive.append(threading.active_count())
            raise KeyError

    alive = [threading.active_count()]
    with pytest.raises(KeyError):
        fail()
    alive.append(threading.active_count())
    assert alive == [alive[0], alive[0] + 1, alive[0]]


def test_standard_error_is_where_it_goes(capsys):
    with meter("training", 2, "epoch", clock=Clock(60.0)) as shown:
        shown.advance(2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "training: 2/2 epochs, 1 epochs/min, took 2 min 0 s\n"
