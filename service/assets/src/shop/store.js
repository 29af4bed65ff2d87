// What the shop's phone keeps: one IndexedDB. Every change is one transaction of strict durability, and counts only when
// that transaction is complete. Nothing about members is kept here.
//   kept   device, snapshot, revoked, clock, head of the log: one row each. resting: the shift is over ('owed' until the server
//          has heard it). refused: what the server said when it took this phone's rights away. doubt: a use that the server
//          was asked for and whose answer is not here yet
//   log    records not yet answered by the server, by seq
//   told   verdicts that somebody has to read: conflicts, reviews
//   used   how much of a voucher this phone has taken that its snapshot does not know of
//   pins   the clerks' PINs, stretched
const NAME = 'linli-shop';
const STORES = { kept: 'name', log: 'seq', told: 'nonce', used: 'voucher', pins: 'clerk' };

let opening = null;

export function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(STORES)) request.result.createObjectStore(name, { keyPath });
    };
    request.onsuccess = () => {
      const base = request.result;
      // A newer page, or a browser that clears storage: let go, and open again when asked again.
      base.onversionchange = () => { base.close(); opening = null; };
      base.onclose = () => { opening = null; };
      resolve(base);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  }).catch((problem) => {
    opening = null;
    throw problem;
  });
  return opening;
}

// Work inside one transaction. `work` gets the stores by name; whatever it awaits must be a request of this transaction.
export async function within(names, mode, work) {
  const base = await open();
  const transaction = base.transaction(names, mode, { durability: 'strict' });
  const complete = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
  });
  complete.catch(() => {});
  let found;
  try {
    found = await work(Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)])));
  } catch (problem) {
    try {
      transaction.abort();
    } catch {
      // It ended by itself, for the reason that is thrown on.
    }
    throw problem;
  }
  await complete;
  return found;
}

export async function kept(name) {
  const row = await within(['kept'], 'readonly', (stores) => asked(stores.kept.get(name)));
  return row?.value ?? null;
}

export const keep = (name, value) => within(['kept'], 'readwrite', (stores) => asked(stores.kept.put({ name, value })));

export const all = (name) => within([name], 'readonly', (stores) => asked(stores[name].getAll()));
