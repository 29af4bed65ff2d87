// A volunteer scans the poster inside the page. Only an address of this very site is followed.
import { camera } from './camera.js';

const view = document.querySelector('[data-camera]');
const msg = document.querySelector('[data-msg]');

const eye = camera(view, (text) => {
  let url = null;
  try {
    url = new URL(text, location.origin);
  } catch {
    // Not an address at all.
  }
  if (text && url?.origin === location.origin) {
    eye.pause(true);
    location.assign(url.pathname + url.search);
  } else {
    msg.textContent = text ? msg.dataset.foreign : msg.dataset.unreadable;
  }
});
