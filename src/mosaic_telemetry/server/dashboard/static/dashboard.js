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

  const WHOLE = [0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power)); // steps of what is counted

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
      const newest = data.time.length - 1; // of which the legend tells until another day is pointed at
      const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
      const size = () => ({ width: place.clientWidth, height: place.clientHeight - 24 });
      const plot = new uPlot({
        ...size(),
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
        legend: { live: true },
        cursor: { y: false, points: { size: 6 } },
        // A bar reaches half a day to both sides.
        scales: { x: { range: (_, low, high) => (bars ? [low - 43200, high + 43200] : [low, high]) }, y: { range: (_, low, high) => [0, place.dataset.unit === "%" ? 100 : high > 0 ? high * 1.1 : 1] } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((seconds) => new Date(seconds * 1000).toISOString().slice(5, 10)), size: 28, incrs: [86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 90 * 86400], space: 60 },
          { ...axis, values: (_, ticks) => ticks.map(form), size: 60, ...(place.dataset.unit ? {} : { incrs: WHOLE }) },
        ],
        series: [
          { label: "day", value: (_, seconds) => new Date((seconds ?? data.time[newest]) * 1000).toISOString().slice(0, 10) },
          {
            label: place.parentElement.querySelector("figcaption").textContent.toLowerCase(),
            value: (_, value, series, index) => form(index == null ? values[newest] : value),
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
