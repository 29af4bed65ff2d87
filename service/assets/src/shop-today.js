// What is still in this phone (vouchers/queue.html): the records not yet sent, what the server said against some, export, end of shift.
import encodeQR from 'qr';
import { device, giveBack, signature } from './shop/device.js';
import { remember, trusted } from './shop/clock.js';
import { install } from './shop/install.js';
import { takeBackHere } from './shop/counter.js';
import { clerkNow, leave } from './shop/lock.js';
import { all, asked, within } from './shop/store.js';
import { isRefused, keepSending, onChange, sync, unpark } from './shop/sync.js';
import { say } from './shop/words.js';

const root = document.querySelector('[data-queue]');
const part = (name) => root.querySelector(`[data-${name}]`);
const PIECE = 600;
const when = (at) => new Intl.DateTimeFormat(document.documentElement.lang, {
  timeZone: 'Asia/Shanghai', month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit' }).format(new Date(at));

function row(template, values) {
  const made = part(template).content.cloneNode(true);
  for (const [name, text] of Object.entries(values)) made.querySelector(`[data-${name}]`).textContent = text;
  return made;
}

// What the phone says of it stands where the state of the queue stands; the next change takes it away.
async function takenBack(item) {
  const answer = await takeBackHere(item.nonce, clerkNow());
  await draw();
  part('line').textContent = answer ? `${answer.title} ${answer.detail}` : say('undo_gone');
}

async function draw() {
  const [waiting, told] = await Promise.all([all('log'), all('told')]);
  const scans = waiting.filter((item) => !item.undoes);
  part('list').replaceChildren(...scans.map((item) => {
    const pieces = item.quantity > 1 ? ` × ${item.quantity}` : '';
    const made = row('row', {
      item: `${item.title}${pieces}`, when: `${when(item.trusted_at)} ${say('tail', { tail: item.tail })}`,
      state: say(item.parked || (item.undone ? 'row_undone' : 'waiting')), which: ` ${item.title} ${when(item.trusted_at)}` });
    const button = made.querySelector('[data-undo]');
    button.hidden = Boolean(item.undone) || !clerkNow();
    button.addEventListener('click', () => takenBack(item));
    return made;
  }));
  const counted = scans.filter((item) => !item.undone);
  const sum = part('sum');
  sum.hidden = !counted.length;
  sum.textContent = say('sum', { count: counted.length, points: counted.reduce((points, item) => points + (item.points ?? 0), 0) });
  part('told').replaceChildren(...told.map((item) => {
    const made = row('told-row', { title: say(item.verdict), item: `${item.item} ${when(item.at)} ${say('tail', { tail: item.tail })}`, text: item.text ?? '' });
    made.querySelector('button').addEventListener('click', async () => {
      await within(['told'], 'readwrite', (stores) => asked(stores.told.delete(item.nonce)));
      draw();
    });
    return made;
  }));
  part('line').textContent = isRefused() || (waiting.length ? say('still_here', { count: waiting.length }) : say('all_sent'));
  part('export').hidden = !waiting.length;
  const shift = part('shift');
  shift.classList.toggle('danger', waiting.length > 0);
  shift.classList.toggle('primary', waiting.length === 0);
  shift.textContent = say(waiting.length ? 'shift_wait' : 'shift_end');
  return waiting.length;
}

// A dead phone's queue as it would have been sent: the signature, and below it the bytes that were signed.
async function exported() {
  const own = await device();
  const records = (await all('log')).map((item) => item.text);
  const body = JSON.stringify({ device_id: own.id, community_id: own.community, sent_at: trusted().trusted_at, records });
  return `${await signature(own, body)}\n${body}`;
}

function square(text) {
  const modules = encodeQR(text, 'raw', { ecc: 'low' });
  const shape = modules.flatMap((line, y) => line.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', `0 0 ${modules.length} ${modules.length}`);
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', shape);
  svg.append(path);
  return svg;
}

part('export').addEventListener('click', async () => {
  const text = await exported();
  const pieces = text.match(new RegExp(`[^]{1,${PIECE}}`, 'g'));
  part('text').value = text;
  part('codes').replaceChildren(...pieces.map((piece, place) => {
    const name = `LINLI ${place + 1}/${pieces.length}`;
    const figure = document.createElement('figure');
    const line = document.createElement('figcaption');
    line.textContent = `${place + 1}/${pieces.length}`;
    const code = square(`${name}\n${piece}`);
    code.setAttribute('role', 'img');
    code.setAttribute('aria-label', line.textContent);
    figure.append(code, line);
    return figure;
  }));
  const file = part('file');
  file.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  part('exported').hidden = false;
});

part('send').addEventListener('click', () => unpark().then(() => sync()).then((went) => { if (!went) part('line').textContent = say('no_answer'); }));

part('shift').addEventListener('click', async () => {
  await unpark();
  await sync();
  if (await draw()) return;
  const { done } = await giveBack().catch(() => ({}));
  leave();
  part('line').textContent = say(done ? 'shift_over' : 'shift_over_kept');
});

async function serve() {
  install(root.dataset.worker);
  if (!await device().catch(() => null)) return;
  root.hidden = false;
  await remember();
  onChange(draw);
  await draw();
  await keepSending();
}

serve();
