"""How often the scanner's own decoder reads each kind of code off the frame of a cheap phone's camera.

    ./dev bench decode [--frames N] [--seed S] [--only LETTERS] [--second N] [--plain]

The codes are those of bench/codes.py, drawn as they are shown and printed. A frame: tilted by 0 to 35 degrees, turned by any
angle, on a grey ground, blurred by 0.9 to 1.5 pixels, noise of 12, contrast 0.55, a shade of 40 % across, JPEG of quality 60. Each
is read by the module that the scanner's worker uses (service/assets/src/reader.js), or with --plain by the npm package alone. One
line for each kind and each number of camera pixels per module of the untilted code: how many are read off one frame, whichever
of the reader's turns it falls on; how many within one second of so many frames, in which the phone is held as it is and only
light, blur, noise and place differ; and what a try costs.
"""

import argparse
import cmath
import io
import json
import math
import random
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageFilter

import redemption
from bench.codes import ORIGIN, kinds
from redemption.qr import QUIET_MODULES, ErrorCorrection

ASSETS = Path(__file__).resolve().parents[1] / "service" / "assets"
PIXELS_PER_MODULE = (4.0, 5.0, 6.0, 8.0)
LENS_DEGREES = 65
LENS_PIXELS = 1280 * 640 / 720
"""How wide the lens sees in the pixels that are decoded: service/assets/src/camera.js asks for 1280 by 720 and takes the middle
square at 640. A narrower picture would stand for a phone held nearer, whose tilt bends the code more."""
DECODER = """
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
const require = createRequire(process.argv[1] + '/package.json');
const decodeQR = (await import(pathToFileURL(require.resolve('qr/decode.js')))).default;
const { read } = await import(pathToFileURL(process.argv[1] + '/src/reader.js'));
const plain = process.argv[2] === 'plain';
let turn = 0;
for (const line of readFileSync(0, 'utf8').trim().split('\\n')) {
  const { file, width, height } = JSON.parse(line);
  let text = null;
  const began = performance.now();
  try {
    const picture = { width, height, data: new Uint8ClampedArray(readFileSync(file)) };
    text = plain ? decodeQR(picture) : read(picture, turn);
  } catch { /* none */ }
  turn += 1;
  console.log(JSON.stringify({ text, ms: performance.now() - began }));
}
"""


def drawn(text: str, ecc: ErrorCorrection, scale: int = 8) -> tuple[Image.Image, int]:
    """The code with its quiet zone on white, and how many modules wide it is with it."""
    matrix = redemption.qr_matrix(text, ecc=ecc)
    side = len(matrix) + 2 * QUIET_MODULES
    picture = Image.new("L", (side, side), 255)
    for y, row in enumerate(matrix, start=QUIET_MODULES):
        for x, dark in enumerate(row, start=QUIET_MODULES):
            if dark:
                picture.putpixel((x, y), 0)
    return picture.resize((side * scale, side * scale), Image.Resampling.NEAREST), side


