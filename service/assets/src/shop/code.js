// What a code says, and whether it is genuine as far as this phone can tell (redemption/tokens.py makes them).
import { chainValue } from '../offline-rules.js';
import { fromBase64url, utf8 } from './bytes.js';

const LETTERS = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const PACKED = /^[RP][2-9A-HJKMNP-Z]{31}$/;
const SIGNED = /^S[A-Z2-7]{135}$/;
const WINDOW = 240;
const HEAD_BYTES = 20;

export const tidy = (text) => text.replace(/\s/g, '').toUpperCase().split('/V/').pop().replace(/-/g, '');

function packed(code) {
  let number = 0n;
  for (const letter of code.slice(1)) number = number * 31n + BigInt(LETTERS.indexOf(letter));
  if (number >> 152n) return { form: 'malformed' };
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, number & (2n ** 64n - 1n));
  return {
    form: code[0], key: String(number >> 144n), voucher: String((number >> 80n) & (2n ** 64n - 1n)),
    code_seq: Number((number >> 64n) & 0xffffn), value,
  };
}

function signed(code) {
  const bytes = new Uint8Array(HEAD_BYTES + 64);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of code.slice(1)) {
    held = ((held << 5) | BASE32.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = held >> bits;
      at += 1;
    }
  }
  // Bits left over would be a second way to write the same code.
  if (at !== bytes.length || held & ((1 << bits) - 1)) return { form: 'malformed' };
  const view = new DataView(bytes.buffer);
  return {
    form: 'S', key: String(bytes[0]), voucher: String(view.getBigUint64(1)), code_seq: view.getUint16(9),
    offer: String(view.getUint32(11)), expires_at: view.getUint32(15) * 60_000, pieces: bytes[19], bytes,
  };
}

export function parse(text) {
  const code = tidy(text);
  if (PACKED.test(code)) return packed(code);
  if (SIGNED.test(code)) return signed(code);
  return { form: /^[2-9A-HJKMNP-Z]{9}$/.test(code) ? 'short' : 'malformed' };
}

// The minute whose value this is, if it is one of now and the two beside it; null otherwise.
async function stepOf(read, anchors, now) {
  const here = Math.floor(now / 60_000);
  for (const step of [here, here - 1, here + 1]) {
    const anchor = anchors?.values[Math.floor(step / WINDOW) - anchors.first_window];
    if (!anchor) continue;
    const reached = await chainValue(read.voucher, read.value, (step % WINDOW) + 1);
    const wanted = fromBase64url(anchor);
    if (reached.every((byte, place) => byte === wanted[place])) return step;
  }
  return null;
}

async function isSigned(read, snapshot) {
  const key = snapshot.issuer_keys.find((each) => String(each.number) === read.key);
  if (!key) return false;
  const head = read.bytes.subarray(0, HEAD_BYTES);
  const prefix = utf8(`linli voucher 1|${snapshot.community_id}|`);
  const text = new Uint8Array([...prefix, ...head]);
  try {
    const imported = await crypto.subtle.importKey('raw', fromBase64url(key.public_key), 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', imported, read.bytes.subarray(HEAD_BYTES), text);
  } catch {
    return false; // No Ed25519 in this browser: what cannot be checked is not genuine.
  }
}

// The scan as `judge` wants it, and the minute of its code.
export async function examine(read, snapshot, now, quantity) {
  const { value, bytes, ...scan } = read;
  const known = snapshot.vouchers.find((voucher) => voucher.id === read.voucher);
  const step = read.form === 'R' && known ? await stepOf(read, known.anchors, now) : null;
  return {
    step,
    scan: {
      ...scan, quantity,
      chain_ok: step !== null,
      signature_ok: read.form === 'S' && await isSigned(read, snapshot),
    },
  };
}
