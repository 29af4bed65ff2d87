import decodeQR from 'qr/decode.js';

// A still photo may take its time; a camera frame must not, the next one is already waiting.
self.onmessage = ({ data: { id, width, height, pixels, still } }) => {
  let text = null;
  try {
    text = decodeQR({ width, height, data: new Uint8ClampedArray(pixels) }, still ? { effort: 8, timeLimit: 1500 } : {});
  } catch {
    // No code in this picture: the usual case.
  }
  self.postMessage({ id, text });
};