def solved(rows: list[list[float]]) -> list[float]:
    """Gauss for eight unknowns."""
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for row in range(size):
            if row != column:
                factor = rows[row][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    return [row[-1] for row in rows]


def seen(size: float, lot: random.Random) -> list[tuple[float, float]]:
    """Where a square of so many pixels has its corners, tilted about any axis and turned, around zero."""
    tilt, axis, turn = math.radians(lot.uniform(0, 35)), lot.uniform(0, 2 * math.pi), lot.uniform(0, 2 * math.pi)
    distance = LENS_PIXELS / (2 * math.tan(math.radians(LENS_DEGREES / 2)))
    corners = []
    for left, top in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corner = complex(left, top) * size / 2 * cmath.rect(1, turn - axis)
        x, y, depth = corner.real, corner.imag * math.cos(tilt), corner.imag * math.sin(tilt)
        found = complex(x, y) * distance / (distance + depth) * cmath.rect(1, axis)
        corners.append((found.real, found.imag))
    return corners


def frame(code: Image.Image, size: float, held: int, lot: random.Random) -> Image.Image:
    """What a cheap phone's camera makes of it. `held` stands for how the phone is held."""
    width = math.ceil(size * 1.8)
    corners = [(x + width / 2 + lot.uniform(-5, 5), y + width / 2) for x, y in seen(size, random.Random(held))]
    side = code.width
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(corners, ((0, 0), (side, 0), (side, side), (0, side)), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    # Drawn three times as large and made small again: a camera's pixel gathers the light of its whole area.
    a, b, c, d, e, f, g, h = solved(rows)
    finer = (a / 3, b / 3, c, d / 3, e / 3, f, g / 3, h / 3)
    large = (width * 3, width * 3)
    flat = code.transform(large, Image.Transform.PERSPECTIVE, finer, Image.Resampling.BILINEAR)
    where = Image.new("L", code.size, 255).transform(large, Image.Transform.PERSPECTIVE, finer)
    ground = Image.new("L", large, lot.randrange(90, 200))
    picture = Image.composite(flat, ground, where).resize((width, width), Image.Resampling.BOX)
    picture = picture.filter(ImageFilter.GaussianBlur(lot.uniform(0.9, 1.5)))
    shade = Image.linear_gradient("L").resize((2 * width, 2 * width)).rotate(lot.uniform(0, 360))
    shade = shade.crop((width // 2, width // 2, width // 2 + width, width // 2 + width))
    shade = shade.point(lambda value: int(255 * (1 - 0.4 * min(1, max(0, (value - 64) / 128)))))
    picture = ImageChops.multiply(picture.point(lambda value: int(128 + 0.55 * (value - 128))), shade)
    picture = ImageChops.add(picture, Image.effect_noise((width, width), 12), scale=1, offset=-128)
    kept = io.BytesIO()
    picture.convert("RGB").save(kept, "JPEG", quality=60)
    return Image.open(kept).convert("RGBA")


def told(
    code: Image.Image, size: float, frames: int, second: int, lot: random.Random, way: str
) -> list[dict[str, Any]]:
    """The answer to each frame; so many after each other are of one second."""
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder:
        asked, held = [], 0
        for number in range(frames * second):
            held = held if number % second else lot.getrandbits(32)
            made = frame(code, size, held, lot)
            file = Path(folder) / str(number)
            file.write_bytes(made.tobytes())
            asked.append(json.dumps({"file": str(file), "width": made.width, "height": made.height}))
        done = subprocess.run(
            [shutil.which("node") or "node", "--input-type=module", "-e", DECODER, str(ASSETS), way],
            input="\n".join(asked),
            capture_output=True,
            text=True,
            check=True,
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--frames", type=int, default=50, help="ways of holding the phone")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--only", default="RPCS", help="letters of the kinds")
    words.add_argument("--second", type=int, default=4, help="frames in a second")
    words.add_argument("--plain", action="store_true", help="the npm package alone")
    chosen = words.parse_args()
    lot = random.Random(chosen.seed)
    for name, code, ecc in kinds():
        if name.split()[1][0] not in chosen.only:
            continue
        text = redemption.code_url(ORIGIN, code)
        picture, modules = drawn(text, ecc)
        for pixels in PIXELS_PER_MODULE:
            way = "plain" if chosen.plain else "reader"
            answers = told(picture, pixels * modules, chosen.frames, chosen.second, lot, way)
            is_read = [each["text"] == text for each in answers]
            seconds = [any(is_read[at : at + chosen.second]) for at in range(0, len(is_read), chosen.second)]
            wrong = sum(each["text"] not in (text, None) for each in answers)
            taken = sorted(each["ms"] for each in answers)
            without_quiet = round(pixels * (modules - 2 * QUIET_MODULES))
            print(
                f"{name}: {pixels:g} pixels a module ({without_quiet} wide): "
                f"{100 * sum(is_read) / len(is_read):.0f} % of frames, "
                f"{100 * sum(seconds) / len(seconds):.0f} % of seconds, {wrong} wrong, "
                f"{taken[len(taken) // 2]:.0f} ms a try, one in twenty {taken[round(len(taken) * 0.95) - 1]:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
