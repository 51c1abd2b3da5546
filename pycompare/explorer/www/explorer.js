// The page: controls to URL and questions, answers to table, figures and code. It knows no single tab.
"use strict";

const draw = {}; // by tab: (section, answer) => Promise, which the tabs' own scripts define
const explorer = { asked: 0, drawn: 0, times: [] }; // times: ms from releasing a control to the redrawn figures
const FILE = "file:";
// Okabe and Ito's colours, told apart by the colour-blind; dashes tell them apart in grey.
const STYLES = [
  ["#0072b2", "solid"], ["#d55e00", "dash"], ["#009e73", "dot"], ["#cc79a7", "dashdot"],
  ["#e69f00", "longdash"], ["#56b4e9", "longdashdot"], ["#999999", "solid"],
];

const all = (query, within = document) => [...within.querySelectorAll(query)];
const one = (query, within = document) => within.querySelector(query);
const section = () => one("section:not([hidden])");
const controls = (within = section()) => all("[data-control]", within);
const pins = {}; // by tab: the texts of each pinned setting
const states = new Map(); // by question: what it was about
let answer = null;
let drawnState = null; // a slider that is released asks what it has asked while it was dragged
let releasedAt = null;

// The colour and dash of the i-th of n: what the form shows, the last, has the first style.
function style(i, n) {
  const [color, dash] = STYLES[i === n - 1 ? 0 : 1 + (i % (STYLES.length - 1))];
  return { color, dash };
}

function texts(within = section()) {
  const changed = controls(within).filter((input) => input.value !== input.dataset.default);
  return Object.fromEntries(changed.map((input) => [input.dataset.control, input.value]));
}

function put(within, values) {
  for (const input of controls(within)) {
    const text = values[input.dataset.control] ?? input.dataset.default;
    if (input.tagName === "SELECT" && ![...input.options].some((option) => option.value === text)) {
      input.add(new Option(text.replace(FILE, ""), text));
    }
    input.value = text;
    place(input);
  }
}

// Put a slider to the last stop that is not beyond the text beside it.
function place(input) {
  const slider = one(`[data-slides="${input.id}"]`);
  if (!slider) return;
  slider.value = Math.max(0, slider.dataset.stops.split(" ").findLastIndex((stop) => Number(stop) <= Number(input.value)));
  slider.setAttribute("aria-valuetext", input.value);
}

function ask(released) {
  const name = section().dataset.section;
  const shown = [...pins[name], texts()];
  explorer.asked += 1;
  states.set(explorer.asked, JSON.stringify([name, shown]));
  releasedAt = released ? performance.now() : null;
  Shiny.setInputValue("ask", { number: explorer.asked, tab: name, shown, released }, { priority: "event" });
  if (released) history.replaceState(null, "", address());
}

function address() {
  const query = new URLSearchParams({ tab: section().dataset.section, ...texts() });
  for (const pin of pins[section().dataset.section]) query.append("pin", new URLSearchParams(pin));
  return `${location.pathname}?${query}`;
}

function restore() {
  const query = new URLSearchParams(location.search);
  const named = all("section").find((tab) => tab.dataset.section === query.get("tab")) ?? one("section");
  pins[named.dataset.section] = query.getAll("pin").map((pin) => Object.fromEntries(new URLSearchParams(pin)));
  query.delete("tab");
  query.delete("pin");
  put(named, Object.fromEntries(query));
  open(named.dataset.section);
}

function open(name) {
  for (const tab of all("section")) tab.hidden = tab.dataset.section !== name;
  for (const button of all("[data-tab]")) {
    button.toggleAttribute("aria-current", false);
    if (button.dataset.tab === name) button.setAttribute("aria-current", "page");
  }
  ask(true);
}

async function show(received) {
  if (received.number < explorer.drawn || received.tab !== section().dataset.section) return;
  const error = one("[data-error]", section());
  error.textContent = received.error ?? "";
  mark(received.error);
  const state = states.get(received.number);
  for (const number of states.keys()) if (number <= received.number) states.delete(number);
  if (!received.error && state !== drawnState) {
    answer = received;
    await draw[received.tab](section(), received);
    table(received);
    code(received);
  }
  drawnState = received.error ? null : state;
  explorer.drawn = received.number;
  if (received.number === explorer.asked && releasedAt !== null) {
    const since = releasedAt;
    releasedAt = null;
    requestAnimationFrame(() => explorer.times.push(performance.now() - since));
    if (!received.error) say(received);
  }
}

// Mark the control that an error names first.
function mark(error) {
  const named = error?.match(/`(\w+)`/)?.[1];
  for (const input of controls()) input.setAttribute("aria-invalid", input.dataset.control === named);
}

function table({ labels, rows }) {
  const [head, body] = [one("thead", section()), one("tbody", section())];
  const columns = Object.keys(rows[0]);
  head.replaceChildren(row("th", ["shown", ...columns]));
  for (const cell of head.firstChild.children) cell.scope = "col";
  body.replaceChildren(...rows.map((cells, i) => {
    const made = row("td", ["", ...columns.map((column) => cells[column])]);
    made.firstChild.replaceWith(nameCell(labels[i], i, rows.length));
    return made;
  }));
}

function row(kind, cells) {
  const made = document.createElement("tr");
  made.append(...cells.map((text) => Object.assign(document.createElement(kind), { textContent: text })));
  return made;
}

