// The counter's screen: htmx renews the code; here the screen stays on, and an old code is never left standing as if it were good.
// A poll that fails says nothing: what stands on the page stays, and the next one may succeed.
import 'htmx.org';
import { stayAwake } from './wake.js';

stayAwake();
const page = document.querySelector('[data-kiosk]');
const stale = document.querySelector('[data-stale]');
let timer = 0;
function fresh() {
  clearTimeout(timer);
  page.classList.remove('old');
  stale.hidden = true;
  timer = setTimeout(() => {
    page.classList.add('old');
    stale.hidden = false;
  }, Number(page.dataset.kiosk) * 1000);
}
document.addEventListener('htmx:after:swap', fresh);
fresh();
