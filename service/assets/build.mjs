// Bundles every entry point of src/ into service/static with hashed names, and writes manifest.json: name -> file.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { icon } from './icons.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.env.LINLI_STATIC_OUT ?? join(here, '..', 'static'));
const entries = ['app.css', 'print.css', 'app.js', 'desk.js', 'scan.js', 'scan-worker.js', 'checkin.js', 'job.js', 'kiosk.js', 'export.js', 'voucher.js',
  'shop/worker.js', 'shop-device.js', 'shop-enrol.js', 'shop-today.js', 'shop-here.js', 'shop-use.js', 'leave.js', 'wallet.js', 'wallet-shell.js'];
const copied = ['icon.svg'];
const iconSizes = [180, 192, 512];

// Nothing is written before the build has succeeded: a broken source leaves the last good files in place.
const result = await build({
  absWorkingDir: here,
  entryPoints: entries.map((name) => `src/${name}`),
  outdir: out,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'iife',
  // Phones in the field run old web views; esbuild's named browser targets refuse destructuring, so ES2020 is named.
  target: ['es2020'],
  supported: { destructuring: true },
  legalComments: 'linked',
  metafile: true,
  write: false,
});

const manifest = {};
for (const [file, info] of Object.entries(result.metafile.outputs)) {
  if (info.entryPoint) manifest[info.entryPoint.replace(/^src\//, '')] = file.split('/').pop();
}
const files = result.outputFiles.map((file) => [file.path.split('/').pop(), file.contents]);
const whole = await Promise.all(copied.map(async (name) => [name, await readFile(join(here, 'src', name))]));
whole.push(...iconSizes.map((size) => [`icon-${size}.png`, icon(size)]));
for (const [name, body] of whole) {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 8);
  manifest[name] = name.replace('.', `-${hash}.`);
  files.push([manifest[name], body]);
}
if (process.env.LINLI_BUILD_TESTS) {
  files.push(['test/axe.js', await readFile(join(here, 'node_modules', 'axe-core', 'axe.min.js'))]);
  // The rules alone, under a name that a test can call.
  const rules = await build({
    absWorkingDir: here,
    entryPoints: ['src/offline-rules.js'],
    bundle: true,
    format: 'iife',
    globalName: 'offlineRules',
    target: ['es2020'],
    write: false,
  });
  files.push(['test/offline-rules.js', rules.outputFiles[0].contents]);
}

await rm(out, { recursive: true, force: true });
for (const [name, body] of files) {
  await mkdir(dirname(join(out, name)), { recursive: true });
  await writeFile(join(out, name), body);
}
const sorted = Object.fromEntries(Object.entries(manifest).sort());
await writeFile(join(out, 'manifest.json'), `${JSON.stringify(sorted, null, 1)}\n`);
