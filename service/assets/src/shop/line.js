// Whether the server can be reached: three failures in a row say no, one answer says yes. The clerk is never asked.
const FAILURES = 3;
const PROBE_MS = 5000;
const PATIENCE_MS = 3000;

let failures = 0;
let probe = 0;
let told = () => {};

export const isDown = () => failures >= FAILURES || navigator.onLine === false;
export const onLine = (work) => { told = work; };

export function worked() {
  const was = isDown();
  failures = 0;
  clearTimeout(probe);
  probe = 0;
  if (was) told(true);
}

export function failed() {
  failures += 1;
  if (isDown()) {
    told(false);
    if (!probe) look();
  }
}

async function look() {
  probe = setTimeout(look, PROBE_MS);
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  const answer = await fetch('/health/live', { cache: 'no-store', signal: patience.signal }).catch(() => null);
  clearTimeout(timer);
  if (answer?.status === 200) {
    failures = Math.max(failures, FAILURES);
    worked();
  }
}

window.addEventListener('offline', () => { told(false); if (!probe) look(); });
window.addEventListener('online', look);
