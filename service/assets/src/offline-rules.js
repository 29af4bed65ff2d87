// What a shop's phone decides without a network: the same rules as redemption/offline/rules.py, held to tests/vectors/offline.json.
// Pure: no storage, no clock, no key. Times are milliseconds, ids of vouchers decimal text, money whole fen.

export const HOUR = 3_600_000;
export const CLOCK_BACK = 120_000;
export const FIRST = '0'.repeat(64);
export const RECORD_KEYS = [
  'v', 'seq', 'prev', 'nonce', 'voucher', 'quantity', 'code', 'step', 'device_at', 'mono', 'trusted_at', 'lease', 'clerk', 'class', 'flags',
];
// What a record says that annuls the earlier one of the nonce `undoes`; its v is 2.
export const UNDO_KEYS = [
  'v', 'seq', 'prev', 'nonce', 'undoes', 'voucher', 'quantity', 'device_at', 'mono', 'trusted_at', 'clerk', 'flags',
];
export const UNDO_REASONS = ['storage', 'undo_gone', 'undo_twice', 'undo_other_clerk', 'undo_late'];

// Why a scan is refused without a network, in the order in which it is looked for; the first that applies is the answer.
export const REASONS = [
  'storage', 'no_time', 'malformed', 'online_only', 'clock_back', 'too_long_offline',
  'key_unknown', 'forged', 'wrong_shop', 'unknown_here', 'no_lease', 'lease_over',
  'lease_frozen', 'revoked', 'code_outdated', 'code_stale', 'expired', 'not_yet',
  'not_today', 'used_here', 'quantity_wrong', 'too_dear', 'floor_count', 'floor_fen',
];

// Whether a scan may be accepted without a network, and why not. Signatures and chains of codes come in as booleans.
export function judge(state, scan) {
  const reason = ofThePhone(state, scan)
    || ofTheCode(state, scan)
    || ofTheLease(state, scan)
    || ofTheVoucher(state, scan)
    || ofTheLimits(state, scan);
  return reason ? { verdict: 'refuse', reason } : { verdict: 'accept', reason: 'accepted' };
}

// Whether a scan that waits on the phone may be taken back there; what the server has answered waits no longer.
export function judgeUndo(state, undo) {
  const reason = ofTheUndo(state, undo);
  return reason ? { verdict: 'refuse', reason } : { verdict: 'accept', reason: 'accepted' };
}

function ofTheUndo({ storage_ok: works, record, trusted_at: now }, undo) {
  if (!works) return 'storage';
  if (record === null) return 'undo_gone';
  if (record.undone) return 'undo_twice';
  if (record.clerk !== undo.clerk) return 'undo_other_clerk';
  return now - record.trusted_at >= HOUR ? 'undo_late' : null;
}

function ofThePhone(state, scan) {
  if (!state.storage_ok) return 'storage';
  if (state.server_at === null) return 'no_time';
  if (scan.form === 'malformed') return 'malformed';
  if (!['R', 'S'].includes(scan.form) || classOf(state, scan) === 0) return 'online_only';
  if (state.trusted_at + CLOCK_BACK < state.server_at) return 'clock_back';
  if (unsyncedMs(state) >= state.floor.hard_hours * HOUR) return 'too_long_offline';
  return null;
}

function ofTheCode(state, scan) {
  if (scan.form === 'R') return own(state.vouchers, scan.voucher) ? null : 'unknown_here';
  const key = own(state.issuer_keys, scan.key);
  if (!key || !(key.valid_from <= state.trusted_at && state.trusted_at < key.valid_to)) return 'key_unknown';
  if (!scan.signature_ok) return 'forged';
  return own(state.offers, scan.offer) ? null : 'wrong_shop';
}

function ofTheLease(state, scan) {
  if (classOf(state, scan) === 2) return null;
  if (!state.lease) return 'no_lease';
  if (state.trusted_at >= state.lease.ends_at) return 'lease_over';
  return state.lease.frozen ? 'lease_frozen' : null;
}

function ofTheVoucher(state, scan) {
  const voucher = termsOf(state, scan);
  const now = state.trusted_at;
  if (state.revoked.includes(scan.voucher)) return 'revoked';
  if (scan.code_seq !== voucher.code_seq) return 'code_outdated';
  if (scan.form === 'R' && !scan.chain_ok) return 'code_stale';
  if (now >= voucher.expires_at) return 'expired';
  if (now < voucher.usable_from) return 'not_yet';
  if (((voucher.weekdays >> weekday(now, state.time_zone)) & 1) === 0) return 'not_today';
  return null;
}

