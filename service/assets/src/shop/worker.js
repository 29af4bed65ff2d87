// Pages without a network: the shop's, and with another list the wallet's. The server writes self.LINLI before this text: the
// release, which addresses open which kept page, and the files.
// A release is kept whole or not at all; what a person sees with the network is never kept.
const { release, prefix, routes, files, patience } = self.LINLI;
const CACHE = prefix + release;
const SHELLS = [...new Set(routes.map(([, shell]) => shell))];
const GONE = [502, 503, 504];

// The page must be of the release whose files are kept: in the middle of an upgrade it may not be, and the next visit tries again.
async function page(url) {
  const reply = await fetch(url, { cache: 'no-store', credentials: 'same-origin' });
  if (!reply.ok || reply.headers.get('linli-release') !== release) throw new Error(`another release at ${url}`);
  return reply;
}

async function fill() {
  const found = await Promise.all(SHELLS.map(page));
  const cache = await caches.open(CACHE);
  try {
    await cache.addAll(files);
    await Promise.all(SHELLS.map((url, place) => cache.put(url, found[place])));
  } catch (problem) {
    await caches.delete(CACHE);
    throw problem;
  }
}

// A page that is still open may ask for a file of the release before: two are kept, the one before and this one.
async function tidy() {
  const ours = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== CACHE);
  await Promise.all(ours.slice(0, -1).map((name) => caches.delete(name)));
}

const later = () => new Promise((_, reject) => { setTimeout(() => reject(new Error('slow')), patience); });

async function opened(request, shell) {
  try {
    const reply = await Promise.race([fetch(request), later()]);
    if (!GONE.includes(reply.status)) return reply;
  } catch {
    // No network, or none to speak of.
  }
  return (await (await caches.open(CACHE)).match(shell)) ?? fetch(request);
}

// This release's, else the one before's, else the server's.
async function kept(request) {
  return (await (await caches.open(CACHE)).match(request)) ?? (await caches.match(request)) ?? fetch(request);
}

self.addEventListener('install', (event) => event.waitUntil(fill().then(() => self.skipWaiting())));
self.addEventListener('activate', (event) => event.waitUntil(tidy().then(() => self.clients.claim())));
self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return;
  const shell = event.request.mode === 'navigate' ? routes.find(([path]) => new RegExp(path).test(url.pathname))?.[1] : undefined;
  if (shell) event.respondWith(opened(event.request, shell));
  else if (url.pathname.startsWith('/static/') || SHELLS.includes(url.pathname)) event.respondWith(kept(event.request));
});
