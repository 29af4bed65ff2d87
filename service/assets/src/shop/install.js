// The page's worker, in the reader's language and size: another look is another worker, and takes the place of this one.
export function install(address) {
  if (address) navigator.serviceWorker?.register(address, { scope: '/shop' }).catch(() => {});
}
