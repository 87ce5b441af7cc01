"""Several servers in front of one store, each as if it had a host to itself, behind a proxy that hands each connection to the next."""

import http.client
import json
import os
import socket
import threading
import uuid
from contextlib import closing, suppress
from itertools import count
from urllib.parse import urlsplit

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.store import Totals
from mosaic_telemetry.engine.store.clickhouse.address import SCHEME
from mosaic_telemetry.engine.store.opening import open_store
from mosaic_telemetry.server.examples import EXAMPLES
from support.relays import Relay
from support.server import ServerProcess, create_instance

ADMIN_KEY = "7e1ead" + "5" * 58


class RoundRobin(Relay):
    """Gives each connection to the next server in turn, and to the one after it where nobody listens.

    Attributes:
        targets: ports on this machine.
    """

    def __init__(self):
        self.targets = []
        self._turns = count()
        super().__init__()

    def meet(self, connection):
        targets, turn = list(self.targets), next(self._turns)
        for place in range(len(targets)):
            with suppress(ConnectionRefusedError):
                return connection, socket.create_connection(("127.0.0.1", targets[(turn + place) % len(targets)]))
        return None


class Hosts:
    """So many servers on one database, a proxy before them, and an instance that reports.

    Args:
        database: a SQLite file or an address.
        folder: where each has directories of its own: nothing is shared but the database.
        amount: how many.
        options: further words of their command.

    Attributes:
        servers: they.
        access: the instance and its key.
    """

    def __init__(self, database, folder, amount, *options):
        self.database = database
        self._folder = folder
        self._options = options
        self.access = create_instance(database)
        self.proxy = RoundRobin()
        self.servers = [self.new_server(number) for number in range(amount)]
        self.follow()

    def new_server(self, number, source=None):
        """A server of the program in `source`, or of this one."""
        home = self._folder / f"host-{number}"
        home.mkdir(exist_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        env |= {"HOME": str(home), "TMPDIR": str(home), "MOSAIC_TELEMETRY_ADMIN_KEY": ADMIN_KEY}
        if source:
            env["PYTHONPATH"] = str(source)
        return ServerProcess(self.database, *self._options, env=env)

    def follow(self):
        """Let the proxy know where the servers are."""
        self.proxy.targets[:] = [urlsplit(server.url).port for server in self.servers]

    def event(self, **changes):
        return {**EXAMPLES["TaskCompletionEvent"], "instance_id": self.access.instance_id, "event_id": str(uuid.uuid4()), **changes}

    def submit(self, server, events, key=None):
        """(status, answer) of a batch that is sent to one of the servers."""
        return server.request("POST", "/v1/events/batch", {"events": events}, key=key or self.access.api_key)

    def send(self, events):
        """(status, answer) of a batch that goes through the proxy, on a connection of its own."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=30)) as connection:
            headers = {"Authorization": f"Bearer {self.access.api_key}", "Content-Type": "application/json"}
            connection.request("POST", "/v1/events/batch", json.dumps({"events": events}), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def lost(self, events):
        """How many of these, which were acknowledged, a server takes as new; None where the store does not tell."""
        taken = 0
        for place, start in enumerate(range(0, len(events), 100)):
            status, answer = self.submit(self.servers[place % len(self.servers)], events[start : start + 100])
            assert status == 202, answer
            taken += answer["accepted"]
        return None if str(self.database).startswith(SCHEME) else taken

    def counted(self):
        """How many events are counted, when all are that are there."""
        with open_engine(self.database, keep=False) as engine:
            engine.roll_up()
        with closing(open_store(self.database)) as store:
            return store.sum_totals((0, 10**6)).get((), Totals()).events

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proxy.__exit__()
        for server in self.servers:
            server.__exit__()


class Load:
    """Clients that send batches through the proxy, and again what was not answered; what was acknowledged is noted.

    Attributes:
        acknowledged: events, by their ids.
        sent: ids of all that were ever sent.
    """

    def __init__(self, hosts, models, clients=3):
        self.acknowledged = {}
        self.sent = set()
        self.broken = 0
        self._hosts = hosts
        self._models = models
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number):
        size = 1 + 40 * number
        while not self._stop.is_set():
            batch = [self._hosts.event(model=self._models[place % len(self._models)]) for place in range(size)]
            self.sent.update(event["event_id"] for event in batch)
            while not self._stop.is_set():
                try:
                    status, answer = self._hosts.send(batch)
                except (OSError, http.client.HTTPException, ValueError):
                    self.broken += 1
                    continue
                if status == 202:
                    done = [result["event_id"] for result in answer["results"] if result["status"] == "accepted"]
                    self.acknowledged |= {event["event_id"]: event for event in batch if event["event_id"] in done}
                    break

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
