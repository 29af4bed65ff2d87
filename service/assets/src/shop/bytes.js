// Bytes as the agreement writes them: base64url without padding.
const text = new TextEncoder();

export const utf8 = (string) => text.encode(string);

export const toBase64url = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

export const fromBase64url = (string) => Uint8Array.from(atob(string.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));

export const toHex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

// A number for one scan: time first, so that a list of them is in order; the rest is random (RFC 9562, version 7).
export function uuid7(at) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setUint16(0, Math.floor(at / 2 ** 32) & 0xffff);
  new DataView(bytes.buffer).setUint32(2, at % 2 ** 32);
  bytes[6] = 0x70 | (bytes[6] & 15);
  bytes[8] = 0x80 | (bytes[8] & 63);
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
