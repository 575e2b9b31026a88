// Links of a proxy for any protocol: a lane for each, the newest on top, with its bytes over
// time, how it is or how it ended, and all of it when it is pointed at.

import * as axis from "./axis.js";
import { Bytes, fit, highest, paths } from "./bytes.js";
import * as details from "./details.js";
import { by, make, put } from "./elements.js";
import { milliseconds, number, size, timeOfDay } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const FRAMES_OF_RATE = 8; // two seconds
const LONGEST_AGE = 40; // seconds: the window is no longer than fits that

const lanes = new Map(); // by the link's id, the oldest first
let turn = null, before = null, rates = [];

// How many there are, shown or not.
export let open = 0;

export function forget() {
  before = null;
  rates = [];
}

export const ages = (now) => [...lanes.values()].map(({ told }) => Math.min(now - told.came, LONGEST_AGE));

export function update(told, now, since, isFirst) {
  if (isFirst) keepOnly(new Set(told.rows.map(({ id }) => id)));
  for (const change of told.changes) {
    const lane = lanes.get(change.id);
    if (!lane) continue;
    const { up, down } = lane.told;
    Object.assign(lane.told, change);
    lane.bytes.add(now, since, change.up - up, change.down - down);
    tell(lane);
  }
  for (const id of told.gone) drop(id);
  for (const row of told.rows) add(row);
  arrange();
  for (const { bytes } of lanes.values()) bytes.forget(now - 5);
  if (fit([...lanes.values()].map(({ bytes }) => bytes))) {
    for (const lane of lanes.values()) lane.bytes.isNew = true;
  }
  drawFigures(told, since);
}

function add(told) {
  if (lanes.has(told.id)) drop(told.id);
  const lane = { told, facts, bytes: new Bytes(told.came, told.interval, told.samples), drawn: 0 };
  lane.element = make("li");
  lane.button = make("button", "lane");
  lane.button.type = "button";
  lane.button.tabIndex = -1;
  const request = make("span", "request");
  lane.totals = make("span", "totals");
  const name = [told.port, `#${told.number}`, told.peer].filter(Boolean).join(" ");
  request.append(make("span", "label", name), " ", lane.totals);
  const track = make("span", "track");
  track.setAttribute("aria-hidden", "true");
  lane.line = make("span", "line");
  lane.end = make("span", "end");
  track.append(picture(lane), lane.line, lane.end);
  lane.state = make("span", "state");
  lane.button.append(request, track, lane.state);
  lane.element.append(lane.button);
  lane.button.addEventListener("pointerenter", () => details.choose(lane));
  lane.button.addEventListener("focus", () => {
    takeTurn(lane);
    details.choose(lane);
  });
  lanes.set(told.id, lane);
  by("links").prepend(lane.element);
  tell(lane);
}

function picture(lane) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("preserveAspectRatio", "none");
  lane.svg = svg;
  lane.group = svg.appendChild(document.createElementNS(SVG, "g"));
  lane.up = lane.group.appendChild(document.createElementNS(SVG, "path"));
  lane.down = lane.group.appendChild(document.createElementNS(SVG, "path"));
  lane.up.classList.add("up");
  lane.down.classList.add("down");
  return svg;
}

function drop(id) {
  const lane = lanes.get(id);
  if (!lane) return;
  const hadFocus = lane.button === document.activeElement;
  const next = lane.element.nextElementSibling ?? lane.element.previousElementSibling;
  lane.element.remove();
  lanes.delete(id);
  if (lane === turn) turn = null;
  if (hadFocus && next) next.firstElementChild.focus();
}

function keepOnly(ids) {
  for (const id of [...lanes.keys()]) if (!ids.has(id)) drop(id);
}

// The newest is on top, but nothing moves under a pointer, or while somebody reads by keys.
function arrange() {
  const list = by("links");
  const sorted = [...lanes.values()].sort((a, b) => b.told.came - a.told.came);
  if (!list.matches(":hover, :focus-within")) {
    sorted.forEach(({ element }, at) => {
      const there = list.children[at];
      if (there !== element) list.insertBefore(element, there ?? null);
    });
  }
  if (!turn && sorted.length) takeTurn(sorted[0]);
}

function takeTurn(lane) {
  if (turn) turn.button.tabIndex = -1;
  turn = lane;
  turn.button.tabIndex = 0;
}

