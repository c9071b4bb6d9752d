// Draws <canvas data-chart="bar" data-source="id"> with Chart.js from the JSON in that element:
//   {"labels": [...], "datasets": [{"label": "Won", "data": [...], "tone": "good"}]}
// A tone is a custom property of app.css (accent, good, accent-line, bad-line, …); "tones" gives one
// to each bar.
// data-horizontal lays bars down, data-stacked stacks them, data-unit="money|percent" and
// data-currency write the values. Everything is drawn anew when the theme changes.

const language = document.documentElement.lang || "en";
const drawn = new Map();

/** The colour a custom property has now, as rgb(): light-dark() is only resolved on an element. */
function colour(name) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(--${name})`;
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function writer({ unit, currency }) {
  const compact = { notation: "compact", maximumFractionDigits: 1 };
  const style = unit === "money" && currency ? { ...compact, style: "currency", currency } : compact;
  const number = new Intl.NumberFormat(language, unit === "percent" ? { maximumFractionDigits: 1 } : style);
  return (value) => number.format(value) + (unit === "percent" ? " %" : "");
}

function datasets(source) {
  return source.datasets.map(({ tone = "accent", tones, ...rest }) => ({
    backgroundColor: tones ? tones.map(colour) : colour(tone),
    borderRadius: 4,
    borderSkipped: "start",
    maxBarThickness: 44,
    ...rest,
  }));
}

function scales({ horizontal, stacked }, write) {
  const tick = { color: colour("text-soft"), padding: 6 };
  const values = {
    stacked: stacked !== undefined,
    beginAtZero: true,
    border: { display: false },
    grid: { color: colour("line"), drawTicks: false },
    ticks: { ...tick, callback: write, maxTicksLimit: 6 },
  };
  const names = { stacked: stacked !== undefined, border: { color: colour("line") }, grid: { display: false }, ticks: { ...tick, autoSkip: false } };
  return horizontal === undefined ? { x: names, y: values } : { x: values, y: names };
}

function options(canvas, source, write) {
  const axis = canvas.dataset.horizontal === undefined ? "y" : "x";
  return {
    indexAxis: axis === "x" ? "y" : "x",
    responsive: true,
    maintainAspectRatio: false,
    // Numbers stand at once; a busy machine would show bars on their way.
    animation: false,
    scales: scales(canvas.dataset, write),
    plugins: {
      legend: {
        display: source.datasets.length > 1,
        align: "start",
        labels: { color: colour("text-soft"), boxWidth: 9, boxHeight: 9, useBorderRadius: true, borderRadius: 3, padding: 16 },
      },
      tooltip: {
        backgroundColor: colour("raised"), titleColor: colour("text"), bodyColor: colour("text-soft"),
        borderColor: colour("line-strong"), borderWidth: 1, padding: 10, cornerRadius: 8, boxPadding: 5, usePointStyle: true,
        callbacks: { label: (item) => ` ${item.dataset.label}: ${write(item.parsed[axis])}` },
      },
    },
  };
}

function draw(canvas) {
  const source = JSON.parse(document.getElementById(canvas.dataset.source).textContent);
  drawn.get(canvas)?.destroy();
  const write = writer(canvas.dataset);
  drawn.set(canvas, new Chart(canvas, { type: canvas.dataset.chart, data: { labels: source.labels, datasets: datasets(source) }, options: options(canvas, source, write) }));
}

function drawAll() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  for (const canvas of drawn.keys()) if (!canvas.isConnected) forget(canvas);
  document.querySelectorAll("canvas[data-chart]").forEach(draw);
}

function forget(canvas) {
  drawn.get(canvas).destroy();
  drawn.delete(canvas);
}

document.addEventListener("themechange", drawAll);
document.addEventListener("htmx:afterSettle", drawAll);
document.fonts.ready.then(drawAll);
