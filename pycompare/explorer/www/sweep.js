// The tab "Sweep": curves by epoch, and beside them the decision boundary.
"use strict";

const MARKS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "pentagon", "hexagon"];

draw.sweep = async (section, { drawn, labels, together }) => {
  const { plane } = drawn[drawn.length - 1];
  const figure = one('[data-figure="plane"]', section);
  figure.hidden = !plane; // first: it takes its share of the width
  const lines = drawn.map((curve, i) => line(curve, labels, i));
  await Plotly.react(one('[data-figure="curves"]', section), lines, curves(together), CONFIG);
  if (plane) await Plotly.react(figure, [field(plane), ...points(plane)], planeLayout(plane), CONFIG);
};

function line({ epoch, valid_loss }, labels, i) {
  const { color, dash } = style(i, labels.length);
  const mode = epoch.length > 1 ? "lines" : "markers";
  return { x: epoch, y: valid_loss, mode, line: { color, dash, width: 2.5 }, marker: { color }, name: labels[i] };
}

// R's axis, with the twentieth that ggplot2 adds at each end.
function curves({ limits, note, y }) {
  const [low, high] = limits ?? [0, 1];
  const margin = (high - low) / 20 || Math.abs(high) / 20 || 1;
  const told = limits ? note : "The training has diverged from the start: choose a smaller learning rate.";
  return layout({
    xaxis: { title: { text: "Epoch" } },
    yaxis: { title: { text: y }, range: [low - margin, high + margin] },
    title: { text: told, font: { size: 12 }, x: 0, xanchor: "left" },
  });
}

// A colour for each class, fuller where it is more probable: the i-th class takes the colours from i to i + 1.
function field({ x, y, class: classes, probability, points }) {
  const n = Math.max(2, ...classes.map((one) => (one ?? -1) + 1), ...points.class.map((one) => one + 1));
  const value = classes.map((one, i) =>
    one === null ? null : one + 0.999 * Math.max(0, (probability[i] - 1 / n) / (1 - 1 / n)));
  const z = y.map((_, j) => x.map((_, i) => value[i * y.length + j]));
  const scale = [...Array(n).keys()].flatMap((i) => [
    [i / n, tint(i, 0.12)], [(i + 0.9999) / n, tint(i, 0.7)],
  ]);
  scale.push([1, tint(n - 1, 0.7)]);
  return { type: "heatmap", x, y, z, zmin: 0, zmax: n, colorscale: scale, showscale: false, hoverinfo: "skip" };
}

function tint(i, share) {
  const [color] = STYLES[i % STYLES.length];
  const part = (at) => parseInt(color.slice(at, at + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${share})`;
}

function points({ points }) {
  const classes = [...new Set(points.class)].sort((a, b) => a - b);
  return classes.map((k) => {
    const here = points.class.map((one, i) => (one === k ? i : -1)).filter((i) => i >= 0);
    const [color, symbol] = [STYLES[k % STYLES.length][0], MARKS[k % MARKS.length]];
    const marker = { color, symbol, size: 5, line: { width: 0.5, color: "black" } };
    const [x, y] = [here.map((i) => points.x[i]), here.map((i) => points.y[i])];
    return { x, y, mode: "markers", marker, name: `class ${k}`, hoverinfo: "name" };
  });
}

function planeLayout({ x, y, accuracy, probability }) {
  const told = probability.every((one) => one === null)
    ? "The outputs are not finite: the training has diverged."
    : `Share of training points that is right: ${accuracy}`;
  return layout({
    showlegend: true,
    legend: { orientation: "h", y: -0.12 },
    xaxis: { range: [x[0], x[x.length - 1]], showgrid: false },
    yaxis: { range: [y[0], y[y.length - 1]], showgrid: false },
    title: { text: told, font: { size: 12 }, x: 0, xanchor: "left" },
  });
}
