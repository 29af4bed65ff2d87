// Brings the log to the server. A record leaves this phone only on the verdict for its own number.
import { trusted } from './clock.js';
import { call, giveBack, refresh } from './device.js';
import { asked, kept, within } from './store.js';

const BATCH = 200;
const FIRST_PAUSES = 5;
const PAUSE_MS = 5000;
const LONG_PAUSE_MS = 40_000;
const EVERY_MS = 60_000;
// What our server cannot read or take at once; any other no may come from whoever stands in between.
const UNREADABLE = ['kit.invalid', 'kit.too_large'];
// A snapshot costs the server work for every voucher in it.
const FRESH_MS = 300_000;

let failures = 0;
let again = 0;
let size = BATCH;
let changed = () => {};
let refused = '';

export const onChange = (work) => { changed = work; };
export const isRefused = () => refused;

const waiting = async () => (await within(['log'], 'readonly', (stores) => asked(stores.log.getAll()))).filter((row) => !row.parked);

const park = (rows, why) => within(['log'], 'readwrite', async (stores) => {
  for (const { seq } of rows) {
    const row = await asked(stores.log.get(seq));
    if (row) await asked(stores.log.put({ ...row, parked: why }));
  }
});

export const unpark = (...why) => within(['log'], 'readwrite', async (stores) => {
  for (const row of await asked(stores.log.getAll())) {
    if (row.parked && (!why.length || why.includes(row.parked))) await asked(stores.log.put({ ...row, parked: '' }));
  }
});

// What somebody has to read; also when it was said before, to a phone that did not hear it.
function toBeRead(verdict) {
  if (verdict.verdict !== 'already') return ['conflict', 'review'].includes(verdict.verdict) ? verdict : null;
  return ['accepted', 'undone'].includes(verdict.reason) ? null : { ...verdict, verdict: verdict.bearer ? 'conflict' : 'review' };
}

// Each verdict ends its own record. A conflict or a review stays on the phone, in red, until somebody has read it.
const settle = (rows, verdicts) => within(['log', 'told', 'used'], 'readwrite', async (stores) => {
  const byNonce = new Map(verdicts.map((verdict) => [verdict.nonce, verdict]));
  let settled = 0;
  for (const row of rows) {
    const verdict = byNonce.get(row.nonce);
    if (!['accepted', 'already', 'conflict', 'review'].includes(verdict?.verdict)) continue;
    settled += 1;
    await asked(stores.log.delete(row.seq));
    // While another record of the voucher waits, the next snapshot does not know all that was taken of it.
    const others = (await asked(stores.log.getAll())).some((one) => one.voucher === row.voucher);
    const used = await asked(stores.used.get(row.voucher));
    if (used && !others) await asked(stores.used.put({ ...used, settled: true }));
    const told = toBeRead(verdict);
    if (told) await asked(stores.told.put({ nonce: row.nonce, at: row.trusted_at, item: row.title, tail: row.tail, ...told }));
  }
  return settled;
});

// One batch, in the order of the log. True when there may be more to send.
async function send() {
  const rows = (await waiting()).slice(0, size);
  if (!rows.length) return false;
  // How far the log goes: what comes later was scanned later than this call.
  const written = (await kept('head'))?.seq ?? 0;
  const { status, answer } = await call('/api/devices/sync', { records: rows.map((row) => row.text), written });
  if (status === 200 && Array.isArray(answer.verdicts)) {
    const settled = await settle(rows, answer.verdicts);
    const unread = (answer.unread ?? []).map((place) => rows[place]).filter(Boolean);
    await park(unread, 'unread');
    if (settled + unread.length === 0) throw new Error('no verdict');
    size = BATCH;
    return true;
  }
  if (answer.code === 'redemption.device_refused') return false;
  // Something in the batch cannot be taken: smaller batches find it, it is put aside, and the others go on.
  if (UNREADABLE.includes(answer.code)) {
    if (rows.length === 1) await park(rows, 'refused');
    size = Math.max(1, Math.floor(rows.length / 2));
    return true;
  }
  throw new Error(String(status));
}

async function everything() {
  clearTimeout(again);
  try {
    while (await send()) changed();
    failures = 0;
    return true;
  } catch {
    failures += 1;
    again = setTimeout(sync, failures <= FIRST_PAUSES ? PAUSE_MS : LONG_PAUSE_MS);
    return false;
  } finally {
    await hear();
  }
}

async function hear() {
  refused = (await kept('refused').catch(() => null)) ?? '';
  changed();
}

// One page of this phone sends at a time; another that asks meanwhile has nothing to do, unless it must know how it ended.
export function sync(isPatient = false) {
  if (!navigator.locks) return everything();
  return navigator.locks.request('linli-sync', { ifAvailable: !isPatient }, (lock) => (lock ? everything() : false));
}

// Something new waits: it is tried soon, unless a later try is already set.
export function sendSoon() {
  if (!failures) {
    clearTimeout(again);
    again = setTimeout(sync, PAUSE_MS);
  }
}

export async function catchUp(isUrgent = false) {
  if (!await sync()) return;
  await giveBack(true);
  const [snapshot, doubt] = await Promise.all([kept('snapshot'), kept('doubt')]);
  if (!isUrgent && !doubt && snapshot?.lease && trusted().trusted_at - snapshot.server_time < FRESH_MS) return;
  await refresh();
  await hear();
}

export function keepSending() {
  const look = () => { if (document.visibilityState === 'visible') catchUp().catch(() => {}); };
  const anew = () => unpark('refused').then(look, look);
  window.addEventListener('online', anew);
  window.addEventListener('focus', look);
  document.addEventListener('visibilitychange', look);
  setInterval(look, EVERY_MS);
  setInterval(anew, FRESH_MS);
  return unpark().then(() => catchUp());
}
