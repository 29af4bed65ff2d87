// A clerk's PIN opens this phone's scanner where nobody can be asked. It is stretched, kept here only, and after five
// wrong tries it is shut until the clerk signs in with the network.
import { asked, within } from './store.js';
import { fromBase64url, toBase64url, utf8 } from './bytes.js';

const ROUNDS = 600_000;
const TRIES = 5;
export const DIGITS = /^\d{6}$/;

async function stretched(pin, salt, rounds) {
  const key = await crypto.subtle.importKey('raw', utf8(pin), 'PBKDF2', false, ['deriveBits']);
  return toBase64url(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, key, 256));
}

export async function choose(clerk, name, pin) {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const hash = await stretched(pin, salt, ROUNDS);
  const row = { clerk, name, salt: toBase64url(salt), rounds: ROUNDS, hash, wrong: 0 };
  await within(['pins'], 'readwrite', (stores) => asked(stores.pins.put(row)));
}

// The try is written down before it is looked at: taking the battery out does not give another one.
export async function isRight(clerk, pin) {
  const row = await within(['pins'], 'readwrite', async (stores) => {
    const found = await asked(stores.pins.get(clerk));
    if (!found || found.wrong >= TRIES) return null;
    found.wrong += 1;
    await asked(stores.pins.put(found));
    return found;
  });
  if (!row) return { right: false, left: 0 };
  const right = (await stretched(pin, fromBase64url(row.salt), row.rounds)) === row.hash;
  if (right) await forgive(clerk);
  return { right, left: TRIES - row.wrong };
}

// Whoever is signed in with the network has proved more than the PIN.
export const forgive = (clerk) => within(['pins'], 'readwrite', async (stores) => {
  const row = await asked(stores.pins.get(clerk));
  if (row?.wrong) await asked(stores.pins.put({ ...row, wrong: 0 }));
  return Boolean(row);
});
