/* The storefront's calls of the JSON API: one error for all that goes wrong, retries
   where nothing can be done twice. Secret and voucher numbers go into no storage, no
   address and no log. What each part is for stands in smartgift.d.ts. */

/** Attempts after the first, for requests that may be repeated. */
const RETRIES = 2;
/** Milliseconds that a server may ask us to wait before we hand its wish on. */
const LONGEST_WAIT = 8_000;
/** Milliseconds for a whole call, retries included. Ours end within 40 seconds. */
const TIMEOUT = 60_000;
/** Answers that are kept for their ETag. */
const KEPT = 50;

export class SmartGiftError extends Error {
  constructor(code, { detail = "", status = 0, fields = {}, retryAfter = null, cause } = {}) {
    super(detail || code, { cause });
    Object.assign(this, { name: "SmartGiftError", code, status, detail, fields, retryAfter, idempotencyKey: null });
  }
}

export function newKey() {
  // Not randomUUID, which wants https.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function retryDelay(error, { safe, attempt, random = Math.random }) {
  // Our first request is still at work, and its answer is wanted. Asked for less and less
  // often, so that LONGEST_WAIT ends it, after the longest that such a request takes.
  const working = error.code === "in_progress";
  // Any other refusal (4xx) is an answer: asking again would not change it.
  if (!safe || (attempt >= RETRIES && !working)) return null;
  if (error.code === "network") return 500 * 4 ** attempt * (0.5 + random() / 2);
  if ((error.status !== 503 && !working) || error.retryAfter === null) return null;
  const wait = Math.max(error.retryAfter, working ? attempt : 0) * 1000;
  return wait <= LONGEST_WAIT ? wait : null;
}

export async function request(
  url,
  { read, safe, signal, fetch = globalThis.fetch.bind(globalThis), timeout = TIMEOUT, ...init },
) {
  const stop = new AbortController();
  const forward = () => stop.abort();
  signal?.addEventListener("abort", forward);
  const timer = setTimeout(forward, timeout);
  try {
    for (let attempt = 0; ; attempt += 1) {
      signal?.throwIfAborted();
      try {
        return await once(fetch, url, { ...init, signal: stop.signal }, read);
      } catch (error) {
        signal?.throwIfAborted();
        const delay = stop.signal.aborted ? null : retryDelay(error, { safe, attempt });
        if (delay === null) throw error;
        await pause(delay, stop.signal);
      }
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", forward);
  }
}

async function once(fetch, url, init, read) {
  let response, text;
  try {
    response = await fetch(url, init);
    // Half an answer is none.
    text = await response.text();
  } catch (cause) {
    throw new SmartGiftError("network", { cause });
  }
  return read(response, text);
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", resolve);
  });
}

function readAnswer(response, text) {
  if (response.status === 204 || response.status === 304) return { response, text };
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Not ours: told below.
  }
  if (response.ok && body && typeof body === "object") return { response, text, body };
  const problem = typeof body?.code === "string" ? body : {};
  throw new SmartGiftError(problem.code ?? "unexpected", {
    detail: problem.detail,
    status: response.status,
    fields: Object.fromEntries((problem.errors ?? []).map((one) => [one.field, one.message])),
    retryAfter: secondsIn(response.headers.get("Retry-After")),
  });
}

// A number of seconds or, from a proxy, a date.
function secondsIn(header) {
  if (!header) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : null;
}

export class SmartGift {
  #base;
  #secret;
  #site;
  #options;
  #language;
  #kept = new Map();

  constructor({ baseUrl, clientSecret, site, language, fetch, timeout }) {
    this.#base = new URL(String(baseUrl).replace(/\/*$/, "/"), globalThis.location?.href);
    this.#secret = clientSecret;
    this.#site = site;
    this.#language = language;
    this.#options = { fetch, timeout };
  }

  vouchers({ type, search, limit, offset, signal } = {}) {
    return this.#catalogue("vouchers", { type, search, limit, offset, site: this.#site }, signal);
  }

