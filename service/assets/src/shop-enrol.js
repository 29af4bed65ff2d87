// The page behind the code that staff show (vouchers/enrol.html): this browser becomes a device of the shop.
import { device, enrol, refresh } from './shop/device.js';
import { unsent } from './shop/log.js';
import { say } from './shop/words.js';

const form = document.querySelector('[data-enrol]');
const message = form.querySelector('[data-message]');
const done = document.querySelector('[data-enrolled]');

async function obstacle() {
  if (!window.isSecureContext || !crypto.subtle) return 'needs_https';
  try {
    await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
  } catch {
    return 'needs_newer';
  }
  try {
    await device();
    return (await unsent()) ? 'send_first' : '';
  } catch {
    return 'storage';
  }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = form.querySelector('button');
  button.setAttribute('aria-busy', 'true');
  const why = await obstacle();
  const answer = why ? {} : await enrol(form.dataset.enrol, form.elements.label.value.trim()).catch(() => ({ title: say('no_answer') }));
  button.removeAttribute('aria-busy');
  if (!answer.device_id) {
    message.textContent = why ? say(why) : answer.detail ?? answer.title ?? say('no_answer');
    return;
  }
  form.hidden = true;
  done.hidden = false;
  done.querySelector('[data-shop]').textContent = answer.shop.name;
  done.querySelector('h2').focus();
  refresh().catch(() => {});
});
