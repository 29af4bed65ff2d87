// The log of what this phone took without a network: a chain of records, each naming the hash of the one before.
import { FIRST, judge, recordHash, recordText } from '../offline-rules.js';
import { clockRow } from './clock.js';
import { asked, within } from './store.js';

export const NOTHING = { seq: 0, hash: FIRST };
// A second page on this phone may have written in between: then everything is looked at again.
const MOVED = new Error('moved');
const ATTEMPTS = 5;

// The floor bounds what the roaming class may lose; how long the phone has been alone concerns every record.
export function queueOf(rows) {
  const roaming = rows.filter((row) => row.class === 2);
  return {
    count: roaming.length,
    fen: roaming.reduce((sum, row) => sum + row.fen, 0),
    oldest_at: rows.length ? Math.min(...rows.map((row) => row.trusted_at)) : null,
  };
}

const usedOf = (rows) => Object.fromEntries(rows.map((row) => [row.voucher, row.quantity]));

// Judges and writes in one transaction: what was judged by is still true when the record is there. Nothing is accepted
// before that transaction is complete. Two pages on one phone write the log in turn; the second sees what the first took.
export async function take(draft, scan, facts) {
  for (let attempt = 1; ; attempt += 1) {
    const before = await within(['kept'], 'readonly', (stores) => asked(stores.kept.get('head')));
    const head = before?.value ?? NOTHING;
    const record = { ...draft, seq: head.seq + 1, prev: head.hash };
    const text = recordText(record);
    const hash = await recordHash(text);
    try {
      return await within(['kept', 'log', 'used'], 'readwrite', async (stores) => {
        const [now, rows, used] = await Promise.all([
          asked(stores.kept.get('head')), asked(stores.log.getAll()), asked(stores.used.getAll())]);
        if ((now?.value ?? NOTHING).seq !== head.seq) throw MOVED;
        const state = { ...facts, queue: queueOf(rows), used: usedOf(used), storage_ok: true };
        const verdict = judge(state, scan);
        if (verdict.verdict !== 'accept') return verdict;
        const terms = facts.vouchers[scan.voucher] ?? facts.offers[scan.offer];
        const earlier = used.find((row) => row.voucher === scan.voucher);
        await Promise.all([
          asked(stores.log.put({
            seq: record.seq, nonce: record.nonce, text, voucher: scan.voucher, quantity: scan.quantity, trusted_at: record.trusted_at, class: record.class,
            fen: terms.value_fen * scan.quantity, title: terms.title, tail: draft.code.slice(-4), parked: '',
          })),
          asked(stores.used.put({ voucher: scan.voucher, form: scan.form, quantity: (earlier?.quantity ?? 0) + scan.quantity, settled: false })),
          asked(stores.kept.put({ name: 'head', value: { seq: record.seq, hash } })),
          asked(stores.kept.put(clockRow())),
        ]);
        return { ...verdict, terms, unsent: rows.length + 1 };
      });
    } catch (problem) {
      if (problem !== MOVED || attempt === ATTEMPTS) throw problem;
    }
  }
}

// A use that the server knows: this phone counts it until a snapshot from afterwards is here.
export const noteOnline = (read) => within(['used'], 'readwrite', async (stores) => {
  const row = await asked(stores.used.get(read.voucher));
  await asked(stores.used.put({ voucher: read.voucher, form: read.form, quantity: (row?.quantity ?? 0) + 1, settled: true }));
});

export const isWaiting = (voucher) => within(['log'], 'readonly', async (stores) => (
  (await asked(stores.log.getAll())).some((row) => row.voucher === voucher)));

export const unsent = () => within(['log'], 'readonly', (stores) => asked(stores.log.count()));
