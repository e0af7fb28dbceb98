// A document of the service in memory: refreshed in the background, kept in an outage.

/** Milliseconds between two attempts while the service cannot be reached. */
export const RETRY = 10_000;

export class Document {
  #load;
  #fresh;
  #stale;
  #clock;
  #value = null;
  #loadedAt = -Infinity;
  #triedAt = -Infinity;
  #failedAt = -Infinity;
  #loading = null;

  /**
   * `load` makes the value, given the value of before or null; when it throws, that one is
   * kept. For `fresh` milliseconds the value is served as it is, from then to `stale` while
   * it is refreshed, and later callers wait for the refresh; in an outage they do not, once
   * an attempt has failed.
   */
  constructor(load, { fresh, stale, clock }) {
    this.#load = load;
    this.#fresh = fresh;
    this.#stale = stale;
    this.#clock = clock;
  }

  /** Returns the value; null when it never could be loaded. */
  async get() {
    const now = this.#clock();
    const age = now - this.#loadedAt;
    if (age < this.#fresh) return this.#value;
    const refreshed = this.refresh();
    const failedLately = now - this.#failedAt < this.#stale;
    if (age >= this.#stale && (this.#value === null || !failedLately)) await refreshed;
    return this.#value;
  }

  /** Loads the value now, unless that was tried less than `every` milliseconds ago. */
  refresh(every = RETRY) {
    if (this.#loading) return this.#loading;
    if (!this.#mayTry(every)) return Promise.resolve();
    this.#triedAt = this.#clock();
    this.#loading = this.#reload().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #reload() {
    try {
      this.#value = await this.#load(this.#value);
      this.#loadedAt = this.#clock();
    } catch (error) {
      this.#failedAt = this.#clock();
      console.warn(`latchkey: keeping what was fetched before: ${error.message}`);
    }
  }

  #mayTry(every) {
    return this.#clock() - this.#triedAt >= every;
  }
}
