// This phone as a device of the shop: its key never leaves the browser, and every call it makes is signed with it.
import { learn, trusted } from './clock.js';
import { countUse } from './log.js';
import { all, asked, keep, kept, within } from './store.js';
import { toBase64url, utf8 } from './bytes.js';

const PATIENCE_MS = 8000;
// A use that was asked for so recently may still reach the server after a snapshot was made.
const STILL_ASKED_MS = 30_000;
const OWED = 'owed';

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
  // The log of an earlier key is empty by then (the page sees to it); a new key begins a new log. Whoever worked here before,
  // perhaps at another shop, chooses a PIN anew.
  await within(['kept', 'used', 'pins'], 'readwrite', async (stores) => {
    await Promise.all([stores.kept, stores.used, stores.pins].map((store) => asked(store.clear())));
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
  if (answer.code === 'redemption.device_refused') await rightsGone(answer.title ?? answer.code);
  // Whoever stands in between (a sign-in page of the network) may say 200 too, but does not know the server's time.
  return { status: reply.status, answer, done: reply.ok && Boolean(answer.server_time) };
}

// It stays so without the network, too, until a snapshot says otherwise.
const rightsGone = (said) => within(['kept'], 'readwrite', async ({ kept: rows }) => {
  await asked(rows.put({ name: 'refused', value: said }));
  await asked(rows.delete('snapshot'));
});

export const signature = async (own, text) => toBase64url(await crypto.subtle.sign('Ed25519', own.keys.privateKey, utf8(text)));

// Brings the lease, prices, keys and stopped vouchers to today's state. What this phone took and the server has answered
// by now is in the new snapshot; what it has not is still counted here.
// A phone whose shift is over wants no lease: another phone of the shop may need it.
export async function refresh() {
  const [resting, known, doubt] = await Promise.all(['resting', 'revoked', 'doubt'].map(kept));
  const revoked = known ?? { mark: null, ids: [] };
  const settled = (await all('used')).filter((row) => row.settled);
  const found = await call('/api/devices/snapshot', { revocations_after: revoked.mark, lease: !resting });
  if (!found.done) return found;
  const { revoked: fresh, revocation_mark: mark, ...snapshot } = found.answer;
  const ids = [...new Set([...revoked.ids, ...fresh])];
  await within(['kept', 'used'], 'readwrite', async (stores) => {
    const [before, rests, unheard] = (await Promise.all(['snapshot', 'resting', 'doubt'].map((name) => asked(stores.kept.get(name)))))
      .map((row) => row?.value);
    // Two pages may ask at once, and the older answer come last.
    if (before?.server_time > snapshot.server_time) return;
    if (rests) snapshot.lease = null;
    await asked(stores.kept.put({ name: 'snapshot', value: snapshot }));
    await asked(stores.kept.put({ name: 'revoked', value: { mark, ids } }));
    await asked(stores.kept.delete('refused'));
    const told = new Set(snapshot.vouchers.map((voucher) => voucher.id));
    if (doubt && unheard?.at === doubt.at && Math.abs(Date.now() - doubt.at) > STILL_ASKED_MS) {
      if (doubt.voucher && !told.has(doubt.voucher)) await countUse(stores, doubt);
      await asked(stores.kept.delete('doubt'));
    }
    // A paper of the roaming class is in no snapshot: what was taken of it is remembered here.
    before?.vouchers.forEach((voucher) => told.add(voucher.id));
    for (const { voucher, quantity } of settled) {
      const row = await asked(stores.used.get(voucher));
      if (row?.settled && row.quantity === quantity && (told.has(voucher) || !snapshot.offers.length)) await asked(stores.used.delete(voucher));
    }
  });
  return found;
}

// From here on this phone takes nothing that needs the lease, whether the server hears of it now or later.
export async function giveBack(isAgain = false) {
  const said = await within(['kept'], 'readwrite', async ({ kept: rows }) => {
    const [head, found, resting, before] = (await Promise.all(['head', 'snapshot', 'resting', 'returned'].map((name) => asked(rows.get(name)))))
      .map((row) => row?.value);
    if (isAgain && resting !== OWED) return null;
    // Named, so that this, come late, ends no lease that is taken after it. Asked again it is the one of the first time.
    const lease = (isAgain ? before : found?.lease?.id) ?? null;
    await asked(rows.put({ name: 'resting', value: OWED }));
    await asked(rows.put({ name: 'returned', value: lease }));
    if (found) await asked(rows.put({ name: 'snapshot', value: { ...found, lease: null } }));
    return { seq: head?.seq ?? 0, lease };
  });
  if (said === null) return null;
  const answer = await call('/api/devices/lease', { act: 'return', ...said });
  if (answer.done) {
    await within(['kept'], 'readwrite', async ({ kept: rows }) => {
      if ((await asked(rows.get('resting')))?.value === OWED) await asked(rows.put({ name: 'resting', value: true }));
    });
  }
  return answer;
}

export const begin = () => keep('resting', false);
