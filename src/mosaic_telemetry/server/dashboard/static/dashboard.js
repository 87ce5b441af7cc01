"use strict";

// Draws the charts of a page from the JSON that the page brings along; again when a part of it was replaced, or the theme changed.
(() => {
  let drawn = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const money = (value) => (value >= 100 ? "$" + value.toFixed(0) : "$" + value.toFixed(2));
  const text = (unit) => (value) => {
    if (value == null) return "–";
    if (unit === "$") return money(value);
    return unit ? `${value} ${unit}` : value.toLocaleString("en");
  };

  function draw() {
    drawn.forEach(({ plot, watch }) => { watch.disconnect(); plot.destroy(); });
    drawn = [];
    const source = document.getElementById("chart-data");
    if (!source || typeof uPlot === "undefined") return;
    const data = JSON.parse(source.dataset.columns);
    document.querySelectorAll(".chart").forEach((place) => {
      const values = data[place.dataset.column];
      if (!values) return;
      const form = text(place.dataset.unit);
      const bars = ["spend", "tasks", "accepted", "refused"].includes(place.dataset.column);
      const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
      const size = () => ({ width: place.clientWidth, height: place.clientHeight - 24 });
      const plot = new uPlot({
        ...size(),
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
        legend: { live: true },
        cursor: { y: false, points: { size: 6 } },
        scales: { y: { range: (_, low, high) => [0, place.dataset.unit === "%" ? 100 : high > 0 ? high * 1.1 : 1] } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((seconds) => new Date(seconds * 1000).toISOString().slice(5, 10)), incrs: [86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 90 * 86400], space: 60 },
          { ...axis, values: (_, ticks) => ticks.map(form), size: 60 },
        ],
        series: [
          { label: "day", value: (_, seconds) => (seconds == null ? "–" : new Date(seconds * 1000).toISOString().slice(0, 10)) },
          {
            label: place.parentElement.querySelector("figcaption").textContent.toLowerCase(),
            value: (_, value) => form(value),
            stroke: colour("--accent"), width: 2, spanGaps: true, points: { show: !bars && values.length < 40 },
            ...(bars ? { fill: colour("--accent-soft"), paths: uPlot.paths.bars({ size: [0.7, 40] }) } : {}),
          },
        ],
      }, [data.time, values], place);
      const watch = new ResizeObserver(() => plot.setSize(size()));
      watch.observe(place);
      drawn.push({ plot, watch });
    });
  }

  document.addEventListener("DOMContentLoaded", draw);
  document.addEventListener("htmx:afterSettle", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
