"""The pages in a real browser."""

import re

import pytest

ADMIN_KEY = "ad" * 32
PAGES = ["/", "/models", "/predict", "/accuracy", "/activity", "/instances"]
THEMES = ["light", "dark"]

# The relative luminance and contrast of WCAG 2.1, of each element that holds text itself, against the colour that shows behind it.
CONTRAST = """
() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const linear = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const back = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(element);
    if (style.display === "none" || style.visibility === "hidden" || ["SCRIPT", "NOSCRIPT", "OPTION"].includes(element.tagName)) continue;
    const svg = element.namespaceURI.endsWith("svg");
    const [a, b] = [light(parse(svg ? style.fill : style.color)), light(back(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.tagName} "${element.textContent.trim().slice(0, 30)}": ${ratio.toFixed(2)}`);
  }
  return found;
}
"""


def test_the_overview_sums_up_and_draws(page):
    page.goto("/")
    cards = dict(zip(page.locator(".cards dt").all_inner_texts(), page.locator(".cards dd").all_inner_texts(), strict=True))
    assert cards["Tasks"] == "1,200"
    assert re.fullmatch(r"\$\d+\.\d\d", cards["Spend"])
    assert page.locator(".chart canvas").count() == 4
    assert page.locator(".chart canvas").first.bounding_box()["width"] > 300
    assert page.get_by_role("row").filter(has_text="claude-sonnet-4-5").count() == 1


def test_filters_change_the_page_its_address_and_its_charts(page):
    page.goto("/")
    everything = page.locator(".cards dd").first.inner_text()
    page.get_by_label("Model").select_option("gpt-5.2-codex")
    page.wait_for_url(re.compile("model=gpt-5.2-codex"))
    page.locator(".cards dd").first.filter(has_not_text=everything).wait_for()
    assert page.get_by_role("row").filter(has_text="claude-sonnet-4-5").count() == 0
    page.locator(".chart canvas").nth(3).wait_for()
    some = page.locator(".cards dd").first.inner_text()
    page.get_by_text("7 days", exact=True).click()
    page.wait_for_url(re.compile("days=7"))
    page.locator(".cards dd").first.filter(has_not_text=some).wait_for()
    page.get_by_role("link", name="Show all").click()
    page.wait_for_url(re.compile(r"\?days=7$"))
    assert page.get_by_role("row").filter(has_text="claude-sonnet-4-5").count() == 1


def test_a_choice_without_tasks_says_so(page):
    page.goto("/?model=unheard-of")
    assert "No task ended on these days with this choice" in page.locator(".empty").inner_text()


def test_the_prediction_answers_as_the_command_does(page, served):
    page.goto("/predict")
    page.get_by_label("Kind of work").select_option("debugging")
    page.get_by_label("Model").fill("gpt-5.2-codex")
    page.get_by_label("Provider").select_option("openai")
    page.get_by_role("button", name="Predict").click()
    page.get_by_text(re.compile("confidence (medium|high)")).wait_for()
    query = {"task_type": "debugging", "model": "gpt-5.2-codex", "provider": "openai", "complexity": "medium"}
    _, answer = served.request("POST", "/v1/predictions/batch", {"queries": [query]})
    size = answer["results"][0]["metadata"]["sample_size"]
    assert f"from {size:,} tasks" in page.get_by_role("status").inner_text()
    assert page.locator("svg.fan").count() == 4


def test_an_unknown_model_falls_back_in_words_and_a_wrong_address_is_an_error(page, served):
    page.goto("/predict?task_type=testing&model=nobody&provider=custom&complexity=low")
    assert "Fewer than 5 events match exactly" in page.get_by_role("status").inner_text()
    assert served.request_text("/predict?task_type=gardening&model=x")[0] == 422


def test_models_are_compared_as_the_api_compares_them(page, served):
    page.goto("/models")
    page.get_by_label("Kind of work").select_option("debugging")
    page.wait_for_url(re.compile("task_type=debugging"))
    _, answer = served.request("GET", "/v1/compare?task_type=debugging&complexity=medium")
    expected = [one["model"] for one in answer["models"] if one["enough_data"]]
    page.get_by_role("rowheader").nth(len(expected) - 1).wait_for()
    assert page.get_by_role("rowheader").all_inner_texts() == expected
    assert len(expected) == 3
    assert page.locator("svg.fan").count() == 2 * 3 - 1, "one model costs nothing: there is no interval to draw"
    page.get_by_label("A typical task costs at most").fill("0.000001")
    page.get_by_label("A typical task costs at most").press("Enter")
    page.wait_for_url(re.compile("budget=0.000001"))
    page.get_by_role("rowheader").filter(has_text="gpt-5.2-codex").wait_for(state="detached")
    assert page.get_by_role("rowheader").all_inner_texts() == ["qwen3-coder"]


def test_the_accuracy_page_shows_what_the_api_says(page, served):
    page.goto("/accuracy")
    _, answer = served.request("GET", "/v1/predictions/score")
    cost = answer["targets"]["actual_cost_usd_micros"]
    shown = page.locator("section").filter(has_text="Cost").first.locator(".cards dd").all_inner_texts()
    assert shown[0] == f"{cost['coverage'] * 100:.0f} %"
    assert shown[2] == f"{cost['forecasts']:,}"
    assert page.locator("svg.plot").count() == 8


def test_the_activity_says_what_came_in_and_what_was_refused_and_why(page):
    page.goto("/activity")
    cards = dict(zip(page.locator(".cards dt").all_inner_texts(), page.locator(".cards dd").all_inner_texts(), strict=True))
    assert cards == {"Accepted": "1,200", "Known before": "0", "Refused": "1"}
    assert page.get_by_role("row").filter(has_text="invalid: retry_count").inner_text().split()[-1] == "1"
    assert page.get_by_role("row").filter(has_text="laptop").count() == 1
    assert page.locator(".chart canvas").count() == 2


def test_an_administrator_signs_in_makes_a_key_and_revokes_it(page, own_server, expect_refusals):
    expect_refusals(1)
    page.goto(own_server.url + "/instances")
    page.get_by_label("Admin key").fill("0" * 64)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()
    assert "That is not the admin key" in page.get_by_role("alert").inner_text()
    page.get_by_label("Admin key").fill(ADMIN_KEY)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name of a new instance").fill("a <b>new</b> one")
    page.get_by_role("button", name="Create").click()
    key = page.locator(".key").inner_text()
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert page.get_by_role("heading", name="a <b>new</b> one").count() == 1
    assert own_server.request("GET", "/v1/totals", key=key)[0] == 200
    page.get_by_role("button", name="Revoke key").click()
    page.get_by_role("cell", name="no", exact=True).wait_for()
    assert own_server.request("GET", "/v1/totals", key=key)[0] == 401
    page.get_by_text("Last acts").click()
    assert page.get_by_role("cell", name="key.revoke").count() == 1
    page.goto(own_server.url + "/instances")
    assert key not in page.content()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Admin key").wait_for()


def test_everything_is_reached_by_keyboard(page):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to content"
    page.keyboard.press("Enter")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.innerText"))
    assert {"days", "model", "task_type", "harness", "By day"} <= reached


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("theme", THEMES)
def test_text_stands_out_from_its_background(page, path, theme):
    page.emulate_media(color_scheme=theme)
    page.goto(path if path != "/predict" else "/predict?task_type=testing&model=gpt-5.2-codex&provider=openai&complexity=medium")
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_it_without_scrolling_sideways(page, path):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for box in page.locator("nav a, select, button, .segments label").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)"):
        assert box >= 24, "a finger needs 24 pixels (WCAG 2.2, 2.5.8)"
