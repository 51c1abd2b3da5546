// The tab "Initialization": activations by layer, and the decision boundary of what the form shows.
"use strict";

draw.initialization = async (section, { drawn, labels }) => {
  const { plane } = drawn[drawn.length - 1];
  const lines = drawn.flatMap((one, i) => [layerLine(one, labels, i, "mean", "y"), layerLine(one, labels, i, "zero", "y2")]);
  await Plotly.react(one('[data-figure="layers"]', section), lines, layersLayout(drawn), CONFIG);
  await Plotly.react(one('[data-figure="plane"]', section), [field(plane), ...points(plane)], planeLayout(plane), CONFIG);
};

function layerLine({ layer, mean, sd, zero }, labels, i, statistic, yaxis) {
  const { color, dash } = style(i, labels.length);
  const text = layer.map((one, k) => `${labels[i]}<br>layer ${one}<br>mean ${mean[k]}<br>sd ${sd[k]}<br>zeros ${zero[k]}`);
  const y = { mean, zero }[statistic];
  return { x: layer, y, yaxis, text, hoverinfo: "text", mode: "lines+markers", line: { color, dash, width: 2.5 }, marker: { color, size: 6 } };
}

// Means above, on a logarithmic axis; the share of zeros below.
function layersLayout(drawn) {
  const last = Math.max(...drawn.map(({ layer }) => layer.length));
  const grid = layout({}).yaxis;
  return layout({
    xaxis: { title: { text: "Layer" }, range: [0.5, last + 0.5], dtick: Math.ceil(last / 10), tick0: 1, anchor: "y2" },
    yaxis: { title: { text: "Mean" }, ...logarithmic(drawn.flatMap(({ mean }) => mean)), domain: [0.42, 1] },
    title: { text: "|activation| by layer, before the training", font: { size: 12 }, x: 0, xanchor: "left" },
    yaxis2: { ...grid, title: { text: "Zeros" }, range: [-0.05, 1.05], domain: [0, 0.32], anchor: "x" },
  });
}
