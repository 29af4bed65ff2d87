// The pages on which a clerk uses a voucher without this phone's scanner, and those that answer (vouchers/guard.html): what waits on
// this phone is sent first, and what the server took is counted here as well.
import { remember } from './shop/clock.js';
import { parse } from './shop/code.js';
import { device } from './shop/device.js';
import { heard, mayAsk } from './shop/elsewhere.js';

const USES = /^\/shop\/(redeem|cards\/[^/]+|locks\/(\d+)\/use)$/;
const guard = document.querySelector('[data-guard]');
let sure = false;
let asking = false;

// Whether this phone is a device of the shop.
async function prepare() {
  if (!await device()) return false;
  await remember();
  const { answered, voucher, quantity } = guard.dataset;
  if (answered) await heard(voucher ? { voucher, quantity: Number(quantity) } : null);
  return true;
}

const ready = prepare().catch(() => false);

function where(form, button) {
  return new URL(button?.hasAttribute('formaction') ? button.formAction : form.action).pathname.match(USES);
}

document.querySelectorAll('form[method=post]').forEach((form) => form.addEventListener('submit', async (event) => {
  const use = where(form, event.submitter);
  if (sure || !use) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (asking) return;
  asking = true;
  const { code, voucher_id: chosen, quantity } = form.elements;
  const voucher = use[2] ?? chosen?.value ?? parse(code?.value ?? '').voucher ?? null;
  const may = !await ready || await mayAsk(voucher, Number(quantity?.value ?? 1)).catch(() => true);
  asking = false;
  guard.hidden = may;
  if (!may) {
    guard.focus();
    return;
  }
  sure = true;
  form.requestSubmit(event.submitter);
  sure = false;
}));
