// The tab "Landscape": paths over a map, played step by step; and what it shares with the tab "Rosenbrock".
"use strict";

const surfaces = {}; // by tab: the map that is drawn
const playing = {}; // by tab: the timer of what is played
const FRAME = 50; // ms for each step that is played

draw.landscape = (section, answer) => drawPaths(section, answer);

// The paths over their map, and their values, as far as the player has come: to the end where it does not play.
async function drawPaths(section, answer) {
  const until = one("[data-until]", section);
  const last = Math.max(...answer.drawn.map(({ when }) => when.length)) - 1;
  const whole = until.value === until.max && !playing[answer.tab];
  until.max = last;
  if (whole) until.value = last;
  await drawSurface(section, answer);
  await drawUntil(section, answer);
}

// The map, in a layer of its own: it is slow to draw, and seldom another one.
async function drawSurface(section, { tab, together }) {
  const { x, y, z } = together;
  const now = JSON.stringify([x, y, z]);
  if (surfaces[tab] === now) return;
  surfaces[tab] = now;
  const bare = mapLayout({ x, y, names: {} });
  await Plotly.react(one('[data-figure="surface"]', section), [surface(together)], bare, CONFIG);
}

async function drawUntil(section, { drawn, labels, together }) {
  const until = Number(one("[data-until]", section).value);
  const shown = drawn.map(({ when, x, y, value }) =>
    ({ when: when.slice(0, until + 1), x: x.slice(0, until + 1), y: y.slice(0, until + 1), value: value.slice(0, until + 1) }));
  const paths = shown.flatMap((path, i) => pathOver(path, labels, i, together.names));
  const values = shown.map((path, i) => valueLine(path, labels, i));
  one("[data-now]", section).textContent = now(shown, until, together.names);
  await Plotly.react(one('[data-figure="map"]', section), paths, mapLayout(together), CONFIG);
  await Plotly.react(one('[data-figure="values"]', section), values, valuesLayout(drawn, together.names), CONFIG);
}

// Where the path of the form stands.
function now(shown, until, names) {
  const { value } = shown[shown.length - 1];
  const at = Math.min(until, value.length - 1);
  return `${names.when} ${at}: ${value[at] === null ? "not finite" : value[at].toPrecision(5)}`;
}

// Grey, darker where higher, so that the paths' colours stand out; on a logarithmic scale as all maps of losses.
function surface({ x, y, z }) {
  const lowest = Math.min(...z.flat().filter((one) => one > 0));
  const level = z.map((row) => row.map((one) => Math.log10(Math.max(one, lowest))));
  return {
    type: "contour", x, y, z: level, showscale: false, hoverinfo: "skip", ncontours: 24,
    colorscale: [[0, "#ffffff"], [1, "#8b949e"]], line: { width: 0.5, color: "#6e7781" }, contours: { coloring: "heatmap" },
  };
}

// A path with a halo, a point for each step, a ring at its start, and a diamond at its end.
function pathOver({ when, x, y, value }, labels, i, names) {
  const { color, dash } = style(i, labels.length);
  const ends = when.map((_, k) => (k === 0 ? "circle-open" : k === when.length - 1 ? "diamond" : "circle"));
  const sizes = ends.map((one) => (one === "circle" ? 4 : 11));
  const text = when.map((one, k) => `${labels[i]}<br>${names.when} ${one}: ${value[k]}<br>${names.x} ${x[k]}, ${names.y} ${y[k]}`);
  return [
    { x, y, mode: "lines", line: { color: "white", width: 5 }, hoverinfo: "skip" },
    {
      x, y, text, mode: "lines+markers", hoverinfo: "text", line: { color, dash, width: 2 },
      marker: { color, symbol: ends, size: sizes, line: { color: "white", width: sizes.map((one) => (one > 4 ? 1 : 0)) } },
    },
  ];
}

// Both layers have the same margins; what is written around the map is in the upper one.
function mapLayout({ x, y, names, note }) {
  const axis = (ends, title) => ({
    range: [ends[0], ends[ends.length - 1]], title: { text: title }, showticklabels: Boolean(title), automargin: false,
    fixedrange: true, showgrid: false, ticks: title ? "outside" : "", ticklen: 3,
  });
  return layout({
    dragmode: false, hovermode: "closest", xaxis: axis(x, names.x), yaxis: axis(y, names.y),
    title: { text: names.x && (note || "White is low. A click chooses the start."), font: { size: 12 }, x: 0, xanchor: "left" },
  });
}

function valueLine({ when, value }, labels, i) {
  const { color, dash } = style(i, labels.length);
  const mode = when.length > 1 ? "lines" : "markers";
  return { x: when, y: value, mode, line: { color, dash, width: 2.5 }, marker: { color }, name: labels[i] };
}

// The axes of all steps, played or not.
function valuesLayout(drawn, names) {
  const last = Math.max(...drawn.map(({ when }) => when[when.length - 1]));
  return layout({
    xaxis: { title: { text: names.when }, range: [-last / 40, last * 1.025] },
    yaxis: { title: { text: names.value }, ...logarithmic(drawn.flatMap(({ value }) => value)) },
  });
}

// Play on, one step a frame; who wants less motion has a step for each press.
function play(button) {
  const [here, until, name] = [section(), one("[data-until]", section()), section().dataset.section];
  if (playing[name]) return pause(here);
  if (until.value === until.max) until.value = 0;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return void step(here, until);
  button.textContent = "Pause";
  playing[name] = setInterval(() => step(here, until), FRAME);
}

async function step(here, until) {
  until.value = Number(until.value) + 1;
  if (until.value === until.max || here.hidden) pause(here);
  if (!here.hidden) await drawUntil(here, answer);
}

function pause(here) {
  clearInterval(playing[here.dataset.section]);
  delete playing[here.dataset.section];
  one("[data-play]", here).textContent = "Play";
}

// The point of a click on the map becomes the start, in two decimals.
function chooseStart(event) {
  const figure = event.currentTarget;
  const { xaxis, yaxis } = figure._fullLayout; // plotly.js documents no other way from a pixel to a point without a mark
  const box = figure.getBoundingClientRect();
  const { x, y } = answer.together.names;
  const point = { [x]: xaxis.p2d(event.clientX - box.left - xaxis._offset), [y]: yaxis.p2d(event.clientY - box.top - yaxis._offset) };
  const within = (at, [low, high]) => low <= at && at <= high;
  if (!within(point[x], xaxis.range) || !within(point[y], yaxis.range)) return;
  for (const [name, at] of Object.entries(point)) one(`[data-control="${name}"]`, section()).value = String(Number(at.toFixed(2)));
  ask(true);
}

const isDrawn = () => answer?.tab === section()?.dataset.section;
document.addEventListener("click", ({ target }) => { if ("play" in (target.dataset ?? {}) && isDrawn()) play(target); });
document.addEventListener("input", ({ target }) => { if ("until" in target.dataset && isDrawn()) drawUntil(section(), answer); });
for (const figure of all('[data-figure="map"]')) figure.addEventListener("click", (event) => isDrawn() && chooseStart(event));
