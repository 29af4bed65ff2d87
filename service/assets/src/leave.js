// Signing out while this phone still has records to send: said once, with the way to send them; a second press signs out.
import { leave } from './shop/lock.js';
import { unsent } from './shop/log.js';

const warning = document.querySelector('[data-unsent-warning]');
const form = document.querySelector('form[action="/sign-out"]');
let warned = false;

form?.addEventListener('submit', async (event) => {
  if (warned) {
    leave();
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const waiting = await unsent().catch(() => 0);
  warned = true;
  if (!waiting) {
    form.requestSubmit();
    return;
  }
  warning.hidden = false;
  warning.querySelector('b').textContent = waiting;
  warning.focus();
});
