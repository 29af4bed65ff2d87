// Trusted time on this phone (trustedTime in offline-rules.js): the server's, carried on by a counter that nobody can set.
import { trustedTime } from '../offline-rules.js';
import { keep, kept } from './store.js';

let learntAt = null; // on the counter, since this page heard the server
let past = { server_at: null, skew: 0, last_trusted_at: 0 };

export async function remember() {
  past = (await kept('clock')) ?? past;
}

export async function learn(serverTime) {
  learntAt = performance.now();
  past = { server_at: serverTime, skew: Date.now() - serverTime, last_trusted_at: serverTime };
  await keep('clock', past);
}

export function trusted() {
  const mono = learntAt === null ? null : Math.round(performance.now() - learntAt);
  const device = Date.now();
  if (past.server_at === null) return { trusted_at: device, flags: ['reloaded'], mono: null, device_at: device, server_at: null };
  const found = trustedTime({ ...past, mono, device_at: device });
  past.last_trusted_at = found.trusted_at;
  return { ...found, mono, device_at: device, server_at: past.server_at };
}

// What a transaction writes beside its own row, so that a reload cannot take time back.
export const clockRow = () => ({ name: 'clock', value: past });
