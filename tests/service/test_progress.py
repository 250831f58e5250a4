"""How far a command is: drawn over on a terminal, a line now and then elsewhere, and never the speed of another run."""

import io

from service.bulk.progress import Progress


class Screen(io.StringIO):
    """A stream that is a terminal, or is none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_file_gets_a_line_every_ten_seconds() -> None:
    """In a log no line is drawn over, and there are few."""
    screen, clock = Screen(terminal=False), Clock()
    progress = Progress(screen, clock, total=1000, unit="rows")
    for second in range(1, 25):
        clock.now = 100.0 + second
        progress.reach(second * 10)
    progress.end()
    assert screen.getvalue().splitlines() == [
        "100 of 1,000 rows (10%), 10 a second, 1 min 30 s left",
        "200 of 1,000 rows (20%), 10 a second, 1 min 20 s left",
    ]


def test_a_terminal_gets_a_bar() -> None:
    """On a terminal one line is drawn over, and stays at the end."""
    screen, clock = Screen(terminal=True), Clock()
    progress = Progress(screen, clock, total=48, unit="rows")
    for quarter in range(1, 11):
        clock.now = 100.0 + quarter / 4
        progress.reach(quarter)
        progress.reach(quarter)
    clock.now = 110.0
    progress.reach(48)
    progress.end()
    shown = screen.getvalue()
    assert shown.count("\r") == 12
    assert "[#####                   ] 10 of 48 rows (21%), 4 a second, 10 s left" in shown
    assert shown.endswith("[########################] 48 of 48 rows (100%), 5 a second, 0 s left\x1b[K\n")


def test_what_an_earlier_run_did_is_no_speed() -> None:
    """A run that goes on counts its own rows per second."""
    screen, clock = Screen(terminal=False), Clock()
    progress = Progress(screen, clock, total=100_000, done=50_000, unit="rows")
    clock.now = 110.0
    progress.reach(50_005)
    assert screen.getvalue() == "50,005 of 100,000 rows (50%), 0 a second, 27 h 46 min left\n"


def test_nothing_to_do_is_done() -> None:
    """An empty file divides by nothing."""
    screen = Screen(terminal=True)
    Progress(screen, Clock(), total=0, unit="rows").end()
    assert "0 of 0 rows (100%)" in screen.getvalue()
