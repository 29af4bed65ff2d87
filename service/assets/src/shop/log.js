// The log of what this phone took without a network: a chain of records, each naming the hash of the one before.
import { FIRST, judge, judgeUndo, recordHash, recordText } from '../offline-rules.js';
import { clockRow } from './clock.js';
import { asked, within } from './store.js';

export const NOTHING = { seq: 0, hash: FIRST };
// A second page on this phone may have written in between: then everything is looked at again.
const MOVED = new Error('moved');
const ATTEMPTS = 5;

// The floor bounds what the roaming class may lose; how long the phone has been alone concerns every record.
export function queueOf(rows) {
  const roaming = rows.filter((row) => row.class === 2 && !row.undone);
  return {
    count: roaming.length,
    fen: roaming.reduce((sum, row) => sum + row.fen, 0),
    oldest_at: rows.length ? Math.min(...rows.map((row) => row.trusted_at)) : null,
  };
}

// Writes the next record in one transaction. `work` judges by what is stored then, and answers { verdict } when nothing is to be
// written; else what it stores besides the record is part of that transaction. Nothing is accepted before it is complete. Two
// pages on one phone write the log in turn; the second sees what the first took.
async function append(draft, work) {
  for (let attempt = 1; ; attempt += 1) {
    const before = await within(['kept'], 'readonly', (stores) => asked(stores.kept.get('head')));
    const head = before?.value ?? NOTHING;
    const record = { ...draft, seq: head.seq + 1, prev: head.hash };
    const text = recordText(record);
    const hash = await recordHash(text);
    try {
      return await within(['kept', 'log', 'used'], 'readwrite', async (stores) => {
        const [now, rows, used] = await Promise.all([
          asked(stores.kept.get('head')), asked(stores.log.getAll()), draft.voucher ? asked(stores.used.get(draft.voucher)) : null]);
        if ((now?.value ?? NOTHING).seq !== head.seq) throw MOVED;
        const found = await work(stores, rows, used);
        if (!found.row) return found;
        const { row, ...told } = found;
        await Promise.all([
          asked(stores.log.put({ seq: record.seq, nonce: record.nonce, text, voucher: record.voucher, trusted_at: record.trusted_at, clerk: record.clerk, parked: '', ...row })),
          asked(stores.kept.put({ name: 'head', value: { seq: record.seq, hash } })),
          asked(stores.kept.put(clockRow())),
        ]);
        return { ...told, unsent: rows.length + 1 };
      });
    } catch (problem) {
      if (problem !== MOVED || attempt === ATTEMPTS) throw problem;
    }
  }
}

// A scan. Of a voucher with several pieces nothing is written before somebody has said how many, of paper above a value not before
// the name was compared.
export function take(draft, scan, facts, { isChosen, isCompared }) {
  return append(draft, async (stores, rows, used) => {
    const terms = facts.vouchers[scan.voucher] ?? facts.offers[scan.offer];
    // Pressed twice, it is one scan: a second record under its number would look like a second log.
    const same = rows.find((row) => row.nonce === draft.nonce);
    if (same?.undone) return { verdict: 'refuse', reason: 'undo_twice' };
    if (same) {
      const { title, points, quantity } = same;
      return { verdict: 'accept', terms: { ...terms, title, points_each: points / quantity }, quantity, unsent: rows.length };
    }
    const [resting, doubt] = await Promise.all([asked(stores.kept.get('resting')), asked(stores.kept.get('doubt'))]);
    const taken = used?.quantity ?? 0;
    const lease = resting?.value ? null : facts.lease;
    const verdict = judge({ ...facts, lease, queue: queueOf(rows), used: { [scan.voucher]: taken }, storage_ok: true }, scan);
    if (verdict.verdict !== 'accept') return verdict;
    if (doubt && [null, scan.voucher].includes(doubt.value.voucher)) return { verdict: 'refuse', reason: 'unheard' };
    const left = (facts.vouchers[scan.voucher]?.open ?? scan.pieces) - taken;
    if (left > 1 && !isChosen) return { verdict: 'ask', left, terms };
    if (scan.form === 'S' && terms.value_fen * scan.quantity > facts.compare_fen && !isCompared) return { verdict: 'compare', terms, quantity: scan.quantity };
    await asked(stores.used.put({ voucher: scan.voucher, quantity: taken + scan.quantity, settled: false }));
    const { quantity } = scan;
    return {
      ...verdict, terms, quantity,
      row: {
        quantity, class: draft.class, fen: terms.value_fen * quantity, points: (terms.points_each ?? terms.points ?? 0) * quantity,
        title: terms.title, tail: draft.code.slice(-4),
      },
    };
  });
}

// Takes a scan back that still waits here: a record of its own, after which the voucher can be used again. Nothing is deleted.
export async function takeBack(draft) {
  const rows = await within(['log'], 'readonly', (stores) => asked(stores.log.getAll()));
  const meant = rows.find((row) => row.nonce === draft.undoes);
  if (!meant) return { verdict: 'refuse', reason: 'undo_gone' };
  const { voucher, quantity, title, tail } = meant;
  return append({ ...draft, voucher, quantity }, async (stores, waiting, used) => {
    const record = waiting.find((row) => row.nonce === draft.undoes && !row.undoes) ?? null;
    const verdict = judgeUndo({ storage_ok: true, trusted_at: draft.trusted_at, record: record && { ...record, undone: Boolean(record.undone) } }, draft);
    if (verdict.verdict !== 'accept') return verdict;
    await asked(stores.log.put({ ...record, undone: true }));
    if (used) await asked(stores.used.put({ ...used, quantity: Math.max(0, used.quantity - quantity) }));
    return { ...verdict, title, row: { undoes: draft.undoes, quantity, class: null, fen: 0, points: 0, title, tail } };
  });
}

// A use that the server knows: this phone counts it until a snapshot from afterwards is here. What waits here keeps its own row open.
export async function countUse(stores, { voucher, quantity }) {
  const row = await asked(stores.used.get(voucher));
  await asked(stores.used.put({ voucher, quantity: (row?.quantity ?? 0) + quantity, settled: row?.settled ?? true }));
}

// Whether a scan of this voucher waits here; without a voucher, whether any does that the server may take.
export const isWaiting = (voucher) => within(['log'], 'readonly', async (stores) => (
  (await asked(stores.log.getAll())).some((row) => !row.undone && !row.undoes && (voucher ? row.voucher === voucher : !row.parked))));

export const unsent = () => within(['log'], 'readonly', (stores) => asked(stores.log.count()));
