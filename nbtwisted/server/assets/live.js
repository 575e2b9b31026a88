// Draws what the server holds from the events that it sends. Everything that a stranger
// sent becomes text by textContent, and nothing else.
"use strict";
(() => {
  const NOW_AT = 0.75; // of the width, as in live.css
  const WINDOWS = [[10, 2], [30, 5], [60, 10], [300, 60], [900, 180], [3600, 600]];
  const CALM = 4; // seconds for which a shorter window must do before it is taken
  const GLIDE = 0.6; // seconds that a change of window takes
  const SILENCE = 3, LONGEST_SILENCE = 10; // seconds without a frame
  const AGAIN = 1000; // milliseconds between attempts
  const SECONDS_OF_RATE = 2, SECONDS_KEPT = 3600 * NOW_AT;

  const by = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const local = () => performance.now() / 1000;

  // What is watched, and how.

  let life = null, seed = "", watching = null, isPaused = false;
  let key = new URLSearchParams(location.search).get("key") || "";
  let heard = 0, waiting = 0;

  function say(words, kind) {
    const connection = by("connection");
    if (connection.textContent !== words) connection.textContent = words;
    connection.className = kind;
  }

  function stop() {
    clearTimeout(waiting);
    if (watching) watching.abort();
    watching = null;
  }

  async function watch() {
    stop();
    if (document.hidden) return;
    const own = watching = new AbortController();
    heard = local();
    let why;
    try {
      const query = key ? `?key=${encodeURIComponent(key)}` : "";
      const how = { signal: own.signal, cache: "no-store" };
      const answer = await fetch(`events${query}`, how);
      if (answer.ok) {
        await take(answer.body, own);
        why = "the server is gone; trying again";
      } else if (answer.status === 503) {
        why = "too many viewers are watching; trying again";
      } else {
        const { error, expected } = await answer.json();
        why = `refused: ${error} (expected ${expected})`;
      }
    } catch {
      why = "the server is gone; trying again";
    }
    if (watching !== own) return; // paused, or another took its place
    watching = null;
    say(why, "trying");
    waiting = setTimeout(watch, AGAIN);
  }

  async function take(stream, own) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const found = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end));
        if (found && watching === own) on[found[1]]?.(JSON.parse(found[2]));
      }
    }
  }

  const on = {
    hello(told) {
      if (life !== null && told.life !== life) {
        history = [];
        overview = null;
        offset = null;
        tell("This is another server than before: it was started anew.");
      }
      ({ life, seed } = told);
      // A stream begins with all that is shown, in its first frame.
      isFirst = true;
    },
    frame(told) {
      heard = local();
      setClock(told.now);
      if (isFirst) keepOnly(new Set(told.rows.map((row) => row.id)));
      isFirst = false;
      if (told.draining) say("connected; the server drains and lets nobody in", "trying");
      else say("connected", "");
      for (const change of told.changes) update(change);
      for (const id of told.gone) drop(id);
      for (const row of told.rows) add(row);
      if (told.overview) overview = told.overview;
      remember(told);
      figures(told);
      chooseWindow();
      tidyLanes();
      describe();
      drawOverview();
      draw();
    },
  };
  let isFirst = true;

  setInterval(() => {
    if (!watching) return;
    const silence = local() - heard;
    if (silence > LONGEST_SILENCE) watch();
    else if (silence > SILENCE) {
      say(`no word from the server for ${Math.floor(silence)} s`, "trying");
    }
  }, 1000);

  // The server's clock. A frame is never early, so the least late one tells it best; what
  // that says is given up a little at a time, because clocks drift.

  let offset = null, stoppedAt = null;

  function setClock(now) {
    const found = now - local();
    stoppedAt = null;
    const isNew = offset === null || Math.abs(found - offset) > 2;
    offset = isNew ? found : Math.max(found, offset - 0.005);
  }

  const time = () => stoppedAt ?? (offset === null ? 0 : local() + offset);

  // Rows, each in a lane of its own for as long as it is shown: nothing that is read moves
  // but to the left. A new one takes the uppermost lane that is free.

  const rows = new Map(), lanes = [];

  function make(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function add(told) {
    if (rows.has(told.id)) return update(told);
    const row = { told, lane: lanes.findIndex((taken) => !taken) };
    if (row.lane < 0) row.lane = lanes.length;
    lanes[row.lane] = row;
    row.element = make("li");
    row.button = make("button", "lane");
    row.button.type = "button";
    row.button.tabIndex = -1;
    const request = make("span", "request");
    request.append(make("span", "label", name(told)));
    const track = make("span", "track");
    track.setAttribute("aria-hidden", "true");
    row.bar = make("span", "bar-of-one");
    row.plan = make("span", "plan");
    row.fill = make("span", "fill");
    row.rest = make("span", "rest");
    row.bar.append(row.plan, row.fill, row.rest);
    track.append(row.bar);
    row.state = make("span", "state");
    row.button.append(request, track, row.state);
    row.element.append(row.button);
    row.button.addEventListener("pointerenter", () => choose(row));
    row.button.addEventListener("focus", () => choose(row));
    rows.set(told.id, row);
    place(row);
    // The newest is read first.
    by("rows").prepend(row.element);
    show(row);
  }

  function place(row) {
    row.element.style.setProperty("--row", row.lane);
  }

  function update(told) {
    const row = rows.get(told.id);
    if (!row) return;
    Object.assign(row.told, told);
    row.drawn = null;
    show(row);
  }

  function drop(id) {
    const row = rows.get(id);
    if (!row) return;
    const hadFocus = row.button === document.activeElement;
    const at = row.lane;
    row.element.remove();
    lanes[at] = undefined;
    rows.delete(id);
    while (lanes.length && !lanes[lanes.length - 1]) lanes.pop();
    if (hadFocus) reach(nearest(at));
  }

  function keepOnly(ids) {
    for (const id of [...rows.keys()]) if (!ids.has(id)) drop(id);
  }

  function tidyLanes() {
    // Empty lanes wait for others to come, but those that are left move together.
    const free = lanes.length - rows.size;
    if (free > 2 && free > rows.size / 3) {
      const kept = lanes.filter(Boolean);
      lanes.length = 0;
      for (const row of kept) {
        row.lane = lanes.push(row) - 1;
        place(row);
      }
    }
    by("rows").style.setProperty("--lanes", lanes.length);
    const inTurn = rows.has(turn?.told.id) ? turn : lanes.find(Boolean);
    if (inTurn && inTurn !== turn) takeTurn(inTurn);
  }

  // What a row says.

  const IN_FLIGHT = "in flight";

  function kind({ outcome, held, status, fault }) {
    if (outcome === IN_FLIGHT) {
      if (held === null) return "held";
      return fault === "stall" || fault === "stall-body" ? "stalled" : "sending";
    }
    if (outcome === "cancelled") return "cancelled";
    if (outcome === "failed" || fault !== null || status === null || status >= 500) {
      return "bad";
    }
    return status >= 400 ? "client" : status >= 300 ? "redirect" : "good";
  }

  function state(told) {
    const { outcome, held, status, fault, asked, came } = told;
    if (outcome === IN_FLIGHT && held === null) {
      const left = came + (asked ?? 0) - time();
      return `${fault ?? "due"} ${left < 0.05 ? "now" : `in ${seconds(left)}`}`;
    }
    const what = [status, fault].filter((part) => part !== null).join(" ");
    if (outcome === IN_FLIGHT) return kind(told) === "stalled" ? what : `${what} sending`;
    if (outcome === "answered" || outcome === "broken") return what || outcome;
    return `${outcome} ${what}`.trim();
  }

  function seconds(s) {
    if (s < 10) return `${s.toFixed(1)} s`;
    return s < 120 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;
  }

  const name = ({ method, target }) => `${method} ${target}`.trim() || "(unreadable)";

  function show(row) {
    const now = kind(row.told);
    row.element.dataset.kind = now;
    row.element.classList.toggle("is-released", row.told.outcome === "released");
    const isOpen = row.told.outcome === IN_FLIGHT || now === "cancelled";
    row.plan.hidden = !(isOpen && row.told.held === null && row.told.asked !== null);
    row.rest.hidden = row.told.held === null;
    tellState(row);
    if (row === chosen) facts();
  }

  function tellState(row) {
    const text = state(row.told);
    if (row.said !== text) row.state.textContent = row.said = text;
  }

  // One row is in the order of the Tab key; the arrow keys go from it to the others.

  let turn = null, chosen = null;

  function takeTurn(row) {
    if (turn) turn.button.tabIndex = -1;
    turn = row;
    turn.button.tabIndex = 0;
  }

  function nearest(lane) {
    for (let away = 0; away < lanes.length; away++) {
      const found = lanes[lane - away] ?? lanes[lane + away];
      if (found) return found;
    }
    return lanes.find(Boolean);
  }

  function reach(row) {
    if (!row) return;
    takeTurn(row);
    row.button.focus();
  }

  by("rows").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const from = turn?.lane ?? 0;
    let to = null;
    if (step) {
      for (let lane = from + step; lane in lanes && !to; lane += step) to = lanes[lane];
    } else if (event.key === "Home") to = lanes.find(Boolean);
    else if (event.key === "End") to = lanes[lanes.length - 1];
    else return;
    event.preventDefault();
    reach(to);
  });

  function choose(row) {
    chosen?.button.classList.remove("is-chosen");
    chosen = row;
    row.button.classList.add("is-chosen");
    if (document.activeElement === row.button) takeTurn(row);
    facts();
  }

  function facts() {
    const t = chosen.told;
    const milliseconds = (s) =>
      s === null ? "not yet" : `${number.format(Math.round(s * 10000) / 10)} ms`;
    const came = new Date(t.came * 1000);
    const thousandths = String(came.getMilliseconds()).padStart(3, "0");
    const clock = `${came.toLocaleTimeString("en-GB")}.${thousandths}`;
    const all = [
      ["request", name(t), "wide"],
      ["outcome", t.outcome], ["status", t.status ?? "none"], ["fault", t.fault ?? "none"],
      ["asked", milliseconds(t.asked)], ["held", milliseconds(t.held)],
      ["bytes sent", number.format(t.sent)], ["came", clock], ["from", t.peer], ["number", t.id],
    ];
    if (t.key !== name(t)) all.push(["key", t.key]);
    by("hint").hidden = true;
    by("facts").hidden = false;
    by("facts").replaceChildren(...all.map(([term, value, className]) => {
      const group = make("div", className);
      const isCode = term === "request" || term === "key";
      group.append(make("dt", "", term), make("dd", isCode ? "label" : "", value));
      return group;
    }));
  }

  // The window: what most of what is shown fits in. Longer at once, shorter when it is calm.

  let target = WINDOWS[0], length = WINDOWS[0][0], from = length;
  let changedAt = -Infinity, fitsSince = null;

  function chooseWindow() {
    const now = time();
    const ages = [...rows.values()].map(({ told }) => now - told.came);
    ages.sort((a, b) => a - b);
    const age = ages[Math.floor((ages.length - 1) * 0.75)] ?? 0;
    const fits = WINDOWS.find(([long]) => age * 1.1 <= long * NOW_AT);
    const wanted = fits ?? WINDOWS[WINDOWS.length - 1];
    if (wanted[0] >= target[0]) fitsSince = null;
    else fitsSince ??= local();
    if (wanted[0] > target[0] || fitsSince !== null && local() - fitsSince > CALM) {
      from = length;
      target = wanted;
      changedAt = local();
      fitsSince = null;
      drawAxis();
    }
  }

  function glide() {
    const done = still.matches ? 1 : Math.min((local() - changedAt) / GLIDE, 1);
    const eased = 1 - (1 - done) ** 3;
    length = Math.exp(Math.log(from) + (Math.log(target[0]) - Math.log(from)) * eased);
  }

  const share = (seconds) => NOW_AT + seconds / length;

  function drawAxis() {
    const [long, step] = target;
    const labels = [], lines = [];
    const first = -Math.floor(long * NOW_AT / step) * step;
    for (let at = first; at <= long * (1 - NOW_AT); at += step) {
      const away = Math.abs(at);
      const distance = long <= 60 ? `${away} s` : `${away / 60} min`;
      const text = at === 0 ? "now" : (at < 0 ? "−" : "+") + distance;
      const label = make("span", at === 0 ? "is-now" : "", text);
      const line = make("span", at === 0 ? "now" : "");
      label.dataset.at = line.dataset.at = at;
      labels.push(label);
      lines.push(line);
    }
    by("axis").replaceChildren(...labels);
    by("grid").replaceChildren(...lines);
    placeTicks();
  }

  function placeTicks() {
    for (const tick of [...by("axis").children, ...by("grid").children]) {
      const left = share(Number(tick.dataset.at));
      tick.style.left = `${left * 100}%`;
      // Half of a label would stick out of the picture.
      tick.hidden = tick.parentElement.id === "axis" && (left < 0.02 || left > 0.97);
    }
  }

  // Drawing. Bars that do not change only move, and what grows is stretched.

  let width = 0, drawnAt = 0, drawnLength = 0;

  function draw() {
    const now = time();
    glide();
    if (length !== drawnLength) placeTicks();
    const scale = width / length;
    for (const row of rows.values()) drawRow(row, now, scale);
    const group = by("overview").firstElementChild;
    const left = (share(drawnFrom - now) * width).toFixed(2);
    group.setAttribute("transform", `translate(${left} 0) scale(${scale} 1)`);
    drawnAt = now;
    drawnLength = length;
  }

  function drawRow(row, now, scale) {
    const { came, asked, held, ended, outcome } = row.told;
    const { bar, plan, fill, rest } = row;
    const left = width * NOW_AT + (came - now) * scale;
    bar.style.transform = `translateX(${left.toFixed(2)}px)`;
    const end = Math.max(outcome === IN_FLIGHT ? now : ended, came) - came;
    const waited = held === null ? end : Math.min(held, end);
    if (row.drawn !== scale) {
      // Most of it is out of sight when the window is short, and need not be painted.
      plan.style.width = `${Math.min((asked ?? 0) * scale, 20000)}px`;
      const isGrowing = held === null && outcome === IN_FLIGHT;
      fill.style.width = isGrowing ? "1px" : `${waited * scale}px`;
      fill.style.transform = "none";
      rest.style.transform = `translateX(${waited * scale}px)`;
      bar.style.width = `${Math.max(end * scale, 3)}px`;
      rest.style.width = `${(end - waited) * scale}px`;
      row.drawn = scale;
    }
    if (outcome !== IN_FLIGHT) return;
    if (held === null) fill.style.transform = `scaleX(${Math.max(end * scale, 1)})`;
    else rest.style.width = `${(end - waited) * scale}px`;
  }

  function move() {
    requestAnimationFrame(move);
    if (!watching || still.matches || offset === null || document.hidden) return;
    // Nobody sees less than a third of a pixel.
    const moved = (time() - drawnAt) * width / length;
    if (moved > 0.33 || local() - changedAt < GLIDE + 0.1) draw();
  }

  new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    drawOverview();
    draw();
  }).observe(by("axis"));

  // All requests: what ended, on the left of now, and what is due, on its right; both as
  // requests a second, in columns.

  let history = [], overview = null, drawnFrom = 0, highest = 1;

  function remember({ now, since, ended, failed }) {
    // What came of a time in which nobody watched has no place.
    if (since > 0 && since < 60) history.push({ to: now, since, ended, failed });
    while (history.length && history[0].to < now - SECONDS_KEPT) history.shift();
  }

  function columns() {
    // As wide as three pixels, or a frame.
    const wide = Math.max(0.25, Math.ceil(3 * length / Math.max(width, 1) / 0.25) * 0.25);
    const begins = time() - length * NOW_AT - wide;
    const past = new Map();
    for (let at = history.length - 1; at >= 0 && history[at].to > begins; at--) {
      const { to, since, ended, failed } = history[at];
      const column = Math.floor((to - since / 2) / wide);
      const sum = past.get(column) ?? { ended: 0, failed: 0 };
      sum.ended += ended;
      sum.failed += failed;
      past.set(column, sum);
    }
    const future = [];
    if (overview) {
      const { start, step, due } = overview;
      const now = time();
      due.forEach((count, number) => {
        // What has been due since is on the left of now, and has most likely ended.
        const at = Math.max(start + number * step, now);
        const wide = start + (number + 1) * step - at;
        if (count && wide > 0) future.push({ at, wide, rate: count / step });
      });
    }
    return { wide, past, future };
  }

  function drawOverview() {
    if (!width) return;
    const { wide, past, future } = columns();
    drawnFrom = time();
    const rates = [...past.values()].map(({ ended }) => ended / wide);
    const ends = drawnFrom + length * (1 - NOW_AT);
    for (const { at, rate } of future) if (at < ends) rates.push(rate);
    const most = Math.max(1, ...rates);
    // Seldom another one, so that columns can be compared with what they just were.
    if (most > highest || most < highest / 4) highest = nice(most);
    const column = (at, w, low, high) => {
      const y = (rate) => (100 - 100 * Math.min(rate / highest, 1)).toFixed(1);
      const left = (at - drawnFrom).toFixed(3), across = (w * 0.86).toFixed(3);
      return `M${left} ${y(low)}h${across}V${y(high)}h-${across}z`;
    };
    let ended = "", failed = "", due = "";
    for (const [at, sum] of past) {
      if (!sum.ended) continue;
      const bad = sum.failed / wide, all = sum.ended / wide;
      if (sum.failed) failed += column(at * wide, wide, 0, bad);
      if (sum.ended > sum.failed) ended += column(at * wide, wide, bad, all);
    }
    for (const { at, wide: w, rate } of future) due += column(at, w, 0, rate);
    by("overview").setAttribute("viewBox", `0 0 ${width} 100`);
    by("ended").setAttribute("d", ended);
    by("failed").setAttribute("d", failed);
    by("due").setAttribute("d", due);
    by("highest").textContent = `${number.format(highest)} a second`;
  }

  function nice(most) {
    const power = 10 ** Math.floor(Math.log10(most));
    return [1, 2, 5, 10].find((step) => step * power >= most) * power;
  }

  // Figures and sentences.

  function figures({ counts, lateness, of }) {
    const recent = history.slice(-Math.round(SECONDS_OF_RATE * 4));
    const span = recent.reduce((sum, { since }) => sum + since, 0);
    const ended = recent.reduce((sum, frame) => sum + frame.ended, 0);
    const rate = span ? ended / span : 0;
    put("in-flight", number.format(counts.in_flight));
    put("requests", number.format(counts.requests));
    put("rate", rate && rate < 10 ? rate.toFixed(1) : number.format(Math.round(rate)));
    put("cancelled", number.format(counts.cancelled ?? 0));
    put("broken", number.format(counts.broken ?? 0));
    const bound = (s) =>
      s === null ? "> 10 s" : s < 1 ? `≤ ${s * 1000} ms` : `≤ ${s} s`;
    if (lateness) put("lateness", `${bound(lateness.p50)}, ${bound(lateness.p99)}`);
    else if (!counts.requests) put("lateness", "–");
    shown.inFlight = counts.in_flight;
    shown.of = of;
  }

  const shown = { inFlight: 0, of: 0 };

  function put(id, text) {
    const element = by(id);
    if (element.textContent !== text) element.textContent = text;
  }

  const NOTHING = { waiting: 0, sending: 0, later: 0, step: 1, due: [] };

  function describe() {
    let inFlight = 0;
    for (const row of rows.values()) {
      if (row.told.outcome === IN_FLIGHT) inFlight++;
      if (row.told.outcome === IN_FLIGHT && row.told.held === null) tellState(row);
    }
    const { waiting, sending, later, step, due } = overview ?? NOTHING;
    const soon = due.slice(0, Math.ceil(1 / step)).reduce((sum, count) => sum + count, 0);
    let text = `${number.format(waiting)} waiting`;
    if (waiting && step <= 1) text += `, ${number.format(soon)} of them due within a second`;
    if (later) text += `, ${number.format(later)} not before ${seconds(step * 80)} from now`;
    put("summary", `${text}; ${number.format(sending)} being sent or stalled`);
    const of = shown.of;
    const what = key ? `in flight whose key has “${key}”` : "in flight";
    let shownOf = `All ${number.format(inFlight)} ${what} are shown.`;
    if (inFlight < of) {
      shownOf = `${number.format(inFlight)} of ${number.format(of)} ${what} are shown.`;
    } else if (inFlight === 1) shownOf = `The only one ${what} is shown.`;
    else if (inFlight === 0) shownOf = `None ${what}.`;
    put("sample", shownOf);
    by("empty").hidden = rows.size > 0;
    put("nothing", key
      ? `No request whose key has “${key}” is in flight.`
      : "Nothing is in flight. To see something:");
    const here = location.origin;
    put("how", `nbtwisted get -n 20 "${here}/delay/uniform(1s,5s)"\n`
      + `curl ${here}/delay/3s\n`
      + `nbtwisted load -z 20s -q 50 "${here}/?_delay=2s"`);
    by("how").hidden = key !== "";
  }

  function tell(text) {
    by("said").textContent = text;
  }

  // What can be done.

  function pause(isToPause) {
    isPaused = isToPause;
    by("pause").setAttribute("aria-pressed", String(isPaused));
    by("pause").textContent = isPaused ? "Go on" : "Pause";
    if (isPaused) {
      stoppedAt = time();
      stop();
      say("paused", "still");
    } else {
      say("connecting", "still");
      watch();
    }
  }

  by("pause").addEventListener("click", () => pause(!isPaused));

  let typing = 0;
  by("key").value = key;
  by("key").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      key = by("key").value;
      const here = new URL(location.href);
      if (key) here.searchParams.set("key", key);
      else here.searchParams.delete("key");
      window.history.replaceState(null, "", here);
      pause(false);
    }, 300);
  });

  by("reset").addEventListener("click", () => {
    const held = shown.inFlight;
    by("ask-text").textContent = "It forgets the journal, the totals and every key, and "
      + "lets go of what is held: what waits is answered at once, what is half sent or "
      + "stalled loses its connection. "
      + `${number.format(held)} ${held === 1 ? "request is" : "requests are"} in flight.`;
    by("ask").showModal();
  });
  by("leave").addEventListener("click", () => by("ask").close());
  by("go").addEventListener("click", async () => {
    by("ask").close();
    try {
      const answer = await fetch("reset", { method: "POST" });
      const told = await answer.json();
      const were = told.released === 1 ? "request was" : "requests were";
      if (!answer.ok) tell(`Not reset: ${told.error}.`);
      else tell(`Reset: ${number.format(told.released)} ${were} let go.`);
    } catch {
      tell("Not reset: the server did not answer.");
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (isPaused) return;
    if (document.hidden) stop();
    else watch();
  });

  drawAxis();
  requestAnimationFrame(move);
  watch();
})();
