// A long export with its progress in sight and a way to stop it. Without this script the link is an ordinary download.
const MARKS = { csv: '\n', beancount: '\n    seq: ', journal: '  ; seq ' };

const box = document.querySelector('[data-export-box]');
const bar = box.querySelector('progress');
const said = box.querySelector('[role=status]');
const stop = box.querySelector('[data-export-stop]');
let running = null;

function tell(text, values = {}) {
  said.textContent = Object.entries(values).reduce((line, [name, value]) => line.replace(`{${name}}`, value), text);
}

async function take(link) {
  const mark = MARKS[link.dataset.export];
  const reply = await fetch(link.href, { credentials: 'same-origin', signal: running.signal });
  if (!reply.ok) throw new Error(String(reply.status));
  const total = Number(reply.headers.get('x-linli-entries')) || 0;
  const reader = reply.body.getReader();
  const letters = new TextDecoder();
  const parts = [];
  let done = 0;
  let tail = '';
  bar.max = Math.max(total, 1);
  for (;;) {
    const { value, done: ended } = await reader.read();
    if (ended) break;
    parts.push(value);
    // A mark may lie across two pieces: what could be its beginning waits for the next one.
    const text = tail + letters.decode(value, { stream: true });
    done += text.split(mark).length - 1;
    tail = mark.length > 1 ? text.slice(-(mark.length - 1)) : '';
    bar.value = Math.min(done, total);
    tell(box.dataset.running, { done: bar.value.toLocaleString(), total: total.toLocaleString() });
  }
  const file = document.createElement('a');
  file.href = URL.createObjectURL(new Blob(parts));
  file.download = (reply.headers.get('content-disposition') || '').match(/filename="([^"]+)"/)?.[1] ?? '';
  file.click();
  setTimeout(() => URL.revokeObjectURL(file.href), 60000);
  bar.value = bar.max;
  tell(box.dataset.done);
}

document.querySelectorAll('[data-export]').forEach((link) => link.addEventListener('click', async (event) => {
  event.preventDefault();
  if (running) running.abort();
  const mine = new AbortController();
  running = mine;
  box.hidden = false;
  stop.hidden = false;
  bar.value = 0;
  tell(box.dataset.begun);
  try {
    await take(link);
  } catch (trouble) {
    if (running === mine) tell(mine.signal.aborted ? box.dataset.stopped : box.dataset.failed);
  }
  if (running === mine) {
    running = null;
    stop.hidden = true;
  }
}));

stop.addEventListener('click', () => running?.abort());
