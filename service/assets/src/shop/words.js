// Sentences in the reader's language (vouchers/offline_words.html). The scanner's page comes without them, to be light; the
// page that the phone keeps has them.
const words = (page) => page.querySelector('[data-words]')?.content ?? null;

let found = words(document);

export async function learnWords(address) {
  if (found) return;
  const text = await (await fetch(address)).text();
  found = words(new DOMParser().parseFromString(text, 'text/html'));
  if (!found) throw new Error('no sentences');
}

export function say(name, values = {}) {
  const text = found?.querySelector(`[data-word="${name}"]`)?.textContent.trim() ?? '';
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '');
}
