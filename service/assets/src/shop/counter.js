// One scan at the counter: the server is asked first, within a moment; then this phone answers for itself, under the same number.
import { remember, trusted } from './clock.js';
import { examine, parse } from './code.js';
import { device } from './device.js';
import { heard, mayAsk } from './elsewhere.js';
import { countUse, isWaiting, take, takeBack } from './log.js';
import { kept, within } from './store.js';
import { say } from './words.js';
import { uuid7 } from './bytes.js';

const UNDO_MS = 60_000;

// Why not, as a colour. What only the server can say is a question; the rest is a plain no.
const ASK_SERVER = new Set(['online_only', 'unknown_here', 'no_lease', 'lease_over', 'lease_frozen', 'too_long_offline', 'no_time',
  'clock_back', 'key_unknown', 'code_outdated', 'quantity_wrong', 'too_dear', 'floor_count', 'floor_fen', 'not_set_up',
  'unheard', 'send_first', 'clerk_unknown']);

let own = null;

// Whether this phone is a device of the shop and its storage works.
export async function prepare() {
  try {
    [own] = await Promise.all([device(), remember()]);
  } catch {
    own = null;
  }
  return own;
}

const byId = (rows, name) => Object.fromEntries(rows.map((row) => [String(row[name]), row]));

async function facts(time) {
  const [snapshot, revoked] = await Promise.all([kept('snapshot'), kept('revoked')]);
  if (!snapshot) return null;
  return {
    snapshot,
    state: {
      trusted_at: time.trusted_at, server_at: time.server_at, lease: snapshot.lease, floor: snapshot.floor, time_zone: snapshot.time_zone,
      compare_fen: snapshot.compare_fen,
      vouchers: byId(snapshot.vouchers, 'id'), offers: byId(snapshot.offers, 'number'), issuer_keys: byId(snapshot.issuer_keys, 'number'),
      revoked: revoked?.ids ?? [],
    },
  };
}

function refusal(reason) {
  const state = reason === 'used_here' ? 'used' : ASK_SERVER.has(reason) ? 'question' : 'refused';
  return { state, title: say(`title.${state}`), detail: say(reason), repeat: state === 'question' };
}

// What is handed over for these terms: pieces, points, cash.
function worth(terms, quantity) {
  const pieces = quantity > 1 ? say('pieces', { count: quantity }) : '';
  const cash = terms.cash_fen_each ? say('cash', { yuan: ((terms.cash_fen_each * quantity) / 100).toFixed(2) }) : '';
  return pieces + say('points', { points: (terms.points_each ?? terms.points ?? 0) * quantity }) + cash;
}

function saved(verdict, time) {
  return {
    state: 'offline', title: say('saved'), item: verdict.terms.title, detail: say('saved_detail', { count: verdict.unsent }), leave: true,
    value: worth(verdict.terms, verdict.quantity), undo_until: time.trusted_at + UNDO_MS,
  };
}

const howMany = ({ terms, left }) => ({
  state: 'question', title: say('how_many'), item: terms.title, value: worth(terms, 1), detail: say('left_pieces', { count: left }), pieces: left,
});

const compare = ({ terms, quantity }) => ({
  state: 'question', title: say('compare'), item: terms.title, value: worth(terms, quantity), detail: say('compare_detail'),
  compare: say('compared'), quantity,
});

// The answer of this phone alone. Green and blue mean that the goods may go; blue is given only when the record is on the disk.
// Without a quantity a voucher of several pieces is a question first.
export async function takeHere({ nonce, code, compared = false }, clerk, quantity = null) {
  const time = trusted();
  try {
    const known = await facts(time);
    if (!known) {
      const said = await kept('refused');
      return said ? { state: 'refused', title: say('title.refused'), detail: said } : refusal('not_set_up');
    }
    // The server takes no record of somebody who does not serve here.
    if (!known.snapshot.clerks.some((each) => each.id === clerk)) return refusal('clerk_unknown');
    const { scan, step } = await examine(parse(code), known.snapshot, time.trusted_at, quantity ?? 1);
    const terms = known.state.vouchers[scan.voucher];
    const draft = {
      v: 1, nonce, voucher: scan.voucher, quantity: scan.quantity, code, step, device_at: time.device_at, mono: time.mono,
      trusted_at: time.trusted_at, lease: known.state.lease?.id ?? null, clerk, class: terms?.class ?? 2,
      flags: compared ? [...time.flags, 'compared'] : time.flags,
    };
    const verdict = await take(draft, scan, known.state, { isChosen: quantity !== null, isCompared: compared });
    if (verdict.verdict === 'ask') return howMany(verdict);
    if (verdict.verdict === 'compare') return compare(verdict);
    return verdict.verdict === 'accept' ? saved(verdict, time) : refusal(verdict.reason);
  } catch {
    // Storage is full, blocked or gone: nothing was written, so nothing may leave the shop.
    return refusal('storage');
  }
}

// Takes back a scan that waits on this phone. Nothing when it waits no longer: then only the server can.
export async function takeBackHere(undoes, clerk) {
  const time = trusted();
  const draft = {
    v: 2, nonce: uuid7(time.trusted_at), undoes, device_at: time.device_at, mono: time.mono, trusted_at: time.trusted_at, clerk, flags: time.flags,
  };
  const verdict = await takeBack(draft).catch(() => ({ verdict: 'refuse', reason: 'storage' }));
  if (verdict.reason === 'undo_gone') return null;
  if (verdict.verdict !== 'accept') return { state: 'refused', title: say('undo_not'), detail: say(verdict.reason === 'storage' ? 'undo_storage' : verdict.reason) };
  return { state: 'offline', title: say('undone'), item: verdict.title, detail: say('undone_detail'), leave: true };
}

// Codes that only the server takes: should its answer get lost, this phone cannot go on under the same number.
const ONLY_THERE = ['short', 'P'];

// Before the server is asked about such a code. Why it must not be, or nothing.
export async function barredFrom(code) {
  const read = parse(code);
  return ONLY_THERE.includes(read.form) ? barredFromUse(read.voucher ?? null) : null;
}

// The same for a voucher that is used by the counter's lock and without its code.
export async function barredFromUse(voucher, quantity) {
  if (!own) return null;
  return await mayAsk(voucher, quantity).catch(() => true) ? null : refusal('send_first');
}

// What the server took is counted here as well, until the next snapshot: the network may go the moment after.
export async function remembered(code, answer) {
  if (!own) return;
  const used = answer.state === 'ok' ? { voucher: answer.voucher_id, quantity: answer.quantity } : null;
  if (!code || ONLY_THERE.includes(parse(code).form)) await heard(used).catch(() => {});
  else if (used) await within(['used'], 'readwrite', (stores) => countUse(stores, used)).catch(() => {});
}

// The server does not know yet what this phone took of a voucher: until it does, only the phone can say whether it is used.
export async function mustAnswer(code) {
  const read = parse(code);
  return Boolean(own && read.voucher && await isWaiting(read.voucher).catch(() => false));
}
