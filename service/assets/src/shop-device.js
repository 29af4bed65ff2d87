// This phone at the counter (vouchers/device.html): what it is, what it still has to send, and the clerk's PIN.
import { remember } from './shop/clock.js';
import { device } from './shop/device.js';
import { install } from './shop/install.js';
import { unsent } from './shop/log.js';
import { choose, DIGITS } from './shop/pin.js';
import { kept } from './shop/store.js';
import { say } from './shop/words.js';

const root = document.querySelector('[data-device]');
const form = document.querySelector('[data-pin]');
const show = (name, text) => { root.querySelector(`[data-is="${name}"]`).textContent = text; };
const when = (at) => new Intl.DateTimeFormat(document.documentElement.lang, {
  timeZone: 'Asia/Shanghai', month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit' }).format(new Date(at));

async function look() {
  const own = await device().catch(() => null);
  root.hidden = !own;
  form.hidden = !own;
  document.querySelector('[data-unknown]').hidden = Boolean(own);
  if (!own) return;
  await remember();
  const [snapshot, clock, waiting, lasting] = await Promise.all([
    kept('snapshot'), kept('clock'), unsent(), navigator.storage?.persisted?.() ?? false]);
  show('shop', own.shop.name);
  show('waiting', waiting);
  show('heard', clock?.server_at ? when(clock.server_at) : say('never'));
  show('lease', snapshot?.lease ? when(snapshot.lease.ends_at) : say('none'));
  show('lasting', say(lasting ? 'lasting' : 'evictable'));
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const message = form.querySelector('[data-message]');
  const { pin, again } = form.elements;
  if (!DIGITS.test(pin.value)) message.textContent = say('pin_six');
  else if (pin.value !== again.value) message.textContent = say('pin_differs');
  else {
    message.textContent = '';
    await choose(form.dataset.pin, form.dataset.name, pin.value).then(
      () => { message.textContent = say('pin_kept'); },
      () => { message.textContent = say('storage'); });
    form.reset();
  }
});

install(root.dataset.worker);
look();
