// The pages of one's own vouchers, with the network: what they show is brought to this phone for when there is none.
import { heard, sync } from './wallet/store.js';

const over = [...document.querySelectorAll('[data-over]')].map((part) => part.dataset.over);
// One after the other: the last word is the newest.
let work = Promise.resolve();
const then = (next) => { work = work.then(next).catch(() => {}); };

if (window.indexedDB && window.crypto?.subtle) {
  if (over.length) then(() => heard(over));
  then(sync);
  document.addEventListener('htmx:after:swap', () => {
    const code = document.querySelector('#voucher-code');
    if (code?.dataset.over) then(() => heard([code.dataset.over]));
    then(sync);
  });
  const address = document.querySelector('[data-wallet-worker]')?.dataset.walletWorker;
  if (address) navigator.serviceWorker?.register(address, { scope: '/vouchers' }).catch(() => {});
}