function ofTheLimits(state, scan) {
  const voucher = termsOf(state, scan);
  const left = voucher.open - (own(state.used, scan.voucher) || 0);
  if (left <= 0) return 'used_here';
  if (!(scan.quantity >= 1 && scan.quantity <= left)) return 'quantity_wrong';
  // The floor bounds what only the roaming class can lose.
  if (classOf(state, scan) !== 2) return null;
  const fen = voucher.value_fen * scan.quantity;
  const limits = floorNow(state);
  if (fen > limits.voucher_fen) return 'too_dear';
  if (state.queue.count + 1 > limits.vouchers) return 'floor_count';
  return state.queue.fen + fen > limits.fen ? 'floor_fen' : null;
}

// How long the phone has been without the server: since it last heard from it, or since its oldest record that waits.
export function unsyncedMs(state) {
  const oldest = state.queue.oldest_at;
  const since = oldest === null ? state.server_at : Math.min(state.server_at, oldest);
  return Math.max(0, state.trusted_at - since);
}

// After the soft limit, half of the two limits that add up.
export function floorNow(state) {
  const part = unsyncedMs(state) >= state.floor.soft_hours * HOUR ? 2 : 1;
  return {
    vouchers: Math.floor(state.floor.vouchers / part),
    fen: Math.floor(state.floor.fen / part),
    voucher_fen: state.floor.voucher_fen,
  };
}

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

// The day of the week there and then; Monday is 0.
export function weekday(at, timeZone) {
  return DAYS.indexOf(new Intl.DateTimeFormat('en-US', { weekday: 'short', timeZone }).format(new Date(at)));
}

// What time it is, as far as a phone can know. The browser's own counter is gone after a reload and may stand still in sleep.
export function trustedTime(clock) {
  const flags = [];
  const last = clock.last_trusted_at;
  const byClock = clock.device_at - clock.skew;
  if (clock.mono === null) flags.push('reloaded');
  const known = clock.mono === null ? last : clock.server_at + clock.mono;
  if (byClock + CLOCK_BACK < Math.max(known, last)) flags.push('clock_back');
  else if (byClock > known + CLOCK_BACK && clock.mono !== null) flags.push('clock_ahead');
  return { trusted_at: Math.max(known, byClock, last), flags };
}

// The text of a record that is hashed and sent: its keys in their order, without blanks.
export function recordText(record) {
  const keys = record.v === 2 ? UNDO_KEYS : RECORD_KEYS;
  return JSON.stringify(Object.fromEntries(keys.map((key) => [key, record[key]])));
}

export async function recordHash(text) {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

// H applied so many times: the first eight bytes of SHA-256 over the voucher's id and the value before.
export async function chainValue(voucherId, value, times) {
  const block = new Uint8Array(16);
  new DataView(block.buffer).setBigUint64(0, BigInt(voucherId));
  block.set(value, 8);
  for (let done = 0; done < times; done += 1) {
    block.set(new Uint8Array(await crypto.subtle.digest('SHA-256', block)).subarray(0, 8), 8);
  }
  return block.slice(8);
}

// What is wrong with each record as the one after its predecessor: '' or gap or fork. A known fault does not spread.
export async function logFaults(texts, afterSeq, afterHash) {
  const faults = [];
  let seq = afterSeq;
  let hash = afterHash;
  for (const text of texts) {
    const record = JSON.parse(text);
    if (record.seq !== seq + 1) faults.push(record.seq <= seq ? 'fork' : 'gap');
    else faults.push(record.prev === hash ? '' : 'fork');
    seq = record.seq;
    hash = await recordHash(text);
  }
  return faults;
}

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function own(table, key) {
  return Object.prototype.hasOwnProperty.call(table, key) ? table[key] : undefined;
}

// The voucher's class as the server last said; a signed code is of the roaming class.
function classOf(state, scan) {
  const known = own(state.vouchers, scan.voucher);
  if (known) return known.class;
  return scan.form === 'S' ? 2 : null;
}

// What holds for this voucher: what the server said of it, or what the signed code and the offer say.
function termsOf(state, scan) {
  const known = own(state.vouchers, scan.voucher);
  if (known) return known;
  return { ...own(state.offers, scan.offer), code_seq: scan.code_seq, open: scan.pieces, expires_at: scan.expires_at };
}
