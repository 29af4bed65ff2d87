// A voucher in the hand: the screen stays on. htmx asks for its state.
// A poll that fails says nothing: what stands on the page stays, and the next one may succeed.
import 'htmx.org';
import './enlarge.js';
import { stayAwake } from './wake.js';

stayAwake();
// Used while it is being shown: what only a voucher that can still be used offers goes with the code.
document.addEventListener('htmx:after:swap', () => {
  if (document.querySelector('#voucher-code[hx-get]')) return;
  document.querySelectorAll('[data-while-usable]').forEach((part) => { part.hidden = true; });
  document.querySelector('[data-ticket]').classList.add('spent');
});
