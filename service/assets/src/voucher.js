// A voucher in the hand: the screen stays on, and one tap makes the code as large as the phone. htmx asks for its state.
// A poll that fails says nothing: what stands on the page stays, and the next one may succeed.
import 'htmx.org';
import { stayAwake } from './wake.js';

stayAwake();
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-enlarge]');
  const large = document.querySelector('.full');
  if (large) {
    large.classList.remove('full');
    document.querySelector('[data-enlarge]')?.focus();
  } else if (button) {
    document.querySelector('[data-full]')?.classList.add('full');
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') document.querySelector('.full')?.classList.remove('full');
});
document.querySelectorAll('[data-enlarge]').forEach((button) => { button.hidden = false; });
// Used while it is being shown: what only a voucher that can still be used offers goes with the code.
document.addEventListener('htmx:after:swap', () => {
  if (document.querySelector('#voucher-code[hx-get]')) return;
  document.querySelectorAll('[data-while-usable]').forEach((part) => { part.hidden = true; });
  document.querySelector('[data-ticket]').classList.add('spent');
});
