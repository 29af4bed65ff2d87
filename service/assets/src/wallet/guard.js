// Whose vouchers this browser keeps. The server's cookie names the session; when it is gone or another, what is kept is of
// somebody who has left, and goes. Runs on every page.
const NAME = 'linli-wallet';
const GONE = 'gone';

export const mark = () => document.cookie.match(/(?:^|; )linli_wallet=([^;]+)/)?.[1] ?? null;

function held() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

// Said before anything is written: what is written without it is never shown.
export const hold = (session) => localStorage.setItem(NAME, session);

// Whether anything is kept that this session may see; asked before the storage is opened, for opening would make it anew.
export const holds = () => Boolean(mark()) && mark() === held();

// Not shown from this moment on, and deleted as soon as no page has it open; the next page tries again.
export function wipe() {
  try {
    localStorage.setItem(NAME, GONE);
    const request = indexedDB.deleteDatabase(NAME);
    request.onsuccess = () => { if (held() === GONE) localStorage.removeItem(NAME); };
  } catch {
    // No storage: then nothing is kept either.
  }
}

if (held() && held() !== mark()) wipe();
document.addEventListener('submit', (event) => {
  if (event.target.getAttribute('action') === '/sign-out') wipe();
}, true);
