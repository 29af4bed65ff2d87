// The vouchers that this phone keeps for when there is no network: one row of one IndexedDB, of one session, for at most a day.
import { hold, holds, mark, wipe } from './guard.js';

const NAME = 'linli-wallet';
const SKEW_MS = 120_000;

const asked = (request) => new Promise((done, failed) => {
  request.onsuccess = () => done(request.result);
  request.onerror = () => failed(request.error);
});

async function within(mode, work) {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('kept', { keyPath: 'name' });
  const base = await asked(opening);
  base.onversionchange = () => base.close();
  try {
    const transaction = base.transaction('kept', mode, { durability: 'strict' });
    const ended = new Promise((done, failed) => {
      transaction.oncomplete = done;
      transaction.onabort = () => failed(transaction.error ?? new Error('aborted'));
    });
    const found = await work(transaction.objectStore('kept'));
    await ended;
    return found;
  } finally {
    base.close();
  }
}

const change = (work) => within('readwrite', async (rows) => {
  const row = await asked(rows.get('wallet'));
  const next = work(row);
  if (next) await asked(rows.put({ ...next, name: 'wallet' }));
});

// What the server says now. An answer that was asked for before this phone heard of a use is older than what it knows.
export async function sync() {
  const began = Date.now();
  const reply = await fetch('/api/vouchers/kept', { cache: 'no-store', credentials: 'same-origin', headers: { Accept: 'application/json' } });
  const answer = await reply.json();
  if (!reply.ok) {
    if (answer.code?.startsWith('kit.not_')) wipe();
    return;
  }
  if (!answer.session || answer.session !== mark()) {
    wipe();
    return;
  }
  hold(answer.session);
  await change((row) => {
    const mine = row?.session === answer.session;
    if (mine && (row.server_time > answer.server_time || row.heard_at > began)) return null;
    return { ...answer, skew: Date.now() - answer.server_time, last: answer.server_time, heard_at: mine ? row.heard_at : 0 };
  });
}

// This phone has heard that these vouchers cannot be used: they go at once, whatever the network does next.
export const heard = async (ids) => holds() && change((row) => row && {
  ...row, heard_at: Date.now(), vouchers: row.vouchers.filter((voucher) => !ids.includes(voucher.id)),
});

// What may be shown now, with the time by the server's clock; nothing of another session, nothing after its time.
export async function kept() {
  const row = holds() ? await within('readonly', (rows) => asked(rows.get('wallet'))).catch(() => null) : null;
  if (!row || !holds() || row.session !== mark()) return { reason: 'none' };
  const now = Date.now() - row.skew;
  // A clock that was put back would keep the day from ending.
  if (now >= row.until || now + SKEW_MS < row.last) {
    wipe();
    return { reason: 'over' };
  }
  if (now - row.last > SKEW_MS) await change((found) => found && { ...found, last: now }).catch(() => {});
  return { ...row, now };
}
