// The shop's scanner (vouchers/scanner.html): a code is seen, one request goes out, one full-screen answer comes back; without
// an answer a phone that is a device of the shop answers for itself.
import { camera } from './camera.js';
import { keeping } from './keep.js';
import { uuid7 } from './shop/bytes.js';
import { install } from './shop/install.js';
import { failed, isDown, onLine, worked } from './shop/line.js';
import { kept as stored } from './shop/store.js';
import { say } from './shop/words.js';
import { headers } from './token.js';
import { stayAwake } from './wake.js';

const root = document.querySelector('[data-scanner]');
const result = document.querySelector('[data-result]');
const part = (name) => document.querySelector(`[data-${name}]`);
const SAME_CODE_MS = 5000;
const ANSWER_MS = 4000;
const BUDGET_MS = 1500;
const RELOAD_AFTER_MS = 30_000;
const GREEN_MS = 2500;
const AGAIN_MS = 2000;
const RECOUNT_MS = 60_000;
const REVERSED = 'vouchers.use_reversed';
// Frequency, seconds, times, and the pattern of the phone's motor. Either alone tells the states apart.
const FEEL = {
  ok: [880, 0.15, 1, [80]], used: [440, 0.2, 2, [80, 60, 80]], refused: [220, 0.35, 1, [300]],
  question: [550, 0.2, 3, [60, 40, 60]], offline: [660, 0.1, 1, [40]], kept: [660, 0.15, 2, [80, 60]],
};

let last = { code: '', at: -SAME_CODE_MS };
let open = false;
let leave = 0;
let counted = performance.now();
let sound = null;
let undoable = null;
let pieces = null;
let again = null;
const anew = part('again').textContent;
const { keptTitle, keptDetail, compareTitle, compareKeep } = root.dataset;
const KEPT = { state: 'kept', heading: keptTitle, detail: keptDetail, leave: true };
const COMPARE = { state: 'question', title: compareTitle, compare: compareKeep };
let shop = null; // what a device of the shop can do by itself (shop-here.js)
let own = null;
let clerk = null;
let isReady = () => {};
// Nothing is asked before it is known whether this phone has something to say to it.
const ready = new Promise((done) => { isReady = done; });
const now = () => shop?.trusted().trusted_at ?? Date.now();

function feel(state) {
  const [pitch, seconds, times, pattern] = FEEL[state];
  if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(pattern);
  for (let n = 0; sound?.state === 'running' && n < times; n += 1) {
    const start = sound.currentTime + n * (seconds + 0.08);
    const voice = sound.createOscillator();
    const level = sound.createGain();
    voice.frequency.value = pitch;
    level.gain.value = 0.25;
    voice.connect(level).connect(sound.destination);
    voice.start(start);
    voice.stop(start + seconds);
  }
}

function close() {
  clearTimeout(leave);
  if (!open) return;
  open = false;
  result.hidden = true;
  root.inert = false;
  last.at = performance.now();
  eye.pause(false);
  if (last.at - counted > RECOUNT_MS) recount();
}

function show(answer) {
  const state = FEEL[answer.state] ? answer.state : 'refused';
  clearTimeout(leave);
  open = true;
  eye.pause(true);
  part('msg').textContent = root.dataset.aim;
  result.className = `result ${state}`;
  part('title').textContent = answer.heading ?? answer.title ?? '';
  part('what').textContent = [answer.item, answer.value, answer.who].filter(Boolean).join(' ');
  part('detail').textContent = answer.detail ?? '';
  if (performance.getEntriesByName('seen').length) performance.measure('verdict', 'seen');
  const way = part('answer');
  way.hidden = !answer.url || Boolean(answer.compare);
  if (answer.url) {
    way.href = answer.url;
    way.textContent = answer.url_label || way.textContent;
  }
  part('again').hidden = !again;
  part('again').textContent = answer.compare ?? anew;
  pieces = answer.pieces ? { most: answer.pieces, chosen: 1, take: answer.take } : null;
  part('pieces').hidden = !pieces;
  part('take').hidden = !pieces;
  part('take').disabled = false;
  countPieces(0);
  // Only the screen of the sale itself offers to undo it: on a red one the button would seem to mean what was refused.
  result.querySelector('[data-undo-last]').hidden = true;
  result.hidden = false;
  root.inert = true;
  [way, part('take'), part('again'), part('next')].find((button) => !button.hidden).focus();
  feel(state);
  if (state === 'ok' && answer.points !== undefined) tally(Number(part('count').textContent) + (answer.code === REVERSED ? -1 : 1), Number(part('points').dataset.points) + answer.points);
  if (state === 'ok' || answer.leave) leave = setTimeout(close, GREEN_MS);
}

// The day as this phone knows it: what the page said, and what was answered since. A page that the phone kept was told nothing.
function tally(uses, points) {
  if (Number.isNaN(uses)) return;
  part('count').textContent = uses;
  part('points').textContent = points.toLocaleString('en');
  part('points').dataset.points = points;
}

