// Watches a service until it is well again: node health.mjs http://127.0.0.1:8000
// Node's fetch is undici.
const url = `${process.argv[2]}/health`;

async function check() {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3000) });
    const body = await answer.json();
    return answer.ok && body.ok ? "up" : `down: ${answer.status}`;
  } catch (error) {
    return `down: ${error.cause?.code ?? error.name}`;
  }
}

let state = "unknown";
let before;
let wasDown = false;
while (!(wasDown && state === "up")) {
  const now = await check();
  // One check alone may be bad luck.
  if (now === before && now !== state) {
    state = now;
    wasDown ||= state !== "up";
    console.log(state);
  }
  before = now;
  await new Promise((resolve) => setTimeout(resolve, 50));
}
