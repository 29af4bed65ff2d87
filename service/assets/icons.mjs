// Draws the sign of src/icon.svg as PNG, for phones' home screens that take nothing else: a house and the hands of a clock.
import { deflateSync } from 'node:zlib';

const GREEN = [0x0e, 0x6b, 0x56];
const WHITE = [255, 255, 255];
const FINE = 4; // so many looks along each side of a pixel

// In the 64 units of the drawing. The green reaches the edges: the phone cuts its own corners.
const hand = (x, y, [ax, ay], [bx, by]) => {
  const along = Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)));
  return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)) <= 1.75;
};
const house = (x, y) => x >= 14 && x <= 50 && y <= 51 && y >= 16 + Math.abs(x - 32) * (15 / 18);
const clock = (x, y) => Math.abs(Math.hypot(x - 32, y - 37) - 9) <= 1.75 || hand(x, y, [32, 32], [32, 37]) || hand(x, y, [32, 37], [36, 40]);
const colour = (x, y) => (house(x, y) && !clock(x, y) ? WHITE : GREEN);

function crc32(bytes) {
  let rest = -1;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return (rest ^ -1) >>> 0;
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

export function icon(size) {
  const rows = Buffer.alloc(size * (size * 3 + 1));
  const scale = 64 / size;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const sum = [0, 0, 0];
      for (let part = 0; part < FINE * FINE; part += 1) {
        const seen = colour((x + ((part % FINE) + 0.5) / FINE) * scale, (y + (Math.floor(part / FINE) + 0.5) / FINE) * scale);
        seen.forEach((value, channel) => { sum[channel] += value; });
      }
      sum.forEach((value, channel) => { rows[y * (size * 3 + 1) + 1 + x * 3 + channel] = Math.round(value / FINE ** 2); });
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}