// What other phones of the shop took, and what this one has sent meanwhile. What was answered while it was asked is not in it.
async function recount() {
  if (root.dataset.shell || document.hidden) return;
  counted = performance.now();
  const before = part('count').textContent;
  const day = await fetch('/api/shop/today').then((reply) => reply.ok && reply.json()).catch(() => null);
  if (day && part('count').textContent === before) tally(day.count, day.points);
}

function countPieces(more) {
  if (!pieces) return;
  pieces.chosen = Math.min(pieces.most, Math.max(1, pieces.chosen + more));
  part('number').textContent = pieces.chosen;
  part('less').disabled = pieces.chosen === 1;
  part('more').disabled = pieces.chosen === pieces.most;
}

async function post(url, body, budget = ANSWER_MS) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), budget);
  try {
    const reply = await fetch(url, {
      method: 'POST', credentials: 'same-origin', signal: patience.signal, body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', ...(body.key && { 'Idempotency-Key': body.key }), ...headers() },
    });
    if (reply.status === 204) return { state: 'ok' };
    const answer = await reply.json();
    if (answer.token) return { ...answer, ...KEPT, item: answer.title };
    if (answer.code === 'vouchers.scan_compare' && !answer.state) return { ...COMPARE, detail: answer.title };
    // What the service says of itself while it cannot take a use: the use waits, with its number, for the next press.
    if (reply.status >= 500) throw Object.assign(new Error(String(reply.status)), { said: answer.title });
    // A refusal from outside the counter, for example an ended session, says its sentence in the title.
    return answer.state ? answer : { state: 'refused', title: root.dataset.failed, detail: answer.title };
  } finally {
    clearTimeout(timer);
  }
}

// One retry with the same nonce: if the first request did arrive, the server gives its answer again and nothing is used twice.
async function reach(url, body) {
  try {
    // A device of the shop does not wait: what the server did not say in time, the phone says, and the number stays the same.
    const answer = own ? await post(url, body, BUDGET_MS) : await post(url, body).catch(() => post(url, body));
    worked();
    return { answer };
  } catch (trouble) {
    failed();
    return { said: trouble.said ?? null };
  }
}

async function ask(url, body, done, instead) {
  again = null;
  eye.pause(true);
  part('msg').textContent = root.dataset.asking;
  const scans = shop && url === root.dataset.action;
  const alone = (own && instead && isDown()) || (scans && await shop.mustAnswer(body.code));
  const barred = scans && !alone ? await shop.barredFrom(body.code) : null;
  const { answer, said } = alone || barred ? {} : await reach(url, body);
  const shown = answer ?? barred ?? (own && instead ? await instead(body) : null)
    ?? { state: 'question', title: said ? root.dataset.failed : root.dataset.offline, detail: said ?? root.dataset.offlineDetail, repeat: true };
  if (shown.repeat) again = () => ask(url, body, done, instead);
  // The same scan again, the name compared.
  if (answer?.compare) again = () => ask(url, { ...body, compared: true }, done, instead);
  if (shown.pieces) shown.take = async (quantity) => here(await shop.takeHere(body, clerk, quantity), body);
  if (answer) {
    show(shown);
    done(answer);
  } else here(shown, body);
}

// No answer came from the service: this phone says what there is to say.
function here(shown, body) {
  if (shown.compare) {
    again = async () => {
      again = null;
      here(await shop.takeHere({ ...body, compared: true }, clerk, shown.quantity), body);
    };
  }
  show(shown);
  if (!shop) return;
  if (shown.undo_until) offerUndo({ ...body, isHere: true }, shown.undo_until);
  count();
  shop.sendSoon();
}

function offerUndo(body, until) {
  const left = new Date(until).getTime() - now();
  undoable = body;
  clearTimeout(offerUndo.timer);
  const shown = left > 0 && Boolean(root.dataset.undo);
  document.querySelectorAll('[data-undo-last]').forEach((button) => { button.hidden = !shown; });
  if (shown) offerUndo.timer = setTimeout(() => offerUndo(null, 0), left);
}

// What waits on this phone is taken back here; what the server has by now, there.
async function takeLastBack({ nonce, code, isHere }) {
  const answer = isHere ? await shop.takeBackHere(nonce, clerk) : null;
  if (!answer) {
    ask(root.dataset.undo, { nonce, code }, () => offerUndo(null, 0));
    return;
  }
  offerUndo(null, 0);
  again = null;
  here(answer, null);
}

async function redeem(code) {
  performance.clearMarks('seen');
  performance.mark('seen');
  await ready;
  const at = now();
  if (kept.isNext()) {
    // What this phone took of it is not sent yet: the server would keep what is used.
    if (await shop?.mustAnswer(code)) show({ state: 'refused', title: root.dataset.failed, detail: say('send_first') });
    else kept.take(code, at);
    return null;
  }
  const body = { nonce: uuid7(at), code, scanned_at: new Date(at).toISOString() };
  return ask(root.dataset.action, body, (answer) => {
    shop?.remembered(code, answer);
    if (answer.undo_until) offerUndo(body, answer.undo_until);
    // What this phone may still do, the next snapshot says.
    if (answer.code === 'vouchers.scan_device_refused') shop?.catchUp(true).catch(() => {});
  }, clerk && ((sent) => shop.takeHere(sent, clerk)));
}

