// What is watched: the events' stream, begun anew whenever it ends.

import { local } from "./clock.js";
import { by, put } from "./elements.js";

const SILENCE = 3, LONGEST_SILENCE = 10; // seconds without a frame
const AGAIN = 1000; // milliseconds between attempts

// Only requests whose key has this in it.
export let key = new URLSearchParams(location.search).get("key") || "";

let hears = null, watching = null, waiting = 0, heard = 0;
let life = null, isFirst = true;

export const isWatching = () => watching !== null;

// `hears` is told of each frame, and whether it is the first of its stream, and of a server
// that was started in the other's place.
export function begin(whoHears) {
  hears = whoHears;
  setInterval(listen, 1000);
  watch();
}

export function setKey(text) {
  key = text;
  const here = new URL(location.href);
  if (key) here.searchParams.set("key", key);
  else here.searchParams.delete("key");
  history.replaceState(null, "", here);
}

export function say(words, kind) {
  put("connection", words);
  by("connection").className = kind;
}

export function stop() {
  clearTimeout(waiting);
  if (watching) watching.abort();
  watching = null;
}

export async function watch() {
  stop();
  if (document.hidden) return;
  const own = watching = new AbortController();
  heard = local();
  let why;
  try {
    const query = key ? `?key=${encodeURIComponent(key)}` : "";
    const how = { signal: own.signal, cache: "no-store" };
    // No EventSource: it gives up for good at an HTTP error, and hides its status.
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
    if (life !== null && told.life !== life) hears.anotherServer();
    life = told.life;
    hears.hello(told);
    // A stream begins with all that is shown, in its first frame.
    isFirst = true;
  },
  frame(told) {
    heard = local();
    if (told.draining) say("connected; the server drains and lets nobody in", "trying");
    else say("connected", "");
    hears.frame(told, isFirst);
    isFirst = false;
  },
};

function listen() {
  if (!watching) return;
  const silence = local() - heard;
  if (silence > LONGEST_SILENCE) watch();
  else if (silence > SILENCE) {
    say(`no word from the server for ${Math.floor(silence)} s`, "trying");
  }
}
