"use strict";
// The rows of the report: sorted, filtered, and so many at a time. Everything that a
// stranger may have sent gets onto the page as text.

const data = JSON.parse(document.getElementById("data").textContent);
const ROWS_AT_A_TIME = 200;
const END_OF_LABEL = 14; // characters that are always there
const byId = (id) => document.getElementById(id);

const requests = data.requests;
let rows = requests;
// What the axis shows, in seconds: all of it, or the rows that are there.
let begin = 0;
let length = 1;
const failures = requests.filter((r) => r.failed).length;
// What failed is what is looked for.
let sortedBy = failures ? "failed" : "number";
let isDescending = false;
let shown = 0;

// Math.min cannot take as many arguments as there may be requests.
function least(list, value) {
  return list.reduce((found, item) => Math.min(found, value(item)), Infinity);
}

function whole(request) {
  return request.attempts.reduce(
    (sum, a) => sum + a.phases.reduce((of, [, seconds]) => of + seconds, 0), 0);
}

function readable(seconds) {
  return seconds >= 0.1 ? seconds.toFixed(2) + " s" : (seconds * 1000).toFixed(1) + " ms";
}

function short(url) {
  if (data.origin && url.startsWith(data.origin + "/")) return url.slice(data.origin.length);
  return url.replace(/^http:\/\//, "");
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// One request's bars.

function track(request) {
  const made = element("div", "track");
  drawGrid(made);
  let at = request.began - begin;
  const place = (seconds) => `${(100 * seconds) / length}%`;
  const marks = [];
  for (const attempt of request.attempts) {
    let ended = at;
    for (const [name, seconds] of attempt.phases) {
      const bar = element("i", name);
      bar.style.left = place(at);
      bar.style.width = place(seconds);
      made.append(bar);
      at += seconds;
      if (name !== "pause") ended = at;
    }
    if (attempt.ended_by) {
      const mark = element("b", attempt.ended_by, data.signs[attempt.ended_by]);
      mark.style.left = place(ended);
      marks.push(mark);
    }
  }
  made.append(...marks);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", request.attempts.map(inWords).join("; then "));
  return made;
}

function drawGrid(track) {
  track.style.backgroundSize = `${(100 * step()) / length}% 100%`;
  track.style.backgroundPositionX = gridOffset();
}

// A phone says that its window has another size whenever its address bar comes or goes.
let widthBefore = 0;

function onResize() {
  const width = byId("axis").clientWidth;
  if (width === widthBefore) return;
  widthBefore = width;
  drawAxis();
  document.querySelectorAll("#rows .track").forEach(drawGrid);
}

// Where the first line of the grid stands. A percentage would mean something else in
// `background-position`: the share of the room that is left beside the picture.
function gridOffset() {
  const size = step();
  const before = Math.ceil(begin / size) * size - begin;
  return `${(before / length) * byId("axis").clientWidth}px`;
}

function inWords(attempt) {
  const phases = attempt.phases.map(([name, seconds]) => `${name} ${readable(seconds)}`);
  return `${phases.join(", ") || "nothing sent"}: ${attempt.outcome}`;
}

function step() {
  const most = byId("axis").clientWidth / 80 || 5;
  for (let power = -9; power < 15; power++)
    for (const base of [1, 2, 5]) {
      const size = base * 10 ** power;
      if (length / size < Math.max(most, 1) + 1) return size;
    }
  return length;
}

function drawAxis() {
  const axis = byId("axis");
  const size = step();
  axis.replaceChildren();
  const end = begin + length * 1.000001;
  for (let number = Math.ceil(begin / size); number * size <= end; number++) {
    const tick = number * size;
    const inSeconds = size >= 0.1;
    const text = inSeconds
      ? `${Number(tick.toPrecision(6))} s`
      : `${Number((tick * 1000).toPrecision(6))} ms`;
    const label = element("span", "", text);
    const share = (tick - begin) / length;
    if (share > 0.93) label.style.right = "0";
    else label.style.left = `${100 * share}%`;
    axis.append(label);
  }
}

// The table.

function cell(row, className, text) {
  const made = element("td", className, text);
  made.setAttribute("role", "cell");
  row.append(made);
  return made;
}

function row(request) {
  const made = element("tr", request.failed ? "failed" : "");
  made.setAttribute("role", "row");
  made.tabIndex = -1;
  cell(made, "number", request.number);
  const url = cell(made, "url label");
  url.append(...inTwo(short(request.url)));
  url.title = request.url;
  cell(made, "outcome", request.outcome);
  cell(made, "number seconds", readable(request.seconds));
  cell(made, "bars").append(track(request));
  made.addEventListener("focus", () => showDetails(request));
  made.addEventListener("mouseenter", () => showDetails(request));
  return made;
}

// What is cut off where there is no room: not the end, which tells URLs apart.
function inTwo(text) {
  const letters = [...text];
  const at = Math.max(letters.length - END_OF_LABEL, 0);
  return [
    element("span", "begin", letters.slice(0, at).join("")),
    element("span", "end", letters.slice(at).join("")),
  ];
}

function showMore() {
  const body = byId("rows");
  const next = rows.slice(shown, shown + ROWS_AT_A_TIME);
  body.append(...next.map(row));
  if (shown === 0 && body.firstChild) body.firstChild.tabIndex = 0;
  shown += next.length;
  const left = rows.length - shown;
  byId("more").hidden = left === 0;
  byId("more").textContent = `Show ${Math.min(left, ROWS_AT_A_TIME)} more of ${left}`;
  const all = requests.length.toLocaleString("en");
  const first = sortedBy === "failed" ? `, the ${failures.toLocaleString("en")} that failed first` : "";
  byId("count").textContent =
    rows.length === requests.length
      ? `${all} requests${first}`
      : `${rows.length.toLocaleString("en")} of ${all}`;
}

function fitAxis(list) {
  begin = least(list, (r) => r.began);
  length = Math.max(-least(list, (r) => -r.began - whole(r)) - begin, 1e-6);
  drawAxis();
}

function redraw() {
  const text = byId("filter").value.toLowerCase();
  const outcome = byId("outcome").value;
  const value = {
    failed: (r) => !r.failed,
    number: (r) => r.number,
    url: (r) => r.url,
    outcome: (r) => r.outcome,
    seconds: (r) => r.seconds,
  }[sortedBy];
  rows = requests.filter(
    (r) =>
      (!text || `${r.number} ${r.url} ${r.outcome}`.toLowerCase().includes(text)) &&
      (!outcome || (outcome === "failed" ? r.failed : r.outcome === outcome)));
  rows.sort((a, b) => {
    const [one, other] = isDescending ? [b, a] : [a, b];
    return value(one) < value(other) ? -1 : value(one) > value(other) ? 1 : a.number - b.number;
  });
  shown = 0;
  byId("rows").replaceChildren();
  if (rows.length) fitAxis(byId("zoom").checked ? rows.slice(0, ROWS_AT_A_TIME) : requests);
  showMore();
}

function sortBy(name) {
  isDescending = sortedBy === name ? !isDescending : name === "seconds";
  sortedBy = name;
  markSorted();
  redraw();
}

function markSorted() {
  for (const head of document.querySelectorAll("#requests th[data-sort]")) {
    if (head.dataset.sort === sortedBy)
      head.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

// One request in full.

function showDetails(request) {
  const made = [element("h2", "label", `${request.number} ${request.url}`)];
  const size = request.bytes === undefined ? "" : `, ${request.bytes} bytes`;
  made.push(element("p", "",
    `${request.outcome} after ${readable(request.seconds)}${size}; ` +
    `began at ${readable(request.began)}`));
  const list = element("ol");
  for (const attempt of request.attempts) {
    const item = element("li");
    const about = [attempt.outcome];
    if (attempt.ended_by && attempt.ended_by !== "error") about.push(data.marks[attempt.ended_by]);
    if (attempt.message) about.push(attempt.message);
    if (attempt.url !== undefined) about.push(attempt.url);
    if (attempt.fileno !== undefined) about.push(`fileno ${attempt.fileno}`);
    item.append(element("div", "", about.join(" · ")));
    const phases = element("div", "phases");
    for (const [name, seconds] of attempt.phases) {
      const phase = element("span");
      phase.title = data.phases[name];
      phase.append(element("i", name), `${name} ${readable(seconds)}`);
      phases.append(phase);
    }
    item.append(phases);
    if ((attempt.held ?? attempt.upstream) !== undefined) item.append(element("div", "faint", heldInWords(attempt)));
    list.append(item);
  }
  made.push(list);
  byId("details").replaceChildren(...made);
}

function heldInWords(attempt) {
  const { asked, held, upstream } = attempt;
  const parts = [];
  if (upstream !== undefined) parts.push(`its upstream took ${readable(upstream)}`);
  if (held !== undefined) parts.push(`it held it for ${readable(held)}`);
  const waited = attempt.phases
    .filter(([name]) => ["held", "upstream", "wait"].includes(name))
    .reduce((sum, [, seconds]) => sum + seconds, 0);
  const request = asked === undefined ? "" : `, and was asked for ${readable(asked)}`;
  const odd = (held ?? 0) + (upstream ?? 0) > waited + 0.0005
    ? ": longer than was waited for it, so its clock and ours disagree"
    : "";
  const who = upstream === undefined ? "server" : "proxy";
  return `the ${who} says that ${parts.join(", that ")}${request}${odd}`;
}

function moveFocus(event) {
  const at = document.activeElement;
  if (!at || at.parentElement !== byId("rows")) return;
  const to = {
    ArrowDown: at.nextElementSibling,
    ArrowUp: at.previousElementSibling,
    Home: at.parentElement.firstElementChild,
    End: at.parentElement.lastElementChild,
  }[event.key];
  if (!to) return;
  event.preventDefault();
  at.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

if (requests.length) {
  const outcomes = [...new Set(requests.map((r) => r.outcome))].sort();
  for (const outcome of outcomes) {
    const option = element("option", "", outcome);
    option.value = outcome;
    byId("outcome").append(option);
  }
  byId("live").hidden = false;
  byId("filter").addEventListener("input", redraw);
  byId("outcome").addEventListener("change", redraw);
  byId("more").addEventListener("click", showMore);
  byId("rows").addEventListener("keydown", moveFocus);
  for (const head of document.querySelectorAll("#requests th[data-sort]"))
    head.querySelector("button").addEventListener("click", () => sortBy(head.dataset.sort));
  byId("zoom").addEventListener("change", redraw);
  window.addEventListener("resize", onResize);
  markSorted();
  redraw();
}
