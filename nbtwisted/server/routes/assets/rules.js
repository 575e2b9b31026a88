// The rules, in the order in which they are tried: what each is for and does, how many requests
// (or links) it acted on, and a switch. An operator's texts, and a recording's, are text here, too.

import { time } from "./clock.js";
import { by, hasRequests, make, put } from "./elements.js";
import { tell } from "./figures.js";
import { number, seconds } from "./words.js";

const rows = new Map(); // by the rule's id, in order
let made = 0;

// Of a frame, both are there only when they changed.
export function update({ now, rules, acted }) {
  if (rules) list(rules, now);
  if (acted) [...rows.values()].forEach((row, at) => count(row, acted[at]));
  for (const row of rows.values()) tellExpiry(row);
}

function list(told, now) {
  const { of, shown, file, warnings, all_warnings: all } = told;
  by("rules").hidden = !of && !file?.error && !all;
  by("rules-all").hidden = !of;
  put("rules-summary", summary(told));
  put("rules-problem", file?.error ? `✕ ${file.path} was not taken, and the rules are those before: ${file.error}` : "");
  const more = all - warnings.length;
  if (more) warnings.push(`and ${number(more)} more, at /__admin/rules`);
  by("rules-warnings").replaceChildren(...warnings.map((text) => make("li", "", text)));
  // Of one origin, all have different names. Of all, only the first can be named.
  const ids = new Map(shown.map((rule) => [`${rule.origin} ${rule.name}`, rule]));
  keepOnly(ids);
  const known = new Map(rows), names = new Set();
  rows.clear();
  [...ids].forEach(([id, rule], at) => {
    const row = known.get(id) ?? begin(rule);
    rows.set(id, row);
    show(row, rule, now);
    row.toggle.disabled = names.has(rule.name);
    names.add(rule.name);
    // What is in its place is not moved: it may have the focus.
    const there = by("rule-list").children[at];
    if (there !== row.element) by("rule-list").insertBefore(row.element, there ?? null);
  });
}

function summary({ of, shown }) {
  const off = shown.filter(({ enabled }) => !enabled).length;
  let text = shown.length < of ? `the first ${shown.length} of ${number(of)}` : number(of);
  if (of > 1) text += hasRequests ? "; the first that matches decides" : "; all act, one after another";
  return off ? `${text}; ${off} switched off` : text;
}

function keepOnly(ids) {
  const all = [...rows];
  all.forEach(([id, row], at) => {
    if (ids.has(id)) return;
    if (row.expires !== null && row.expires - time() < 1) tell(`${quoted(row.told)} has expired.`);
    const hadFocus = row.toggle === document.activeElement;
    rows.delete(id);
    row.element.remove();
    const nearest = [...all.slice(at + 1), ...all.slice(0, at).reverse()].find(([other]) => ids.has(other));
    if (hadFocus) nearest?.[1].toggle.focus();
  });
}

function begin(told) {
  const row = { told, isTurning: false };
  row.element = make("li", "rule");
  row.toggle = make("input");
  row.toggle.type = "checkbox";
  row.toggle.setAttribute("role", "switch");
  row.name = make("bdi", "name", told.name);
  const label = make("label");
  label.append(row.toggle, row.name);
  row.matches = make("span", "matches");
  row.does = make("span", "does");
  row.what = make("span", "what label");
  row.what.id = `rule-${++made}`;
  row.what.append(row.matches, " ", row.does);
  row.toggle.setAttribute("aria-describedby", row.what.id);
  row.origin = make("span", "origin faint");
  row.expiry = make("span", "expiry");
  row.acted = make("span", "acted");
  const notes = make("span", "notes");
  notes.append(row.origin, row.expiry);
  row.element.append(label, row.what, notes, row.acted);
  // A switch that is disabled while it is turned would lose the focus.
  row.toggle.addEventListener("click", (event) => row.isTurning && event.preventDefault());
  row.toggle.addEventListener("change", () => turn(row));
  return row;
}

function show(row, told, now) {
  row.told = told;
  // By the server's clock: a frame may be late.
  row.expires = told.expires_in === null ? null : now + told.expires_in;
  row.matches.textContent = told.matches;
  row.does.textContent = told.does;
  row.what.title = row.what.textContent;
  row.origin.textContent = ORIGINS[told.origin] ?? told.origin;
  if (!row.isTurning) showSwitch(row);
}

function showSwitch({ told, toggle, element }) {
  toggle.checked = told.enabled;
  element.classList.toggle("is-off", !told.enabled);
}

const ORIGINS = { admin: "operator", har: "HAR", default: "--default" };

function count(row, acted) {
  const what = hasRequests ? "request" : "link";
  const text = `${number(acted)} ${acted === 1 ? what : `${what}s`}`;
  if (row.acted.textContent !== text) row.acted.textContent = text;
}

function tellExpiry({ expires, expiry }) {
  const text = expires === null ? "" : `expires in ${seconds(Math.max(expires - time(), 0))}`;
  if (expiry.textContent !== text) expiry.textContent = text;
}

// A name may be in a script that is written from right to left.
const quoted = ({ name }) => `“\u2068${name}\u2069”`;

async function turn(row) {
  const enabled = row.toggle.checked;
  row.isTurning = true;
  const why = await problem(`rules/${encodeURIComponent(row.told.name)}`, { enabled });
  if (why === null) row.told.enabled = enabled;
  tell(why === null ? "" : `${quoted(row.told)} is as it was: ${why}.`);
  row.isTurning = false;
  showSwitch(row);
}

// Why a change is not made; null if it is.
async function problem(path, change) {
  const headers = { "Content-Type": "application/json" };
  try {
    const answer = await fetch(path, { method: "PATCH", headers, body: JSON.stringify(change) });
    if (answer.ok) return null;
    const { error, expected } = await answer.json();
    return expected ? `${error} (expected ${expected})` : error;
  } catch {
    return "the server did not answer";
  }
}
