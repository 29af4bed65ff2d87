// What a counter keeps for two minutes while something is prepared: one press, and the next scan keeps its voucher instead of using it.
// With a network only. What is kept stands above the camera's line with its countdown and two buttons; nothing waits for it.
import { uuid7 } from './shop/bytes.js';

const STORED = 'linli-kept';

// `ask` puts a question to the service and shows the answer, `send` asks without a screen; `used` hears of a use.
export function keeping({ root, part, ask, send, show, say, used, barred }) {
  const { keep, keepAim, keepPieces } = root.dataset;
  const list = part('kept');
  const button = part('keep-next');
  let rows = JSON.parse(sessionStorage.getItem(STORED) ?? '[]');
  let timer = 0;

  function arm(on) {
    button.setAttribute('aria-pressed', String(on));
    say(on ? keepAim : root.dataset.aim);
  }

  function draw() {
    clearTimeout(timer);
    rows = rows.filter((row) => row.ends > Date.now());
    sessionStorage.setItem(STORED, JSON.stringify(rows));
    // A row stays the element it is, so that no button moves away under a finger.
    [...list.children].filter((line) => !rows.some((row) => row.token === line.id)).forEach((line) => line.remove());
    rows.forEach((row) => {
      const line = document.getElementById(row.token) ?? drawn(row);
      const left = Math.ceil((row.ends - Date.now()) / 1000);
      line.querySelector('time').textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
    });
    list.hidden = !rows.length;
    if (rows.length) timer = setTimeout(draw, 1000);
  }

  function drawn(row) {
    const line = part('kept-row').content.firstElementChild.cloneNode(true);
    line.id = row.token;
    line.querySelector('b').textContent = row.title;
    const [ready, free] = line.querySelectorAll('button');
    ready.onclick = () => (row.open > 1
      ? show({ state: 'question', title: keepPieces, item: row.title, pieces: row.open, take: (quantity) => use(row, quantity) })
      : use(row, 1));
    free.onclick = () => letGo(row, line);
    list.append(line);
    return line;
  }

  function drop(row) {
    rows = rows.filter((each) => each !== row);
    draw();
  }

  // The same number for the same pieces, however often it is pressed: one use.
  async function use(row, quantity) {
    row.nonces[quantity] ??= uuid7(Date.now());
    const why = await barred(row.voucher, quantity);
    if (why) {
      show(why);
      return;
    }
    ask(`${keep}/${row.voucher}/use`, { nonce: row.nonces[quantity], token: row.token, quantity }, (answer) => {
      used(row.nonces[quantity], answer);
      // A no without a code of the counter's: nothing is kept by this token any more.
      if (answer.state === 'ok' || !answer.code) drop(row);
    });
  }

  async function letGo(row, line) {
    line.inert = true;
    const gone = await send(`${keep}/${row.voucher}/release`, { token: row.token });
    line.inert = false;
    if (gone) drop(row);
  }

  button.addEventListener('click', () => arm(button.getAttribute('aria-pressed') !== 'true'));
  draw();

  return {
    // Whether this scan is to be kept. One press counts for one scan.
    isNext() {
      const armed = button.getAttribute('aria-pressed') === 'true';
      if (armed) arm(false);
      return armed;
    },
    take: (code, at) => ask(keep, { key: uuid7(at), code }, ({ token, voucher_id: voucher, title, open, seconds_left: left }) => {
      if (!token) return;
      rows.push({ token, voucher, title, open, ends: Date.now() + left * 1000, nonces: {} });
      draw();
    }),
    // It takes the network.
    offer(on) {
      button.hidden = !on;
      if (!on) arm(false);
    },
  };
}
