// One camera view (kit/camera.html): opens the rear camera, decodes in a worker, stops when the page hides.
const SIDE = 640;
const PHOTO_SIDE = 1600;

export function camera(view, onCode) {
  const video = view.querySelector('video');
  const cover = view.querySelector('[data-cover]');
  const torch = view.querySelector('[data-torch]');
  const worker = new Worker(view.dataset.worker);
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const waiting = new Map();
  let stream = null;
  let turn = 0;
  let paused = false;

  worker.onmessage = ({ data }) => {
    waiting.get(data.id)?.(data.text);
    waiting.delete(data.id);
  };

  function decode(source, wide, high, crop, limit, still) {
    const scale = Math.min(1, limit / Math.max(crop.width, crop.height));
    canvas.width = crop.width * scale;
    canvas.height = crop.height * scale;
    pen.drawImage(source, (wide - crop.width) / 2, (high - crop.height) / 2, crop.width, crop.height, 0, 0, canvas.width, canvas.height);
    const { width, height, data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    const id = ++turn;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      worker.postMessage({ id, width, height, pixels: data.buffer, still }, [data.buffer]);
    });
  }

  async function look() {
    const running = stream;
    while (stream === running && stream) {
      await new Promise((resolve) => { video.requestVideoFrameCallback?.(resolve) ?? setTimeout(resolve, 80); });
      if (paused || !video.videoWidth || stream !== running) continue;
      const side = Math.min(video.videoWidth, video.videoHeight);
      const text = await decode(video, video.videoWidth, video.videoHeight, { width: side, height: side }, SIDE, false);
      if (text && !paused && stream === running) onCode(text);
    }
  }

  function stop() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
  }

  async function start() {
    stop();
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } } });
      video.srcObject = stream;
      await video.play();
      cover.hidden = true;
      torch.hidden = !stream.getVideoTracks()[0].getCapabilities?.().torch;
      look();
    } catch {
      // Denied, missing, or a page without https: a sentence and the other two ways, never a blank box.
      stop();
      cover.hidden = false;
      cover.querySelectorAll('[data-closed]').forEach((part) => { part.hidden = false; });
      cover.querySelectorAll('[data-opening]').forEach((part) => { part.hidden = true; });
    }
  }

  async function photo(file) {
    const picture = await createImageBitmap(file);
    return decode(picture, picture.width, picture.height, picture, PHOTO_SIDE, true);
  }

  torch.addEventListener('click', () => {
    const on = torch.getAttribute('aria-pressed') !== 'true';
    torch.setAttribute('aria-pressed', String(on));
    stream?.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] }).catch(() => {});
  });
  cover.querySelector('[data-open]').addEventListener('click', start);
  view.querySelector('[data-photo]')?.addEventListener('change', async (event) => {
    const [file] = event.target.files;
    event.target.value = '';
    if (file) onCode(await photo(file).catch(() => null), true);
  });
  document.addEventListener('visibilitychange', () => (document.hidden ? stop() : start()));
  start();

  return { pause: (on) => { paused = on; } };
}
