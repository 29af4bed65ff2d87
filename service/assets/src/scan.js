// The shop's scanner (kit/scanner.html): a code is seen, one request goes out, one full-screen answer comes back.
import { camera } from './camera.js';
import { headers } from './token.js';
import { stayAwake } from './wake.js';

const root = document.querySelector('[data-scanner]');
const result = document.querySelector('[data-result]');
const part = (name) => document.querySelector(`[data-${name}]`);
const SAME_CODE_MS = 5000;
const ANSWER_MS = 4000;
const GREEN_MS = 2500;
// Frequency, seconds, times, and the pattern of the phone's motor. Either alone tells the states apart.
const FEEL = {
  ok: [880, 0.15, 1, [80]], used: [440, 0.2, 2, [80, 60, 80]], refused: [220, 0.35, 1, [300]],
  question: [550, 0.2, 3, [60, 40, 60]], offline: [660, 0.1, 1, [40]],
};

let last = { code: '', at: -SAME_CODE_MS };
let open = false;
let leave = 0;
let sound = null;
let undoable = null;
let again = null;

// randomUUID exists on https only; a trial on the local network has none.
const nonce = () => crypto.randomUUID?.() ?? '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, (digit) => (
  Number(digit) ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (Number(digit) / 4)))).toString(16));

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
}

function show(answer) {
  const state = FEEL[answer.state] ? answer.state : 'refused';
  clearTimeout(leave);
  open = true;
  eye.pause(true);
  part('msg').textContent = root.dataset.aim;
  result.className = `result ${state}`;
  part('title').textContent = answer.title ?? '';
  part('what').textContent = [answer.item, answer.value, answer.who].filter(Boolean).join(' ');
  part('detail').textContent = answer.detail ?? '';
  const way = part('answer');
  way.hidden = !answer.url;
  if (answer.url) {
    way.href = answer.url;
    way.textContent = answer.url_label || way.textContent;
  }
  part('again').hidden = !again;
  // Only the screen of the sale itself offers to undo it: on a red one the button would seem to mean what was refused.
  result.querySelector('[data-undo-last]').hidden = true;
  result.hidden = false;
  root.inert = true;
  [way, part('again'), part('next')].find((button) => !button.hidden).focus();
  feel(state);
  if (answer.today_count !== undefined) part('count').textContent = answer.today_count;
  if (answer.today_points !== undefined) part('points').textContent = answer.today_points;
  if (state === 'ok') leave = setTimeout(close, GREEN_MS);
}

async function post(url, body) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), ANSWER_MS);
  try {
    const reply = await fetch(url, {
      method: 'POST', credentials: 'same-origin', signal: patience.signal, body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', ...headers() },
    });
    const answer = await reply.json();
    // What the service says of itself while it cannot take a use: the use waits, with its number, for the next press.
    if (reply.status >= 500) throw Object.assign(new Error(String(reply.status)), { said: answer.title });
    // A refusal from outside the counter, for example an ended session, says its sentence in the title.
    return answer.state ? answer : { state: 'refused', title: root.dataset.failed, detail: answer.title };
  } finally {
    clearTimeout(timer);
  }
}

// One retry with the same nonce: if the first request did arrive, the server gives its answer again and nothing is used twice.
async function ask(url, body, done) {
  again = null;
  eye.pause(true);
  part('msg').textContent = root.dataset.asking;
  let said = null;
  const answer = await post(url, body).catch(() => post(url, body)).catch((trouble) => {
    said = trouble.said ?? null;
    return null;
  });
  if (!answer) again = () => ask(url, body, done);
  show(answer ?? { state: 'offline', title: said ? root.dataset.failed : root.dataset.offline, detail: said ?? root.dataset.offlineDetail });
  if (answer) done(answer);
}

function offerUndo(body, until) {
  const left = Date.parse(until) - Date.now();
  undoable = body;
  clearTimeout(offerUndo.timer);
  const shown = left > 0 && Boolean(root.dataset.undo);
  document.querySelectorAll('[data-undo-last]').forEach((button) => { button.hidden = !shown; });
  if (shown) offerUndo.timer = setTimeout(() => offerUndo(null, 0), left);
}

function redeem(code) {
  const body = { nonce: nonce(), code, scanned_at: new Date().toISOString() };
  return ask(root.dataset.action, body, (answer) => answer.undo_until && offerUndo(body, answer.undo_until));
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

const eye = camera(part('camera'), seen);
stayAwake();

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
  if (event.key.length !== 1 || event.key === ' ' || event.ctrlKey || event.metaKey || event.target.closest('input')) return;
  close();
  box.focus();
});
document.addEventListener('pointerdown', () => {
  const Sound = window.AudioContext ?? window.webkitAudioContext;
  if (Sound) (sound ??= new Sound()).resume();
});
part('next').addEventListener('click', close);
part('again').addEventListener('click', () => again?.());
result.addEventListener('click', (event) => { if (!event.target.closest('a, button')) close(); });
document.querySelectorAll('[data-undo-last]').forEach((button) => button.addEventListener('click', () => {
  if (undoable) ask(root.dataset.undo, { nonce: undoable.nonce, code: undoable.code }, () => offerUndo(null, 0));
}));
