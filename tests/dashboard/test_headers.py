"""The pages without a browser: what every answer says, and what it never does."""

import re
import urllib.error
import urllib.request

import pytest


@pytest.mark.parametrize("path", ["/", "/predict", "/static/dashboard.js", "/static/htmx.min.js"])
def test_nothing_is_allowed_that_is_not_ours(served, path):
    status, headers, text = served.request_text(path)
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"(?:src|href|action)=[\"']?(?:https?:)?//", text)


def test_what_is_asked_is_never_written_as_markup(served):
    for path in ("/?model=%3Cscript%3Ealert(1)%3C/script%3E", "/predict?task_type=testing&model=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&provider=custom"):
        _, _, text = served.request_text(path)
        assert "<script>alert" not in text
        assert "alert(1)" in text


def test_a_file_is_kept_until_it_changes(served):
    _, headers, _ = served.request_text("/static/dashboard.css")
    assert served.request_text("/static/dashboard.css", {"If-None-Match": headers["ETag"]})[0] == 304
    assert served.request_text("/static/passwd")[0] == 404
    assert served.request_text("/static/..%2Fpages.py")[0] == 404


def test_part_of_a_page_is_given_where_it_is_asked_for(served):
    _, _, whole = served.request_text("/")
    _, _, part = served.request_text("/", {"HX-Request": "true"})
    assert "<!doctype html>" in whole
    assert "<!doctype html>" not in part
    assert part.strip() in whole


@pytest.mark.parametrize("query", ["days=-1", "days=zzz", "days=99999999999", "model=" + "x" * 5000, "harness=%00", "task_type=%ff"])
def test_any_address_can_be_shown(served, query):
    assert served.request_text(f"/?{query}")[0] == 200


def test_a_form_from_another_site_and_one_without_a_session_are_refused(served):
    def post(path, **headers):
        request = urllib.request.Request(served.url + path, data=b"name=x", headers={name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert post("/instances/create") == 403
    assert post("/instances/create", Origin="http://elsewhere.example") == 403
    assert post("/instances/create", Cookie="mosaic_admin=9999999999.00") == 403
    assert post("/instances/sign-in", Sec_Fetch_Site="cross-site") == 403
    assert post("/instances/nothing") in {404, 405}
