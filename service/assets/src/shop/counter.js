// One scan at the counter: the server is asked first, within a moment; then this phone answers for itself, under the same number.
import { remember, trusted } from './clock.js';
import { examine, parse } from './code.js';
import { device } from './device.js';
import { isWaiting, noteOnline, take } from './log.js';
import { kept } from './store.js';
import { say } from './words.js';

// Why not, as a colour. What only the server can say is a question; the rest is a plain no.
const ASK_SERVER = new Set(['online_only', 'unknown_here', 'no_lease', 'lease_over', 'lease_frozen', 'too_long_offline', 'no_time',
  'clock_back', 'key_unknown', 'code_outdated', 'quantity_wrong', 'too_dear', 'floor_count', 'floor_fen', 'not_set_up']);

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
      vouchers: byId(snapshot.vouchers, 'id'), offers: byId(snapshot.offers, 'number'), issuer_keys: byId(snapshot.issuer_keys, 'number'),
      revoked: revoked?.ids ?? [],
    },
  };
}

function refusal(reason) {
  const state = reason === 'used_here' ? 'used' : ASK_SERVER.has(reason) ? 'question' : 'refused';
  return { state, title: say(`title.${state}`), detail: say(reason), repeat: state === 'question' };
}

function saved(verdict) {
  const { terms } = verdict;
  const cash = terms.cash_fen_each ? say('cash', { yuan: (terms.cash_fen_each / 100).toFixed(2) }) : '';
  return {
    state: 'offline', title: say('saved'), item: terms.title, detail: say('saved_detail', { count: verdict.unsent }), leave: true,
    value: say('points', { points: terms.points_each ?? terms.points ?? 0 }) + cash,
  };
}

// The answer of this phone alone. Green and blue mean that the goods may go; blue is given only when the record is on the disk.
export async function takeHere({ nonce, code }, clerk) {
  const time = trusted();
  try {
    const known = await facts(time);
    if (!known) return refusal('not_set_up');
    const { scan, step } = await examine(parse(code), known.snapshot, time.trusted_at);
    const terms = known.state.vouchers[scan.voucher];
    const draft = {
      v: 1, nonce, voucher: scan.voucher, quantity: scan.quantity, code, step, device_at: time.device_at, mono: time.mono,
      trusted_at: time.trusted_at, lease: known.state.lease?.id ?? null, clerk, class: terms?.class ?? 2, flags: time.flags,
    };
    const verdict = await take(draft, scan, known.state);
    return verdict.verdict === 'accept' ? saved(verdict) : refusal(verdict.reason);
  } catch {
    // Storage is full, blocked or gone: nothing was written, so nothing may leave the shop.
    return refusal('storage');
  }
}

// What the server took is counted here as well, until the next snapshot: the network may go the moment after.
export async function remembered(code) {
  const read = parse(code);
  if (own && read.voucher) await noteOnline(read).catch(() => {});
}

// The server does not know yet what this phone took of a voucher: until it does, only the phone can say whether it is used.
export async function mustAnswer(code) {
  const read = parse(code);
  return Boolean(own && read.voucher && await isWaiting(read.voucher).catch(() => false));
}
