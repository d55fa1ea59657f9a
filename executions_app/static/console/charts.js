// Draws what the charts' panel carries as data; colours come from the style sheet, so that both themes are one place.
"use strict";

(() => {
  const charts = {};
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const shown = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

  function lasting(ms) {
    if (ms === null || ms === undefined) return "–";
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60000) return `${shown.format(ms / 1000)} s`;
    if (ms < 3600000) return `${shown.format(ms / 60000)} min`;
    return `${shown.format(ms / 3600000)} h`;
  }

  const clock = (text) =>
    new Date(text).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

  function options({ stacked, tick }) {
    const grid = { color: style("--line"), drawTicks: false };
    const ticks = { color: style("--dim"), font: { size: 11, family: style("--font") }, padding: 6 };
    return {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: {
          backgroundColor: style("--ink"), titleColor: style("--surface"), bodyColor: style("--surface"),
          displayColors: false, callbacks: { label: (item) => `${item.dataset.label} ${tick(item.parsed.y)}` },
        },
      },
      scales: {
        x: { stacked, grid: { display: false }, border: { color: style("--line") },
          ticks: { ...ticks, maxRotation: 0, autoSkipPadding: 24 } },
        y: { stacked, beginAtZero: true, grid, border: { display: false }, suggestedMax: stacked ? 4 : 100,
          // A width of its own, so that the plot does not move when figures get longer.
          afterFit: (scale) => { scale.width = 52; },
          ticks: { ...ticks, maxTicksLimit: 5, callback: tick, ...(stacked ? { precision: 0 } : {}) } },
      },
    };
  }

  const bars = (data) => [
    ["completed", "--done"], ["skipped", "--skipped"], ["failed", "--red"],
  ].map(([name, colour]) => ({
    label: name, data: data[name], backgroundColor: style(colour), barPercentage: 0.9, categoryPercentage: 0.9,
  }));

  const lines = (data) => [["p50", "--skipped"], ["p95", "--accent"]].map(([name, colour]) => ({
    label: name, data: data[name], borderColor: style(colour), backgroundColor: style(colour), borderWidth: 1.5,
    pointRadius: data[name].map((value, at, all) => ((all[at - 1] ?? null) === null && (all[at + 1] ?? null) === null ? 1.5 : 0)),
    pointHitRadius: 8, tension: 0.25, spanGaps: false,
  }));

  function draw(id, type, datasets, labels, setup) {
    const canvas = document.getElementById(id);
    if (!canvas) return;
    if (charts[id]?.canvas !== canvas) {
      charts[id]?.destroy();
      charts[id] = new Chart(canvas, { type, data: { labels, datasets }, options: setup });
      return;
    }
    Object.assign(charts[id].data, { labels, datasets });
    charts[id].options = setup;
    charts[id].update("none");
  }

  function drawAll() {
    const carrier = document.getElementById("series");
    if (!carrier) return;
    const data = JSON.parse(carrier.dataset.series);
    const labels = data.at.map(clock);
    draw("chart-runs", "bar", bars(data), labels, options({ stacked: true, tick: (n) => shown.format(n) }));
    draw("chart-latency", "line", lines(data), labels, options({ stacked: false, tick: lasting }));
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "body-charts") drawAll();
  });
  document.addEventListener("console:theme", drawAll);
})();
