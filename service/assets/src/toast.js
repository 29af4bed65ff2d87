export const said = document.getElementById('said')?.dataset ?? {};
const shelf = document.getElementById('toasts');

// A message leaves after its time, but never while someone is on it.
export function expire(toast, seconds) {
  setTimeout(() => {
    if (toast.matches(':hover, :focus-within')) expire(toast, 5);
    else toast.remove();
  }, seconds * 1000);
}

export function say(text, seconds = 12) {
  if (!text || !shelf) return null;
  const toast = document.createElement('div');
  toast.className = 'toast';
  toast.append(Object.assign(document.createElement('span'), { textContent: text }));
  shelf.append(toast);
  if (seconds) expire(toast, seconds);
  return toast;
}
