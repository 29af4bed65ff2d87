import './wallet/guard.js';
import { expire, said, say } from './toast.js';

// One press, one act. The button works at once, a second press is dropped, and after eight seconds we say so and let go:
// trying again is harmless, because the form carries its own key.
const GIVE_UP_MS = 8000;
const busy = new Map();

function release(form) {
  const held = busy.get(form);
  if (!held) return;
  clearTimeout(held.timer);
  held.button?.removeAttribute('aria-busy');
  busy.delete(form);
}

document.addEventListener('submit', (event) => {
  // The scanner sends by itself and has its own answer to a missing network.
  if (event.target.matches('[data-typed]')) return;
  if (!navigator.onLine) say(said.offline);
  if (navigator.onLine && !busy.has(event.target)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

window.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.method !== 'post' || event.defaultPrevented) return;
  const button = event.submitter;
  button?.setAttribute('aria-busy', 'true');
  const timer = setTimeout(() => {
    release(form);
    say(said.slow, 0);
  }, GIVE_UP_MS);
  busy.set(form, { button, timer });
});
window.addEventListener('pageshow', () => [...busy.keys()].forEach(release));

let offline = null;
window.addEventListener('offline', () => { offline ??= say(said.offline, 0); });
window.addEventListener('online', () => {
  offline?.remove();
  offline = null;
  say(said.online, 4);
});

document.querySelectorAll('[data-toast]').forEach((toast) => expire(toast, Number(toast.dataset.toast)));
// Each line of the summary names the field it is about, in the field's own words.
document.querySelectorAll('.errors a[href^="#"]').forEach((link) => {
  const field = document.getElementById(link.hash.slice(1));
  const name = (field?.closest('fieldset')?.querySelector('legend') ?? field?.labels?.[0])?.firstChild?.textContent.trim();
  if (name && !link.textContent.includes(name)) link.prepend(`${name} `);
});
document.querySelector('[data-focus]')?.focus();
document.querySelectorAll('[data-step], [data-print]').forEach((button) => { button.hidden = false; });
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-step], [data-print]');
  if (!button) return;
  if ('print' in button.dataset) window.print();
  else {
    const input = button.closest('[data-stepper]').querySelector('input');
    if (button.dataset.step > 0) input.stepUp();
    else input.stepDown();
    input.dispatchEvent(new Event('change', { bubbles: true }));
  }
});
