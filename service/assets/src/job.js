// A repairer scans the resident's code: what is seen goes into the field that could be typed, and the form is sent once.
import { camera } from './camera.js';

const view = document.querySelector('[data-camera]');
const msg = document.querySelector('[data-msg]');
const form = document.querySelector('[data-typed]');

const eye = camera(view, (text) => {
  if (!text) {
    msg.textContent = msg.dataset.unreadable;
    return;
  }
  eye.pause(true);
  form.elements.code.value = text;
  form.requestSubmit();
});
