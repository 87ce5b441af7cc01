"""What a process that died left behind is taken up by the next one, once, whatever state it is in."""

import json
import threading
from pathlib import Path

import pytest
from support.waiting import wait_for

from mosaic_telemetry import EventDroppedError
from mosaic_telemetry.testing import Answer

LEAVE = "track(new_client(), {}); os._exit(0)"


def files(spool: Path) -> list[Path]:
    return sorted(spool.glob("*/*.jsonl"))


def test_after_kill_nine_the_next_process_delivers(program, server, spool, deliver_rest, sent):
    killed = program("client = new_client(); client.start(); track(client, 120); say('done'); [time.sleep(0.01) for _ in forever()]")
    server.rule = lambda _: Answer(hang_up=True)
    killed.wait_for("done")
    killed.kill()
    server.requests.clear()
    server.rule = None
    assert deliver_rest()
    assert set(server.events) == set(killed.ids)
    assert set(sent().values()) == {1}
    wait_for(lambda: not files(spool), what="the removal of the files")


def test_a_running_process_takes_up_what_another_left(program, server):
    """No restart needed: whoever runs finds it at the next interval."""
    running = program("client = new_client(submit_interval=0.1); client.start(); say('up'); [time.sleep(0.01) for _ in forever()]")
    running.wait_for("up")
    dead = program(LEAVE.format(5)).end()
    wait_for(lambda: set(server.events) == set(dead.ids), what="the delivery by the process that runs")


def test_two_processes_on_one_directory_each_have_a_file(program, server, spool, sent):
    """While both live, neither touches the other's events."""
    code = """
        client = new_client(batch_size=10)
        client.start()
        track(client, 55)
        say("up")
        wait(lambda: client.queue_size < 10)
        client.flush(20)
        track(client, 7)
        say("wait")
        for _ in forever():
            time.sleep(0.01)
            if os.path.exists(os.environ["GO"]):
                break
        assert client.stop(20)
    """
    go = spool.parent / "go"
    both = [program(code, options={"env": {"GO": str(go)}}) for _ in range(2)]
    for one in both:
        one.wait_for("wait")
    assert len(files(spool)) == 2
    assert len(server.events) == 110
    go.touch()
    for one in both:
        assert (one.end().code, one.errors) == (0, [])
    assert set(server.events) == {number for one in both for number in one.ids}
    assert set(sent().values()) == {1}


def test_many_heirs_share_what_is_left_and_nobody_sends_it_twice(program, server, sent, spool):
    left = [program(LEAVE.format(30)) for _ in range(3)]
    for one in left:
        one.end()
    heirs = [program("client = new_client(batch_size=10); assert client.stop(20)") for _ in range(4)]
    for one in heirs:
        assert (one.end().code, one.errors) == (0, [])
    assert set(server.events) == {number for one in left for number in one.ids}
    assert set(sent().values()) == {1}
    assert files(spool) == []


TAILS = {
    "cut": b'{"instance_id":"0000',
    "cut before its line feed": None,
    "garbage": b"\x00\xff\xfe garbage \x80\n",
    "zeros, as after a loss of power": b"\x00" * 4096,
    "no object": b"[1, 2]\n",
    "no event": b"{}\n",
    "deep": b"[" * 100_000 + b"\n",
    "long": b"x" * 3_000_000,
}


@pytest.mark.parametrize("tail", TAILS)
def test_a_broken_line_is_skipped_and_counted(program, server, spool, new_client, errors, tail):
    left = program(LEAVE.format(5)).end()
    (segment,) = files(spool)
    lines = segment.read_bytes().splitlines(keepends=True)
    expected = set(left.ids)
    if TAILS[tail] is None:
        segment.write_bytes(segment.read_bytes()[:-1])
        expected = {json.loads(line)["event_id"] for line in lines[:-1]}
    else:
        segment.write_bytes(b"".join(lines) + TAILS[tail])
    client = new_client()
    assert client.stop(20)
    assert set(server.events) == expected
    assert client.stats.dropped == 1
    assert [str(error) for error in errors if isinstance(error, EventDroppedError)] == ["1 event dropped: the lines in the spool are torn"]
    wait_for(lambda: not files(spool), what="the removal of the file")


def test_garbage_between_lines_costs_none_of_its_neighbours(program, server, spool, new_client):
    left = program(LEAVE.format(6)).end()
    (segment,) = files(spool)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(
        b"\n".join([lines[0][:-1], b"{", *(line[:-1] for line in lines[1:3]), b"", b"\xff", b'{"event_id":5}', *(line[:-1] for line in lines[3:]), b""])
    )
    client = new_client()
    assert client.stop(20)
    assert set(server.events) == set(left.ids)
    assert client.stats.dropped == 3


def test_what_was_delivered_before_a_crash_is_not_sent_again_but_for_one_batch(program, server, spool, deliver_rest, sent):
    """1,000 events wait in one file; the process dies when 60 batches of 10 are through."""
    through = threading.Event()

    def rule(_request):
        if len(server.events) >= 600:
            through.set()
            return Answer(delay=30, hang_up=True)
        return None

    server.rule = rule
    killed = program("client = new_client(batch_size=10, max_queue_size=2000); client.start(); track(client, 1000); [time.sleep(0.01) for _ in forever()]")
    wait_for(lambda: len(killed.ids) == 1000, 30)
    assert through.wait(30)
    killed.kill()
    server.rule = None
    assert deliver_rest(max_queue_size=2000)
    assert set(server.events) == set(killed.ids)
    again = sum(1 for count in sent().values() if count > 1)
    assert again <= 20, f"{again} of 1,000 events were sent again"
    wait_for(lambda: not list(spool.glob("*/*.sent")), what="the removal of the checkpoint")


@pytest.mark.parametrize("checkpoint", [b"", b"nonsense", b"-5", b"99999999999999999999", b"\xff" * 40, b"3"])
def test_a_broken_checkpoint_costs_at_most_a_resend(program, server, spool, new_client, checkpoint):
    left = program(LEAVE.format(5)).end()
    (segment,) = files(spool)
    Path(f"{segment}.sent").write_bytes(checkpoint)
    client = new_client()
    assert client.stop(20)
    missing = set(left.ids) - set(server.events)
    assert len(missing) == (1 if checkpoint == b"3" else 0), "an offset within a line can only come from a broken disk; that line is counted"
    assert client.stats.dropped == len(missing)
    assert not Path(f"{segment}.sent").exists()


def test_killed_over_and_over_while_taking_up_loses_nothing(program, server, deliver_rest, sent):
    """Each heir dies as well, at ever later moments."""
    first = program(LEAVE.format(300)).end()
    for round_number in range(4):
        stop_at = 60 * (round_number + 1)
        server.rule = lambda _request, stop_at=stop_at: Answer(delay=30, hang_up=True) if len(server.events) >= stop_at else None
        heir = program("client = new_client(batch_size=20); client.start(); [time.sleep(0.01) for _ in forever()]", submit_interval=0.01)
        wait_for(lambda stop_at=stop_at: len(server.events) >= stop_at, 30)
        heir.kill()
    server.rule = None
    assert deliver_rest()
    assert set(server.events) == set(first.ids)
    assert max(sent().values()) <= 5
