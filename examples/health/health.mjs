// Watches a service until it is well again: node health.mjs http://127.0.0.1:8000
// Node's fetch is undici.
const url = `${process.argv[2]}/health`;
let last;
let wasDown = false;

async function state() {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(200) });
    const body = await answer.json();
    return answer.ok && body.ok ? "up" : `down: ${answer.status}`;
  } catch (error) {
    return `down: ${error.cause?.code ?? error.name}`;
  }
}

while (!(wasDown && last === "up")) {
  const now = await state();
  if (now !== last) console.log(now);
  last = now;
  wasDown ||= now !== "up";
  await new Promise((resolve) => setTimeout(resolve, 50));
}
