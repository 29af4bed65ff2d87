// A second look at a frame in which the decoder saw a code's three corners and could not read it: a tilted phone. The fourth corner
// is looked for where the code's own marks (timing tracks, alignment pattern) fit best, and the modules are laid out flat and clean.
const LEVEL = 9;
const QUIET = 4;
const PIXELS = 3;
const REACH = 0.16; // of the code's side: how far a tilt moves the fourth corner from where three say it is
const ROUNDS = [[6, 1], [2, 0.4], [2, 0.4]]; // steps to each side, and the length of a step as a part of the one before
const CHANCE = 0.4; // what a picture agrees with less than this is no code of this size

// The map of the square of modules onto four points, in the order left top, right top, right bottom, left bottom.
function mapOf(low, high, [a, b, c, d]) {
  const dx1 = b.x - c.x;
  const dx2 = d.x - c.x;
  const dy1 = b.y - c.y;
  const dy2 = d.y - c.y;
  const sx = a.x - b.x + c.x - d.x;
  const sy = a.y - b.y + c.y - d.y;
  const area = dx1 * dy2 - dx2 * dy1;
  const g = (sx * dy2 - dx2 * sy) / area;
  const h = (dx1 * sy - sx * dy1) / area;
  const [p, q, r] = [b.x - a.x + g * b.x, d.x - a.x + h * d.x, a.x];
  const [s, t, u] = [b.y - a.y + g * b.y, d.y - a.y + h * d.y, a.y];
  return { low, side: high - low, g, h, p, q, r, s, t, u };
}

// How light the picture is where a point of the square of modules lies.
function light({ width, height, luma }, { low, side, g, h, p, q, r, s, t, u }, x, y) {
  const v = (x - low) / side;
  const w = (y - low) / side;
  const k = g * v + h * w + 1;
  const across = (p * v + q * w + r) / k - 0.5;
  const down = (s * v + t * w + u) / k - 0.5;
  const left = Math.floor(across);
  const top = Math.floor(down);
  if (!(left >= 0 && top >= 0 && left < width - 1 && top < height - 1)) return 128;
  const fx = across - left;
  const fy = down - top;
  const at = top * width + left;
  return (luma[at] * (1 - fx) + luma[at + 1] * fx) * (1 - fy) + (luma[at + width] * (1 - fx) + luma[at + width + 1] * fx) * fy;
}

// What every code of this size has, as [x, y, 1 where it is light and -1 where it is dark].
function marksOf(size) {
  const marks = [];
  for (let i = 8; i < size - 8; i += 1) {
    const tone = i % 2 ? 1 : -1;
    marks.push([i + 0.5, 6.5, tone], [6.5, i + 0.5, tone]);
  }
  for (let y = -2; y <= 2; y += 1) {
    for (let x = -2; x <= 2; x += 1) marks.push([size - 6.5 + x, size - 6.5 + y, Math.max(Math.abs(x), Math.abs(y)) === 1 ? 1 : -1]);
  }
  return marks;
}

// How well the marks agree with what the picture has there: 1 for every one, 0 for chance.
function fit(picture, map, marks, found) {
  let sum = 0;
  for (let place = 0; place < marks.length; place += 1) {
    found[place] = light(picture, map, marks[place][0], marks[place][1]);
    sum += found[place];
  }
  const mean = sum / marks.length;
  let agree = 0;
  let spread = 0;
  for (let place = 0; place < marks.length; place += 1) {
    agree += (found[place] - mean) * marks[place][2];
    spread += Math.abs(found[place] - mean);
  }
  return spread ? agree / spread : 0;
}

function best(picture, { tl, tr, bl }, size) {
  const marks = marksOf(size);
  const room = new Float64Array(marks.length);
  const side = Math.hypot(tr.x - tl.x, tr.y - tl.y);
  let found = { score: -1, x: tr.x + bl.x - tl.x, y: tr.y + bl.y - tl.y, map: null };
  let step = (side * REACH) / ROUNDS[0][0];
  for (const [steps, part] of ROUNDS) {
    const { x: cx, y: cy } = found;
    step *= part;
    for (let j = -steps; j <= steps; j += 1) {
      for (let i = -steps; i <= steps; i += 1) {
        const corner = { x: cx + i * step, y: cy + j * step };
        const map = mapOf(3.5, size - 3.5, [tl, tr, corner, bl]);
        const score = fit(picture, map, marks, room);
        if (score > found.score) found = { score, ...corner, map };
      }
    }
  }
  return { ...found, size };
}

// The modules as a clean picture: each darker or lighter than those around it.
function flat(picture, { map, size }) {
  const seen = new Float64Array(size * size);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      let sum = 2 * light(picture, map, x + 0.5, y + 0.5);
      for (const [i, j] of [[0.3, 0.5], [0.7, 0.5], [0.5, 0.3], [0.5, 0.7]]) sum += light(picture, map, x + i, y + j);
      seen[y * size + x] = sum / 6;
    }
  }
  const wide = (size + 2 * QUIET) * PIXELS;
  const data = new Uint8ClampedArray(wide * wide * 4).fill(255);
  const reach = (LEVEL - 1) / 2;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      let low = 255;
      let high = 0;
      for (let j = Math.max(0, y - reach); j <= Math.min(size - 1, y + reach); j += 1) {
        for (let i = Math.max(0, x - reach); i <= Math.min(size - 1, x + reach); i += 1) {
          low = Math.min(low, seen[j * size + i]);
          high = Math.max(high, seen[j * size + i]);
        }
      }
      if (seen[y * size + x] > (low + high) / 2) continue;
      for (let j = 0; j < PIXELS; j += 1) {
        const row = ((y + QUIET) * PIXELS + j) * wide + (x + QUIET) * PIXELS;
        for (let i = 0; i < PIXELS; i += 1) data.fill(0, (row + i) * 4, (row + i) * 4 + 3);
      }
    }
  }
  return { width: wide, height: wide, data };
}

// Pictures worth another try, the likeliest first.
export function straightened(picture, points) {
  const { tl, tr, bl } = points;
  const pitch = (tl.moduleSize + tr.moduleSize + bl.moduleSize) / 3;
  const across = (Math.hypot(tr.x - tl.x, tr.y - tl.y) + Math.hypot(bl.x - tl.x, bl.y - tl.y)) / 2 / pitch + 7;
  const near = Math.round((across - 17) / 4) * 4 + 17;
  return [near, near - 4, near + 4, near + 8].filter((size) => size >= 25 && size <= 57)
    .map((size) => best(picture, points, size))
    .filter(({ score }) => score > CHANCE)
    .sort((one, other) => other.score - one.score)
    .slice(0, 2)
    .map((found) => flat(picture, found));
}