  voucher(id, { signal } = {}) {
    return this.#catalogue(`vouchers/${encodeURIComponent(id)}`, { site: this.#site }, signal);
  }

  async balance(voucherNo, { signal } = {}) {
    const body = { voucher_no: voucherNo, site: this.#site };
    return (await this.#call("POST", "balance", { body, signal })).body;
  }

  async session({ signal } = {}) {
    return this.#session(await this.#call("GET", "payment-session", { signal, secret: true }));
  }

  async addVoucher(voucherNo, { amount, experiences, ...options } = {}) {
    return this.#change("payment-session/redemptions", options, { voucher_no: voucherNo, amount, experiences });
  }

  changeVoucher(voucherNo, options) {
    return this.addVoucher(voucherNo, options);
  }

  async renewHold(id, options) {
    return this.#change(`payment-session/redemptions/${encodeURIComponent(id)}/renew`, options);
  }

  async removeVoucher(id, { signal } = {}) {
    const path = `payment-session/redemptions/${encodeURIComponent(id)}`;
    await this.#call("DELETE", path, { signal, secret: true });
  }

  async #change(path, { idempotencyKey, signal } = {}, body) {
    const key = idempotencyKey ?? newKey();
    return this.#session(await this.#call("POST", path, { body, key, signal, secret: true }));
  }

  async #catalogue(path, query, signal) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const address = given.length ? `${path}?${new URLSearchParams(given)}` : path;
    const kept = this.#kept.get(address);
    const headers = kept && { "If-None-Match": kept.etag };
    const { response, text, body } = await this.#call("GET", address, { headers, signal });
    if (response.status === 304) return JSON.parse(kept.text);
    // Another origin's ETag is only seen where it is exposed.
    const etag = response.headers.get("ETag");
    if (etag) {
      this.#kept.delete(address);
      this.#kept.set(address, { etag, text });
      if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    }
    return body;
  }

  async #call(method, path, { body, headers, key, signal, secret }) {
    try {
      return await request(new URL(path, this.#base), {
        ...this.#options,
        signal,
        method,
        // A number is never sent on to another place, nor kept by the browser.
        redirect: "error",
        cache: "no-store",
        credentials: "omit",
        headers: {
          Accept: "application/json",
          ...(this.#language && { "Accept-Language": this.#language }),
          ...(secret && { Authorization: `Bearer ${this.#secret}` }),
          ...(key && { "Idempotency-Key": key }),
          ...(body && { "Content-Type": "application/json" }),
          ...headers,
        },
        body: body && JSON.stringify(body),
        safe: method !== "POST" || Boolean(key),
        read: readAnswer,
      });
    } catch (error) {
      if (error instanceof SmartGiftError) error.idempotencyKey = key ?? null;
      throw error;
    }
  }

  #session({ body }) {
    received.set(body, performance.now());
    return body;
  }
}

/** SESSION -> when it came, on a clock that nobody can set. */
const received = new WeakMap();

export function watchHolds(session, onTick, { signal, since = received.get(session) ?? performance.now() } = {}) {
  const held = session.redemptions.filter((one) => one.held_until);
  let timer;
  const stop = () => clearTimeout(timer);
  const tick = () => {
    if (signal?.aborted) return;
    const now = Date.parse(session.now) + performance.now() - since;
    const left = held.map((one) => [one.id, Math.max(0, Date.parse(one.held_until) - now)]);
    const next = left.filter(([, ms]) => ms).map(([, ms]) => ms % 1000 || 1000);
    // Set before onTick, which may stop it; a little later, since timers can be early.
    if (next.length) timer = setTimeout(tick, Math.min(...next) + 5);
    onTick(Object.fromEntries(left.map(([id, ms]) => [id, Math.ceil(ms / 1000)])));
  };
  signal?.addEventListener("abort", stop, { once: true });
  if (held.length) tick();
  return stop;
}
