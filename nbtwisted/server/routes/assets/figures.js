// Figures and sentences: how many there are, how late they were, and what is shown of them.

import { by, put } from "./elements.js";
import * as overview from "./overview.js";
import * as rows from "./rows.js";
import { key } from "./stream.js";
import { bound, number, seconds } from "./words.js";

export let inFlight = 0;

// Where a proxy's clients find it, for this page has a port of its own then.
let proxyUrl = null;

export function askedAt(url) {
  proxyUrl = url;
}

export function tell(text) {
  by("said").textContent = text;
}

export function draw({ counts, lateness, of }) {
  inFlight = counts.in_flight;
  drawFigures(counts, lateness);
  put("summary", summary());
  put("sample", sample(rows.countInFlight(), of));
  drawEmpty();
}

function drawFigures(counts, lateness) {
  const rate = overview.rate();
  put("in-flight", number(counts.in_flight));
  put("requests", number(counts.requests));
  put("rate", rate && rate < 10 ? rate.toFixed(1) : number(Math.round(rate)));
  put("cancelled", number(counts.cancelled ?? 0));
  put("broken", number(counts.broken ?? 0));
  if (lateness) put("lateness", `${bound(lateness.p50)}, ${bound(lateness.p99)}`);
  else if (!counts.requests) put("lateness", "–");
}

function summary() {
  const { waiting, asking, sending, later, step, due } = overview.told;
  const soon = due.slice(0, Math.ceil(1 / step)).reduce((sum, count) => sum + count, 0);
  let text = `${number(waiting)} waiting`;
  if (waiting && step <= 1) text += `, ${number(soon)} of them due within a second`;
  if (later) text += `, ${number(later)} not before ${seconds(step * 80)} from now`;
  if (asking) text += `; ${number(asking)} at the upstream`;
  return `${text}; ${number(sending)} being sent or stalled`;
}

function sample(shown, of) {
  const what = key ? `in flight whose key has “${key}”` : "in flight";
  if (shown < of) return `${number(shown)} of ${number(of)} ${what} are shown.`;
  if (shown === 1) return `The only one ${what} is shown.`;
  return shown ? `All ${number(shown)} ${what} are shown.` : `None ${what}.`;
}

function drawEmpty() {
  by("empty").hidden = rows.count() > 0;
  put("nothing", key
    ? `No request whose key has “${key}” is in flight.`
    : "Nothing is in flight. To see something:");
  const here = location.origin;
  put("how", proxyUrl !== null ? throughProxy(proxyUrl) : `nbtwisted get -n 20 "${here}/delay/uniform(1s,5s)"\n`
    + `curl ${here}/delay/3s\n`
    + `nbtwisted load -z 20s -q 50 "${here}/?_delay=2s"`);
  by("how").hidden = key !== "";
}

// Only the upstream knows which paths there are; what waits is asked for by a header.
function throughProxy(url) {
  return `curl -H "X-Nbtwisted-Delay: 3s" ${url}\n`
    + `nbtwisted get -n 20 -H "X-Nbtwisted-Delay: uniform(1s,5s)" ${url}\n`
    + `nbtwisted load -z 20s -q 50 -H "X-Nbtwisted-Delay: 2s" ${url}`;
}
