"""How a harness is installed, with the real npm against a small registry of our own: whose fault it is when that fails."""

import base64
import hashlib
import io
import json
import socket
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.npm import NodeTooOldError, Pin, RegistryUnreachableError, install

_PROGRAM = b"#!/usr/bin/env node\nconsole.log('1.0.0')\n"


def packed(manifest):
    """A package as it lies in a registry."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content, mode in (("package.json", json.dumps(manifest).encode(), 0o644), ("tool.js", _PROGRAM, 0o755)):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


@pytest.fixture
def registry():
    """A registry with the package `tool`: 1.0.0 runs anywhere, 1.5.0 says 1.0.0 of itself, 2.0.0 asks for a node that nobody has."""
    packages = {}
    for version, engines in (("1.0.0", {}), ("1.5.0", {}), ("2.0.0", {"node": ">=999"})):
        manifest = {"name": "tool", "version": version, "bin": {"tool": "tool.js"}, "engines": engines}
        packages[version] = (manifest, packed(manifest))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            version = self.path.removeprefix("/tool-").removesuffix(".tgz")
            if self.path == "/tool":
                url = f"http://127.0.0.1:{self.server.server_port}/tool"
                found = {
                    version: {
                        **manifest,
                        "dist": {"tarball": f"{url}-{version}.tgz", "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()},
                    }
                    for version, (manifest, data) in packages.items()
                }
                body = json.dumps({"name": "tool", "dist-tags": {"latest": "1.0.0"}, "versions": found}).encode()
            elif version in packages:
                body = packages[version][1]
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def get(tmp_path, registry):
    """Installs a version of the package; `url` takes another registry."""

    def ask(version, package="tool", url=registry):
        env = {"npm_config_registry": url, "npm_config_cache": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        return install(Pin(package, version, "tool"), tmp_path / "programs", env)

    return ask


def test_a_program_is_installed_once(get):
    program = get("1.0.0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert get("1.0.0", url=f"http://127.0.0.1:{closed.getsockname()[1]}") == program
    assert [path.name for path in program.parents[3].iterdir()] == ["tool@1.0.0"]


def test_a_version_that_does_not_exist_is_an_error(get):
    with pytest.raises(RuntimeError, match=r"npm cannot install tool@3\.0\.0: ETARGET"):
        get("3.0.0")


def test_a_package_that_does_not_exist_is_an_error(get):
    with pytest.raises(RuntimeError, match=r"npm cannot install nothing@1\.0\.0: E404"):
        get("1.0.0", package="nothing")


def test_a_program_of_another_version_than_its_package_is_an_error(get):
    with pytest.raises(RuntimeError, match=r"should be 1\.5\.0, but says '1\.0\.0'"):
        get("1.5.0")


def test_a_node_too_old_is_told_apart(get):
    with pytest.raises(NodeTooOldError, match="EBADENGINE"):
        get("2.0.0")


def test_a_registry_that_does_not_answer_is_told_apart(get, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(RegistryUnreachableError, match="ECONNREFUSED"):
            get("1.0.0", url=f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert list((tmp_path / "programs").iterdir()) == []