by("links").addEventListener("keydown", (event) => {
  const at = document.activeElement?.closest("#links li");
  if (!at) return;
  const list = by("links");
  const to = {
    ArrowDown: at.nextElementSibling, ArrowUp: at.previousElementSibling,
    Home: list.firstElementChild, End: list.lastElementChild,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  to?.firstElementChild.focus();
});

// What becomes of a link, as live.css draws it.
function kind({ outcome, took }) {
  if (outcome === "opening" || outcome === "open") return outcome;
  if (outcome === "stalled" && took === null) return "stuck";
  if (outcome.startsWith("closed by")) return "over";
  return outcome === "stopped" ? "stopped" : "broken";
}

// A stage's doing is the proxy's own: it is here.
function words({ outcome }) {
  const [, what, who] = /^(closed|reset)(?: by (.*))?$/.exec(outcome) ?? [];
  if (!what) return outcome;
  return who ? `${who} ${what}` : `${what} here`;
}

function tell(lane) {
  const { told } = lane;
  lane.element.dataset.link = kind(told);
  lane.element.classList.toggle("is-over", told.took !== null);
  const totals = `↑ ${size(told.up)} ↓ ${size(told.down)}`;
  if (lane.said !== totals) lane.totals.textContent = lane.said = totals;
  const state = words(told);
  if (lane.state.textContent !== state) lane.state.textContent = state;
  details.update(lane);
}

function facts(t) {
  const all = [
    ["link", [t.port, `#${t.number}`].filter(Boolean).join(" "), "wide"],
    ["state", words(t)], ["from", t.peer], ["came", timeOfDay(t.came)],
    ["took", t.took === null ? "still open" : milliseconds(t.took)],
    ["bytes to the upstream", number(t.up)], ["bytes to the client", number(t.down)],
  ];
  const sides = { up: "acting on the way to the upstream", down: "acting on the way to the client" };
  for (const [side, names] of Object.entries(t.acting)) all.push([sides[side] ?? side, names.join(", ")]);
  if (t.upstream_error !== null) all.push(["error on the upstream's side", t.upstream_error]);
  return all;
}

export function draw(now) {
  for (const lane of lanes.values()) drawOne(lane, now);
}

function drawOne(lane, now) {
  const { told, svg, group, line, end } = lane;
  const scale = axis.scale();
  if (!scale) return;
  if (lane.bytes.isNew || lane.drawn !== scale) {
    lane.base = now;
    const { up, down } = paths(lane.bytes, now);
    lane.up.setAttribute("d", up);
    lane.down.setAttribute("d", down);
    svg.setAttribute("viewBox", `0 0 ${axis.width} 100`);
    lane.bytes.isNew = false;
    lane.drawn = scale;
  }
  const left = (axis.share(lane.base - now) * axis.width).toFixed(2);
  group.setAttribute("transform", `translate(${left} 0) scale(${scale} 1)`);
  const place = (at) => Math.min(Math.max((axis.NOW_AT * axis.width) + (at - now) * scale, -9), axis.width);
  const from = place(told.came), to = place(told.took === null ? now : told.came + told.took);
  line.style.transform = `translateX(${from.toFixed(2)}px)`;
  line.style.width = `${Math.max(to - from, 2).toFixed(2)}px`;
  end.style.transform = `translateX(${to.toFixed(2)}px)`;
}

// How many there are, and how much passes.

function drawFigures(told, since) {
  if (before && since > 0) {
    rates.push({ since, up: Math.max(told.up - before.up, 0), down: Math.max(told.down - before.down, 0) });
    rates = rates.slice(-FRAMES_OF_RATE);
  }
  before = told;
  open = told.open;
  put("links-open", number(told.open));
  put("links-came", number(told.came));
  put("links-up", `${size(rate("up"))}/s`);
  put("links-down", `${size(rate("down"))}/s`);
  put("links-bytes", `↑ ${size(told.up)} ↓ ${size(told.down)}`);
  const broken = Object.entries(told.outcomes)
    .filter(([outcome]) => kind({ outcome, took: 0 }) === "broken")
    .reduce((sum, [, count]) => sum + count, 0);
  put("links-broken", number(broken));
  put("links-sample", sample(told));
  put("links-scale", `A column of the whole height is ${size(highest)} a second; a quarter less is a tenth.`);
  by("no-links").hidden = lanes.size > 0;
}

function rate(name) {
  const span = rates.reduce((sum, { since }) => sum + since, 0);
  return span ? rates.reduce((sum, frame) => sum + frame[name], 0) / span : 0;
}

function sample({ shown, open }) {
  if (shown < open) return `${number(shown)} of ${number(open)} open links are shown.`;
  if (open === 1) return "The only open link is shown.";
  return open ? `All ${number(open)} open links are shown.` : "No link is open.";
}
