import { read } from './reader.js';

// A still photo may take its time; a camera frame must not, the next one is already waiting.
let turn = 0;

self.onmessage = ({ data: { id, width, height, pixels, still } }) => {
  let text = null;
  try {
    text = read({ width, height, data: new Uint8ClampedArray(pixels) }, turn, still);
  } catch {
    // Not a picture that can be read: the next one is.
  }
  turn += 1;
  self.postMessage({ id, text });
};
