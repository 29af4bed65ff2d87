// Who stands at the counter. Signed in with the network, the page says; without it, a clerk opens the scanner with a PIN.
import { forgive, isRight } from './pin.js';
import { all } from './store.js';
import { say } from './words.js';

const KEPT = 'linli-clerk';

// Resolves with the clerk's id, at once or when the PIN was right.
export async function clerkHere(signedIn, form) {
  if (signedIn) {
    sessionStorage.setItem(KEPT, signedIn);
    const hasPin = await forgive(signedIn).catch(() => false);
    return { clerk: signedIn, hasPin };
  }
  const held = sessionStorage.getItem(KEPT);
  if (held) return { clerk: held, hasPin: true };
  return { clerk: await asked(form), hasPin: true };
}

// Who opened this phone's scanner last, while the page's session lasts.
export const clerkNow = () => sessionStorage.getItem(KEPT);
export const leave = () => sessionStorage.removeItem(KEPT);

async function asked(form) {
  const rows = await all('pins').catch(() => []);
  const who = form.querySelector('select');
  const box = form.querySelector('input');
  const message = form.querySelector('[data-lock-message]');
  who.replaceChildren(...rows.map((row) => new Option(row.name, row.clerk)));
  who.closest('p').hidden = rows.length < 2;
  form.querySelectorAll('[data-lock-entry]').forEach((part) => { part.hidden = !rows.length; });
  message.textContent = rows.length ? '' : say('no_pin');
  form.hidden = false;
  if (rows.length) box.focus();
  return new Promise((resolve) => {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const pin = box.value;
      box.value = '';
      const button = form.querySelector('button');
      button.disabled = true;
      const { right, left } = await isRight(who.value, pin).catch(() => ({ right: false, left: 0 }));
      button.disabled = false;
      if (right) {
        form.hidden = true;
        sessionStorage.setItem(KEPT, who.value);
        resolve(who.value);
        return;
      }
      message.textContent = left > 0 ? say('pin_wrong', { left }) : say('pin_shut');
      box.focus();
    });
  });
}
