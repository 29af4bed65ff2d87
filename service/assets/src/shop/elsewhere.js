// Uses that the server is asked for without this phone knowing the voucher's state by its own scan: a typed code, a card, a page.
import { countUse, isWaiting } from './log.js';
import { asked, keep, within } from './store.js';
import { sync } from './sync.js';

// What waits here is sent first: the server would use the same voucher again. False when it cannot be sent. From then on until the
// answer is heard this phone takes nothing by itself that the server may have used; null is a voucher that only the server can tell.
export async function mayAsk(voucher, quantity = 1) {
  if (await isWaiting(voucher)) {
    await sync(true);
    if (await isWaiting(voucher)) return false;
  }
  await keep('doubt', { voucher, quantity, at: Date.now() });
  return true;
}

// The answer is here: what was used is counted, as { voucher, quantity }, or nothing was.
export const heard = (used) => within(['kept', 'used'], 'readwrite', async (stores) => {
  if (used) await countUse(stores, used);
  await asked(stores.kept.delete('doubt'));
});
