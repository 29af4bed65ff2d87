// One's own vouchers without the network (vouchers/wallet_shell.html): a list, or one with its code of this minute.
import './enlarge.js';
import encodeQR from 'qr';
import { chainValue } from './offline-rules.js';
import { fromBase64url } from './shop/bytes.js';
import { say } from './shop/words.js';
import { stayAwake } from './wake.js';
import { mark, wipe } from './wallet/guard.js';
import { kept } from './wallet/store.js';

const LETTERS = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
const PACKED = 31;
const MINUTE = 60_000;
const WINDOW = 240;
const QUIET = 4;
const PROBE_MS = 5000;
const PATIENCE_MS = 3000;
const RELOAD_AFTER_MS = 30_000;
const SVG = 'http://www.w3.org/2000/svg';

const part = (name, root = document) => root.querySelector(`[data-${name}]`);
let timer = 0;
let drawing = 0;

// The code of this minute, as redemption/tokens.py makes it.
async function codeOf(voucher, wallet) {
  const step = Math.floor(wallet.now / MINUTE);
  const place = Math.floor(step / WINDOW) - wallet.first_window;
  const seed = voucher.seeds[place];
  if (!seed) return null;
  const value = await chainValue(voucher.id, fromBase64url(seed), WINDOW - 1 - (step % WINDOW));
  let number = (BigInt(voucher.keys[place]) << 80n) | (BigInt(voucher.id) << 16n) | BigInt(voucher.code_seq);
  number = (number << 64n) | new DataView(value.buffer).getBigUint64(0);
  let code = '';
  for (let at = 0; at < PACKED; at += 1) {
    code = LETTERS[Number(number % 31n)] + code;
    number /= 31n;
  }
  return `${wallet.origin}R${code}`;
}

function draw(text) {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', encoding: 'alphanumeric', border: QUIET });
  const picture = document.createElementNS(SVG, 'svg');
  const size = rows.length;
  const made = { class: 'qr', viewBox: `0 0 ${size} ${size}`, 'shape-rendering': 'crispEdges', role: 'img', 'aria-label': say('code_label') };
  Object.entries(made).forEach(([name, value]) => picture.setAttribute(name, value));
  const ground = document.createElementNS(SVG, 'path');
  ground.setAttribute('fill', '#fff');
  ground.setAttribute('d', `M0 0h${size}v${size}H0z`);
  const dark = document.createElementNS(SVG, 'path');
  dark.setAttribute('d', rows.flatMap((row, y) => row.map((on, x) => (on ? `M${x} ${y}h1v1h-1z` : ''))).join(''));
  picture.append(ground, dark);
  return picture;
}

function fill(root, voucher) {
  part('title', root).textContent = voucher.title;
  part('shops', root).textContent = [voucher.shops, ...voucher.places].filter(Boolean).join(' · ');
  part('expires', root).textContent = voucher.expires_said;
}

function list(wallet) {
  const rows = wallet.vouchers.filter((voucher) => wallet.now < voucher.expires_at).map((voucher) => {
    const row = part('row').content.cloneNode(true);
    fill(row, voucher);
    part('open', row).href = `/vouchers/${voucher.id}`;
    return row;
  });
  part('list').replaceChildren(...rows);
  if (!rows.length) nothing(say('none'));
}

function nothing(text) {
  const line = document.createElement('p');
  line.className = 'center';
  line.textContent = text;
  part('list').replaceChildren(line);
}

async function one(voucher, wallet) {
  const box = part('one');
  fill(box, voucher);
  const terms = voucher.needs_network ? [say('needs_network'), ...voucher.terms] : voucher.terms;
  part('terms', box).replaceChildren(...terms.map((text) => Object.assign(document.createElement('p'), { textContent: text })));
  const isOver = wallet.now >= voucher.expires_at;
  const code = isOver ? null : await codeOf(voucher, wallet);
  part('state', box).textContent = isOver ? say('expired') : code ? '' : say('over');
  part('qr', box).hidden = !code;
  part('qr', box).querySelector('svg')?.remove();
  if (code) part('qr', box).prepend(draw(code));
}

async function show() {
  clearTimeout(timer);
  const turn = drawing += 1;
  const wallet = await kept();
  if (turn !== drawing) return;
  const id = location.pathname.match(/^\/vouchers\/(\d+)$/)?.[1];
  const voucher = wallet.vouchers?.find((each) => each.id === id);
  part('back').hidden = !id;
  part('one').hidden = !voucher;
  part('list').hidden = Boolean(voucher);
  part('wipe').hidden = !wallet.vouchers;
  part('age').textContent = wallet.vouchers ? say('age', { time: wallet.said }) : '';
  if (!wallet.vouchers) {
    part('qr').querySelector('svg')?.remove();
    nothing(say(wallet.reason === 'over' ? 'over' : 'gone'));
    return;
  }
  if (voucher) await one(voucher, wallet);
  else list(wallet);
  timer = setTimeout(show, MINUTE - (wallet.now % MINUTE) + 50);
}

// The network is back: the real page again, but not over and over.
async function look() {
  const patience = new AbortController();
  const stop = setTimeout(() => patience.abort(), PATIENCE_MS);
  const answer = await fetch('/health/live', { cache: 'no-store', signal: patience.signal }).catch(() => null);
  clearTimeout(stop);
  if (answer?.status !== 200 || Date.now() - Number(sessionStorage.getItem('linli-reload')) < RELOAD_AFTER_MS) return;
  sessionStorage.setItem('linli-reload', Date.now());
  location.reload();
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-open], [data-back] a');
  if (!link) return;
  event.preventDefault();
  history.pushState(null, '', link.href);
  show();
});
window.addEventListener('popstate', show);
window.addEventListener('online', look);
// Another page of this phone has signed out, or heard that a voucher is used.
window.addEventListener('storage', show);
document.addEventListener('visibilitychange', () => { if (!document.hidden) show(); });
part('wipe').querySelector('button').addEventListener('click', () => {
  wipe();
  show().then(() => nothing(say('wiped')));
});
setInterval(() => { if (!document.hidden) look(); }, PROBE_MS);
stayAwake();
if (mark() === null) wipe();
show();
