"""Worker processes of `multiprocessing`: started in every way, and in pools."""

import sys

import pytest


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("ends", ["stops", "just returns"])
def test_multiprocessing(program, finish, tmp_path, python, method, ends):
    """A client is handed to workers; one that just returns leaves its events in the spool, since no exit hook runs there."""
    script = tmp_path / "work.py"
    script.write_text(
        f"""
import multiprocessing
from support.reporting import new_client, track

def work(client):
    track(client, 3)
    if {ends == "stops"}:
        assert client.stop(20)

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    client = new_client(on_error=lambda error: None)
    client.start()
    track(client, 2)
    workers = [context.Process(target=work, args=(client,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0, worker.exitcode
    assert client.stop(20)
""",
        encoding="utf-8",
    )
    done = program(command=[python, "-W", "ignore::DeprecationWarning", str(script)]).end()
    assert len(done.ids) == 11
    finish(done)


def test_a_pool(program, finish, tmp_path):
    """Workers of a pool are ended by SIGTERM; what they reported lies in the spool."""
    script = tmp_path / "work.py"
    script.write_text(
        """
import multiprocessing
from support.reporting import new_client, track

client = new_client()

def work(number):
    track(client, 1)
    return number

if __name__ == "__main__":
    client.start()
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(work, range(30)) == list(range(30))
    assert client.stop(20)
""",
        encoding="utf-8",
    )
    done = program(command=[sys.executable, str(script)]).end()
    assert len(done.ids) == 30
    finish(done)