function seen(code, deliberate = false) {
  if (!code) {
    part('msg').textContent = root.dataset.unreadable;
    return;
  }
  // A typed code leaves the camera's memory alone: the phone still held there must not be read anew because of it.
  if (deliberate) {
    redeem(code);
    return;
  }
  const same = code === last.code && performance.now() - last.at < SAME_CODE_MS;
  last = { code, at: performance.now() };
  if (!same && !open) redeem(code);
}

async function count() {
  const waiting = await shop.unsent().catch(() => 0);
  const line = part('unsent');
  line.hidden = !waiting;
  line.querySelector('b').textContent = waiting;
  if (shop.isRefused()) net(shop.isRefused());
}

function net(text) {
  part('net').hidden = !text;
  part('net').textContent = text;
}

// A phone that is a device of the shop: it goes on without the network, and brings what it took to the server.
function load(address) {
  return new Promise((done, failed) => {
    const script = Object.assign(document.createElement('script'), { src: address, onload: done, onerror: failed });
    document.head.append(script);
  });
}

const until = async (work) => {
  while (!(await work().then(() => true, () => false))) await new Promise((go) => { setTimeout(go, AGAIN_MS); });
};

async function serve() {
  if (await stored('device').catch(() => null)) {
    await until(() => load(root.dataset.here));
    shop = window.linliShop;
  }
  const mine = await shop?.prepare();
  isReady();
  if (!mine) {
    if (root.dataset.shell) net(say('not_enrolled'));
    return;
  }
  // A phone without its sentences can say nothing by itself: until it has them only the server answers.
  await until(() => shop.learnWords('/shop/shell/scan'));
  own = mine;
  root.dataset.own = '';
  // The banner below says it, and that the work goes on.
  document.getElementById('said').dataset.offline = '';
  if (root.dataset.shell) part('shop').textContent = own.shop.name;
  shop.onChange(count);
  shop.begin().then(shop.keepSending).catch(() => {});
  count();
  root.inert = !root.dataset.clerk;
  eye.pause(root.inert);
  const found = await shop.clerkHere(root.dataset.clerk, part('lock'));
  clerk = found.clerk;
  root.inert = open;
  eye.pause(open);
  part('choose-pin').hidden = found.hasPin;
}

// Opened from what the phone kept, with the network back and nobody at work: the real page again, but not over and over.
function back() {
  const last = Number(sessionStorage.getItem('linli-reload'));
  if (!root.dataset.shell || clerk || Date.now() - last < RELOAD_AFTER_MS) return;
  sessionStorage.setItem('linli-reload', Date.now());
  location.reload();
}

onLine((up) => {
  kept.offer(up);
  net(up ? '' : own ? shop.say('offline') : say('not_enrolled'));
  if (up && own) shop.sync().finally(back).finally(recount);
  else if (up) back();
});
document.addEventListener('visibilitychange', recount);
const eye = camera(part('camera'), seen);
const kept = keeping({
  root, part, ask, show,
  send: async (url, body) => (await reach(url, body)).answer?.state,
  say: (text) => { part('msg').textContent = text; },
  used(nonce, answer) {
    shop?.remembered(null, answer);
    if (answer.undo_until) offerUndo({ nonce }, answer.undo_until);
  },
  barred: async (voucher, quantity) => shop?.barredFromUse(voucher, quantity),
});
stayAwake();
install(root.dataset.worker);
serve();

const typed = part('typed');
const box = typed.querySelector('input[name=code]');
// The page itself says what is missing, in its own language.
typed.noValidate = true;
typed.addEventListener('submit', (event) => {
  event.preventDefault();
  const code = box.value.replace(/\s/g, '').toUpperCase();
  box.value = '';
  if (code) seen(code, true);
  else {
    part('msg').textContent = root.dataset.empty;
    box.focus();
  }
});
box.addEventListener('input', () => {
  // A hardware scanner types the whole address; only a short code is set in groups of four.
  if (/[:/]/.test(box.value) || box.selectionStart !== box.value.length) return;
  box.value = (box.value.toUpperCase().replace(/[^0-9A-Z]/g, '').match(/.{1,4}/g) ?? []).join(' ');
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') close();
  if (event.key.length !== 1 || event.key === ' ' || event.ctrlKey || event.metaKey || event.target.closest('input, select') || !part('lock').hidden) return;
  close();
  box.focus();
});
document.addEventListener('pointerdown', () => {
  const Sound = window.AudioContext ?? window.webkitAudioContext;
  if (Sound) (sound ??= new Sound()).resume();
});
part('next').addEventListener('click', close);
part('again').addEventListener('click', () => again?.());
result.addEventListener('click', (event) => { if (!event.target.closest('a, button, [data-pieces]')) close(); });
document.querySelectorAll('[data-undo-last]').forEach((button) => button.addEventListener('click', () => {
  if (undoable) takeLastBack(undoable);
}));
part('less').addEventListener('click', () => countPieces(-1));
part('more').addEventListener('click', () => countPieces(1));
part('take').addEventListener('click', () => {
  part('take').disabled = true;
  pieces?.take(pieces.chosen);
});
