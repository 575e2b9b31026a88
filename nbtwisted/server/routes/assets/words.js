// Requests, times and counts in words. Pure.

export const IN_FLIGHT = "in flight";
const END_OF_LABEL = 12; // characters

export const name = ({ method, target }) => `${method} ${target}`.trim() || "(unreadable)";

// What stands at a row: the key, if somebody chose one, the method, unless it is GET, and
// the target, of which the end is always to be seen.
export function label(told) {
  const { method, target, key } = told;
  const isChosen = key !== name(told);
  const rest = isChosen ? target.replace(/([?&])_key=[^&]*(&|$)/, (_, before, after) => after && before) : target;
  const letters = [...`${method === "GET" ? "" : method} ${rest}`.trim() || "(unreadable)"];
  const at = Math.max(letters.length - END_OF_LABEL, 0);
  return {
    key: isChosen ? key : "",
    begin: letters.slice(0, at).join(""),
    end: letters.slice(at).join(""),
  };
}

// Where a proxy's upstream has a request, and when: in seconds from when it came. One that
// has not answered has it until `end`.
export function partOfUpstream({ came, asking_since: since, upstream }, end) {
  if (since === null) return null;
  const from = Math.max(since - came, 0);
  return { from, seconds: upstream ?? Math.max(end - from, 0) };
}

export const isAsking = ({ held, asking_since: since, upstream }) =>
  held === null && since !== null && upstream === null;

export function kind(told) {
  const { outcome, held, status, fault } = told;
  if (outcome === IN_FLIGHT) {
    if (isAsking(told)) return "asking";
    if (held === null) return "held";
    return fault === "stall" || fault === "stall-body" ? "stalled" : "sending";
  }
  if (outcome === "cancelled") return "cancelled";
  const isLost = ["failed", "timed out", "upstream failed"].includes(outcome);
  if (isLost || fault !== null || status === null || status >= 500) return "bad";
  return status >= 400 ? "client" : status >= 300 ? "redirect" : "good";
}

export function state(told, now) {
  const { outcome, held, status, fault, asked, came, upstream } = told;
  if (outcome === IN_FLIGHT && isAsking(told)) {
    return `at upstream ${seconds(Math.max(now - told.asking_since, 0))}`;
  }
  if (outcome === IN_FLIGHT && held === null) {
    const left = came + (asked ?? 0) + (upstream ?? 0) - now;
    return `${fault ?? "due"} ${left < 0.05 ? "now" : `in ${seconds(left)}`}`;
  }
  const what = [status, fault].filter((part) => part !== null).join(" ");
  if (outcome === IN_FLIGHT) {
    if (kind(told) === "stalled") return what;
    return status === 101 ? `${what} passing on` : `${what} sending`;
  }
  if (outcome === "answered" || outcome === "broken") return what || outcome;
  // There is room for no more.
  if (outcome === "upstream failed" && what) return `upstream: ${what}`;
  return `${outcome} ${what}`.trim();
}

const english = new Intl.NumberFormat("en");

export const number = (count) => english.format(count);

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  for (; bytes >= 999.5 && at < units.length - 1; at++) bytes /= 1000;
  return `${at && bytes < 9.95 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

export function seconds(s) {
  if (s < 10) return `${s.toFixed(1)} s`;
  return s < 120 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;
}

export const milliseconds = (s) => `${number(Math.round(s * 10000) / 10)} ms`;

// The upper bound of one of the histogram's buckets; the last has none.
export function bound(s) {
  if (s === null) return "> 10 s";
  return s < 1 ? `≤ ${s * 1000} ms` : `≤ ${s} s`;
}

export function timeOfDay(unix) {
  const date = new Date(unix * 1000);
  const thousandths = String(date.getMilliseconds()).padStart(3, "0");
  return `${date.toLocaleTimeString("en-GB")}.${thousandths}`;
}