// The name of a row: its line's style, its label, and for a pinned one a button that lets go of it.
function nameCell(label, i, n) {
  const cell = Object.assign(document.createElement("th"), { scope: "row" });
  const { color, dash } = style(i, n);
  const width = { solid: "none", dash: "8 5", dot: "2 4", dashdot: "8 4 2 4", longdash: "14 5", longdashdot: "14 4 2 4" };
  cell.innerHTML = `<svg width="34" height="8" aria-hidden="true"><line x1="0" x2="34" y1="4" y2="4" stroke="${color}"
    stroke-width="3" stroke-dasharray="${width[dash]}"/></svg> `;
  cell.append(label);
  if (i < n - 1) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    button.setAttribute("aria-label", `Unpin ${label}`);
    button.onclick = () => { pins[section().dataset.section].splice(i, 1); ask(true); };
    cell.append(" ", button);
  }
  return cell;
}

function code(received) {
  for (const button of all("[data-copy]", section())) {
    const { text, reason } = received.code[button.dataset.copy];
    button.disabled = text === undefined;
    button.nextElementSibling.textContent = reason ?? "";
  }
  const shown = one("[data-code]", section());
  shown.textContent = received.code[shown.dataset.code || "python"].text ?? "";
}

async function copy(button) {
  const text = answer.code[button.dataset.copy].text;
  const shown = one("[data-code]", section());
  shown.dataset.code = button.dataset.copy;
  shown.textContent = text;
  try {
    await navigator.clipboard.writeText(text);
    tell("Copied.");
  } catch {
    shown.closest("details").open = true;
    tell("The browser does not let the page copy: the code is below.");
  }
}

function save({ name, html, error }) {
  if (error) return tell(error);
  const url = URL.createObjectURL(new Blob([html], { type: "text/html" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  return tell("The report is saved where the browser keeps downloads.");
}

function say({ labels, rows }) {
  const last = rows[rows.length - 1];
  const cells = Object.entries(last).filter(([name, text]) => text && !one(`[data-control="${name}"]`, section()));
  tell(`${labels[labels.length - 1]}: ${cells.map(([name, text]) => `${name} ${text}`).join(", ")}`);
}

function tell(text) {
  one("#said").textContent = text;
}

function upload(input) {
  const file = input.files[0];
  const limit = Number(input.form.dataset.limit);
  if (!file) return;
  if (file.size > limit) {
    one("[data-error]", section()).textContent =
      `The file must have ${limit / 1e6} MB at most; ${file.name} has ${Math.round(file.size / 1e6)}. Take some of its rows.`;
    input.value = "";
    return;
  }
  const reader = new FileReader();
  reader.onload = () => {
    const content = reader.result.slice(reader.result.indexOf(",") + 1);
    Shiny.setInputValue("upload", { name: file.name, content, control: input.dataset.upload }, { priority: "event" });
  };
  reader.readAsDataURL(file);
}

function uploaded({ name, error }) {
  const input = one("[data-upload]", section());
  input.value = "";
  if (error) {
    one("[data-error]", section()).textContent = error;
    return;
  }
  drawnState = null; // a file of this name may have been another
  put(section(), { ...texts(), [one(`#${input.dataset.upload}`).dataset.control]: FILE + name });
  ask(true);
}

document.addEventListener("input", ({ target }) => {
  if (!target.dataset.slides) return;
  const input = document.getElementById(target.dataset.slides);
  input.value = target.dataset.stops.split(" ")[target.value];
  target.setAttribute("aria-valuetext", input.value);
  ask(false);
});

document.addEventListener("change", ({ target }) => {
  if (target.dataset.upload) upload(target);
  else if (target.dataset.control || target.dataset.slides) {
    if (target.dataset.control) place(target);
    ask(true);
  }
});

document.addEventListener("click", ({ target }) => {
  const here = target.dataset ?? {};
  const name = section()?.dataset.section;
  if (here.tab) open(here.tab);
  if ("reset" in here) { pins[name] = []; put(section(), {}); ask(true); }
  if ("pin" in here && pins[name].length < STYLES.length - 1) { pins[name].push(texts()); ask(true); }
  if (here.copy) copy(target);
  if ("report" in here) {
    tell("The report is being written.");
    Shiny.setInputValue("report", { tab: name, shown: [...pins[name], texts()] }, { priority: "event" });
  }
});

document.addEventListener("submit", (event) => event.preventDefault());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => answer && draw[answer.tab](section(), answer));

// What plots have in common: colours of the page, no buttons, no animation.
function layout(more) {
  const colors = getComputedStyle(document.documentElement);
  const axis = { gridcolor: colors.getPropertyValue("--line"), zeroline: false, automargin: true };
  const { xaxis, yaxis, ...others } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 50, r: 10, t: 30, b: 45 },
    font: { color: colors.getPropertyValue("--ink"), family: "system-ui, sans-serif", size: 13 },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, showlegend: false, ...others,
  };
}

// A logarithmic axis of these values: labels at 1, 2 and 5 where it is short, at some powers of ten where it is long.
function logarithmic(values) {
  const levels = values.filter((one) => one > 0).map(Math.log10);
  const [low, high] = levels.length ? [Math.min(...levels), Math.max(...levels)] : [0, 0];
  const margin = Math.max((high - low) / 20, 0.1);
  const dtick = high - low < 1.5 ? "D2" : Math.ceil((high - low) / 8);
  return { type: "log", range: [low - margin, high + margin], dtick, exponentformat: "e" };
}

const CONFIG = { displayModeBar: false };
const resized = new ResizeObserver((changes) => {
  for (const { target } of changes) if (target.data && target.offsetWidth) Plotly.Plots.resize(target);
});
for (const figure of all("[data-figure]")) resized.observe(figure);

for (const tab of all("section")) pins[tab.dataset.section] = [];
$(document).on("shiny:sessioninitialized", () => {
  Shiny.addCustomMessageHandler("answer", show);
  Shiny.addCustomMessageHandler("uploaded", uploaded);
  Shiny.addCustomMessageHandler("report", save);
  restore();
});
$(document).on("shiny:disconnected", () => tell("The explorer has ended: start it again with pycompare explore."));
