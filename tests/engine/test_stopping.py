"""What an engine still counts when it is closed."""

import threading

from mosaic_telemetry.engine.background import Background


class Endless:
    """A keeper's work while others write without end: there is always more to count."""

    def __init__(self):
        self.behind = True
        self.counted = 0
        self.busy = threading.Event()

    def backlog(self):
        self.counted = 0
        return 25

    def step(self):
        self.counted += 10
        self.busy.set()
        return 10


def test_what_others_go_on_writing_does_not_hold_up_the_end():
    keeper = Endless()
    background = Background(keeper)
    assert keeper.busy.wait(10)
    background.stop()
    assert keeper.counted == 30  # what was there when the end came, in portions of ten
