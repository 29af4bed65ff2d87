// What a frame of the camera says. The decoder takes most codes as they are; a code whose corners it saw and could not read is looked
// at again, straightened, and once more smoothed and larger; by turns the whole frame is.
import decodeQR from 'qr/decode.js';
import { straightened } from './straighten.js';

const LARGER = 1.5;
const ROOM = 0.25; // around the corners, as a part of their span
const STILL = { effort: 8, timeLimit: 1500 };

// One try: the text, else the corners of what looked like a code.
function look(picture, options = {}) {
  let points = null;
  try {
    return { text: decodeQR(picture, { ...options, pointsOnDetect: (found) => { points = found; } }) };
  } catch {
    return { text: null, points };
  }
}

function lumaOf({ width, height, data }, { left, top, wide, high }) {
  const luma = new Uint8Array(wide * high);
  for (let y = 0; y < high; y += 1) {
    let from = ((top + y) * width + left) * 4;
    for (let x = 0; x < wide; x += 1, from += 4) luma[y * wide + x] = (data[from] + 2 * data[from + 1] + data[from + 2]) >> 2;
  }
  return { width: wide, height: high, luma };
}

// Each pixel with its neighbours, 1-2-1 both ways: noise goes, edges stay where they are.
function smooth({ width, height, luma }) {
  const across = new Uint8Array(luma.length);
  const both = new Uint8Array(luma.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      across[at] = (luma[x ? at - 1 : at] + 2 * luma[at] + luma[x < width - 1 ? at + 1 : at] + 2) >> 2;
    }
  }
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      both[at] = (across[y ? at - width : at] + 2 * across[at] + across[y < height - 1 ? at + width : at] + 2) >> 2;
    }
  }
  return { width, height, luma: both };
}

function larger({ width, height, luma }, times) {
  const wide = Math.round(width * times);
  const high = Math.round(height * times);
  const made = new Uint8Array(wide * high);
  for (let y = 0; y < high; y += 1) {
    const down = Math.min(height - 1.001, Math.max(0, (y + 0.5) / times - 0.5));
    const top = Math.floor(down);
    const fy = down - top;
    for (let x = 0; x < wide; x += 1) {
      const over = Math.min(width - 1.001, Math.max(0, (x + 0.5) / times - 0.5));
      const left = Math.floor(over);
      const fx = over - left;
      const at = top * width + left;
      made[y * wide + x] = (luma[at] * (1 - fx) + luma[at + 1] * fx) * (1 - fy)
        + (luma[at + width] * (1 - fx) + luma[at + width + 1] * fx) * fy + 0.5;
    }
  }
  return { width: wide, height: high, luma: made };
}

function shown({ width, height, luma }) {
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let at = 0; at < luma.length; at += 1) {
    data[at * 4] = luma[at];
    data[at * 4 + 1] = luma[at];
    data[at * 4 + 2] = luma[at];
  }
  return { width, height, data };
}

function straight(grey, points) {
  for (const picture of straightened(grey, points)) {
    const { text } = look(picture);
    if (text) return text;
  }
  return null;
}

// Of a picture in grey: as it is, else straightened.
function tried(grey) {
  const { text, points } = look(shown(grey));
  return text ?? (points ? straight(grey, points) : null);
}

// The part of the frame that the code lies in.
function around({ width, height }, { bounds, tl, tr, bl }) {
  const all = [tl, tr, bl, ...bounds].filter(({ x, y }) => x > -width && x < 2 * width && y > -height && y < 2 * height);
  const [xs, ys] = [all.map(({ x }) => x), all.map(({ y }) => y)];
  const room = ROOM * Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  const left = Math.max(0, Math.floor(Math.min(...xs) - room));
  const top = Math.max(0, Math.floor(Math.min(...ys) - room));
  const wide = Math.min(width, Math.ceil(Math.max(...xs) + room)) - left;
  const high = Math.min(height, Math.ceil(Math.max(...ys) + room)) - top;
  return { left, top, wide, high };
}

// Around the corners that were seen: straightened, else smoothed and larger.
function closer(frame, points) {
  const place = around(frame, points);
  const moved = ({ x, y, ...rest }) => ({ ...rest, x: x - place.left, y: y - place.top });
  const grey = lumaOf(frame, place);
  return straight(grey, { tl: moved(points.tl), tr: moved(points.tr), bl: moved(points.bl) }) ?? tried(larger(smooth(grey), LARGER));
}

// `turn` counts the frames: the whole frame is gone over in two of three, in two ways.
export function read(frame, turn, still = false) {
  const { text, points } = look(frame, still ? STILL : {});
  const found = text ?? (points ? closer(frame, points) : null);
  const way = still ? 2 : turn % 3;
  if (found || !way) return found;
  const calm = smooth(lumaOf(frame, { left: 0, top: 0, wide: frame.width, high: frame.height }));
  return tried(way === 1 ? calm : larger(calm, LARGER));
}
