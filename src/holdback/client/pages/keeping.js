// What this browser keeps, in IndexedDB: its key, which can lie nowhere else, and whose session the cookie holds.

const DATABASE = "holdback";
const STORE = "kept";

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function store(mode, use) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await settled(opening);
  try {
    return await settled(use(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

export const recall = (name) => store("readonly", (kept) => kept.get(name));
export const keep = (name, value) => store("readwrite", (kept) => kept.put(value, name));
export const forget = (name) => store("readwrite", (kept) => kept.delete(name));

/** Keep a value under a name that is still free; what is kept there if it is not. */
export async function keepFirst(name, value) {
  try {
    await store("readwrite", (kept) => kept.add(value, name));
    return value;
  } catch (error) {
    // Another tab was first.
    if (error.name === "ConstraintError") return recall(name);
    throw error;
  }
}
