// This phone as a device of the shop: its key never leaves the browser, and every call it makes is signed with it.
import { learn, trusted } from './clock.js';
import { asked, keep, kept, within } from './store.js';
import { toBase64url, utf8 } from './bytes.js';

const PATIENCE_MS = 8000;

export const device = () => kept('device');

export async function enrol(ticket, label) {
  const keys = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
  const publicKey = toBase64url(await crypto.subtle.exportKey('raw', keys.publicKey));
  const proof = toBase64url(await crypto.subtle.sign('Ed25519', keys.privateKey, utf8(ticket)));
  const reply = await fetch('/api/devices/enrol', {
    method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ ticket, public_key: publicKey, proof, label }),
  });
  const answer = await reply.json();
  if (!reply.ok) return answer;
  await navigator.storage?.persist?.().catch(() => false);
  // The log of an earlier key is empty by then (the page sees to it); a new key begins a new log.
  await within(['kept', 'used', 'told'], 'readwrite', async (stores) => {
    await Promise.all([asked(stores.kept.clear()), asked(stores.used.clear())]);
    await asked(stores.kept.put({ name: 'device', value: { id: answer.device_id, community: answer.community_id ?? null, shop: answer.shop, keys } }));
  });
  await learn(answer.server_time);
  return answer;
}

// Sends a signed call. Resolves with { status, answer }, or rejects when nothing came back.
export async function call(path, body) {
  const own = await device();
  const text = JSON.stringify({ device_id: own.id, community_id: own.community, sent_at: trusted().trusted_at, ...body });
  const reply = await fetch(path, {
    method: 'POST', credentials: 'same-origin', body: text, signal: AbortSignal.timeout?.(PATIENCE_MS),
    headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'linli-signature': await signature(own, text) },
  });
  const answer = await reply.json().catch(() => ({}));
  if (reply.ok && answer.server_time) await learn(answer.server_time);
  return { status: reply.status, answer };
}

export const signature = async (own, text) => toBase64url(await crypto.subtle.sign('Ed25519', own.keys.privateKey, utf8(text)));

// Brings the lease, prices, keys and stopped vouchers to today's state. What this phone took and the server has answered
// by now is in the new snapshot; what it has not is still counted here.
// A phone whose shift is over wants no lease: another phone of the shop may need it.
export async function refresh() {
  const resting = Boolean(await kept('resting'));
  const revoked = (await kept('revoked')) ?? { mark: null, ids: [] };
  const settled = (await within(['used'], 'readonly', (stores) => asked(stores.used.getAll())))
    .filter((row) => row.settled && row.form === 'R').map((row) => row.voucher);
  const { status, answer } = await call('/api/devices/snapshot', { revocations_after: revoked.mark, lease: !resting });
  if (status !== 200) return { status, answer };
  const { revoked: fresh, revocation_mark: mark, ...snapshot } = answer;
  const ids = [...new Set([...revoked.ids, ...fresh])];
  await within(['kept', 'used'], 'readwrite', async (stores) => {
    await asked(stores.kept.put({ name: 'snapshot', value: snapshot }));
    await asked(stores.kept.put({ name: 'revoked', value: { mark, ids } }));
    for (const voucher of settled) {
      const row = await asked(stores.used.get(voucher));
      if (row?.settled) await asked(stores.used.delete(voucher));
    }
  });
  return { status, answer };
}

export async function giveBack() {
  await keep('resting', true);
  const head = await kept('head');
  const found = await call('/api/devices/lease', { act: 'return', seq: head?.seq ?? 0 });
  if (found.status === 200) await keep('snapshot', { ...(await kept('snapshot')), lease: null });
  return found;
}

export const begin = () => keep('resting', false);
