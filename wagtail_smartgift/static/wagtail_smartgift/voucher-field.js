/* The voucher field without reloads. A form is sent as the browser would send it, then
   the page is read anew: the field of it takes the old one's place, and so does every
   [data-smartgift-refresh] of the shop's own. So there is one set of words and
   templates, and no secret in the page. What is not as expected is left to the plain
   form. See docs/reference/javascript.md. */

import { SmartGiftError, request, watchHolds } from "./smartgift.js";

/** Seconds before its end at which a hold is spoken of. */
const LAST_CALL = 60;
/** Milliseconds to wait after the end of somebody else's, and before looking again. */
const SLACK = 1_000;
/** Milliseconds after which a page that is looked at again is out of date. */
const STALE = 10_000;
/** Milliseconds after which waiting is spoken of. */
const LONG = 1_000;
/** The header in which what came of a form comes, and goes to the page that tells it. */
const NOTICE = "SmartGift-Notice";

const channel = "BroadcastChannel" in window ? new BroadcastChannel("smartgift") : null;

class Field {
  #section;
  #live = document.createElement("p");
  #server;
  #busy = false;
  #reading = null;
  #readAt = performance.now();
  #outdated = false;
  #notice = "";
  #waiting;
  #later;
  #tried;
  #stopWatch = () => {};

  constructor(section) {
    this.#section = section;
    // Outside of what is replaced: only a region that stays is read out reliably.
    this.#live.className = "smartgift-live";
    this.#live.setAttribute("role", "status");
    section.after(this.#live);
    this.#server = bare(section);
    // The stylesheet shows what is needed at the end of a hold at its end.
    section.dataset.live = "";
    section.addEventListener("submit", (event) => this.#submit(event));
    document.addEventListener("visibilitychange", () => this.#look());
    window.addEventListener("pageshow", (event) => event.persisted && this.#look(0));
    window.addEventListener("online", () => this.#look(0));
    channel?.addEventListener("message", () => {
      this.#outdated = true;
      this.#look();
    });
    // The page left the server when its answer began, not when this script came.
    const [visit] = performance.getEntriesByType("navigation");
    this.#watch(visit?.responseStart);
  }

  get #address() {
    return new URL(this.#section.querySelector("[name=next]")?.value ?? location.href, location.href);
  }

  // Sending

  #submit(event) {
    const form = event.target;
    // What leads to another page is told there, by the plain form.
    if (event.defaultPrevented || !form.elements.session || !isHere(this.#address)) return;
    event.preventDefault();
    // A second click is no second wish.
    if (!this.#busy) this.#send(form);
  }

  async #send(form) {
    this.#setBusy(true);
    this.#reading?.abort();
    try {
      await request(form.getAttribute("action"), {
        method: "POST",
        headers: { [NOTICE]: "" },
        body: new URLSearchParams(new FormData(form)),
        // The page is read separately, so that only reading is ever repeated.
        redirect: "manual",
        safe: false,
        read: (response) => {
          this.#notice = response.headers.get(NOTICE);
          if (!this.#notice) throw unexpected(response);
        },
      });
    } catch (error) {
      if (error.code !== "network") {
        // As if this module were not there.
        return HTMLFormElement.prototype.submit.call(form);
      }
      this.#setBusy(false);
      return this.#complain(form);
    }
    channel?.postMessage("changed");
    try {
      const page = await this.#read();
      this.#setBusy(false);
      this.#show(page, form);
      if (this.#outdated) this.#look();
    } catch (error) {
      this.#setBusy(false);
      if (error.code !== "network") return location.reload();
      // What was sent may be done; it is seen as soon as there is a network again.
      this.#outdated = true;
      this.#complain(form);
    }
  }

  #setBusy(busy) {
    this.#busy = busy;
    setFlag(this.#section, "aria-busy", busy);
    // Not `disabled`, which would lose the focus.
    for (const button of this.#section.querySelectorAll("button")) setFlag(button, "aria-disabled", busy);
    clearTimeout(this.#waiting);
    if (busy) this.#waiting = setTimeout(() => this.#announce(this.#word("wait")), LONG);
  }

  #complain(form) {
    const id = `${this.#section.id}-notice`;
    document.getElementById(id)?.remove();
    const notice = document.createElement("p");
    notice.id = id;
    notice.className = "smartgift-vouchers__notice smartgift-vouchers__notice--bad";
    notice.textContent = this.#word("offline");
    form.before(notice);
    this.#announce(notice.textContent);
  }

  // Reading

  /** Read the page again if it is seen and may have changed. */
  async #look(stale = STALE) {
    if (document.hidden || this.#busy || this.#reading || !isHere(this.#address)) return;
    if (!this.#outdated && performance.now() - this.#readAt < stale) return;
    this.#outdated = false;
    try {
      this.#show(await this.#read());
      // Told of a change while reading: this may have been the page before it.
      if (this.#outdated) this.#look();
    } catch (error) {
      // Nobody waits for it. But a payment that is over has another page.
      if (error.cause?.type === "opaqueredirect") location.reload();
    }
  }

  async #read() {
    const controller = (this.#reading = new AbortController());
    try {
      return await request(location.href, {
        // Other windows of this customer read too: each is told of its own forms alone.
        headers: { Accept: "text/html", [NOTICE]: this.#notice },
        cache: "no-store",
        redirect: "manual",
        safe: true,
        signal: controller.signal,
        read: (response, text) => {
          const page = new DOMParser().parseFromString(text, "text/html");
          page.receivedAt = performance.now();
          if (!response.ok || !page.getElementById(this.#section.id)) throw unexpected(response);
          this.#notice = "";
          return page;
        },
      });
    } finally {
      if (this.#reading === controller) this.#reading = null;
    }
  }

  // Showing

  #show(page, form = null) {
    this.#readAt = page.receivedAt;
    const fresh = page.getElementById(this.#section.id);
    const server = bare(fresh);
    if (form || server !== this.#server) this.#replace(fresh, form);
    this.#server = server;
    this.#section.dataset.now = fresh.dataset.now;
    for (const old of document.querySelectorAll("[data-smartgift-refresh][id]")) {
      const part = page.getElementById(old.id);
      if (part && bare(part) !== bare(old)) keeping(old, () => old.replaceWith(part));
    }
    this.#watch(page.receivedAt);
    const { status, amountCovered, amountRemaining } = this.#section.dataset;
    this.#section.dispatchEvent(
      new CustomEvent("smartgift:change", {
        bubbles: true,
        detail: { status, amountCovered, amountRemaining },
      }),
    );
  }

  #replace(fresh, form) {
    const good = form && fresh.dataset.notice === "good";
    const mayFocus = this.#section.contains(document.activeElement) || document.activeElement === document.body;
    // What was sent and done is not to be sent again; whatever else was typed stays.
    if (good) form.reset();
    const details = good ? form.closest("details") : null;
    if (details) details.open = false;
    // On from here: to the field to mend or to fill in again, or what opened the form.
    const next = (
      details?.querySelector("summary") ?? form?.querySelector("input:not([type=hidden])") ?? form?.closest("li")
    )?.id;
    keeping(this.#section, () => {
      for (const { name, value } of fresh.attributes) this.#section.setAttribute(name, value);
      this.#section.replaceChildren(...fresh.childNodes);
    });
    if (!form) return;
    const target = this.#section.querySelector("[aria-invalid]") ?? document.getElementById(next);
    const notice = this.#section.querySelector(".smartgift-vouchers__notice");
    if (notice) {
      // Beside what is to be mended, not a list of vouchers away from it.
      if (!good && target) (target.matches("li") ? target.firstElementChild : target.closest("form")).before(notice);
      this.#tryLater(notice, form);
      // Said once, by the region that stays.
      notice.removeAttribute("role");
      this.#announce(notice.textContent);
    }
    if (mayFocus) (target ?? this.#section).focus();
  }

  /** Ask once more when somebody else's hold is over; only an answer about a number takes that back. */
  #tryLater({ dataset, lastChild }, form) {
    if (!form.elements.voucher_no) return;
    clearTimeout(this.#later);
    // Kept nowhere else.
    const number = this.#number?.value;
    if (!dataset.retryAt || !number || number === this.#tried) return;
    lastChild.data += ` ${this.#word("again")}`;
    const tryNow = () => {
      if (this.#number?.value !== number) return;
      // Nobody looks, or something else is being sent.
      if (document.hidden || this.#busy) return (this.#later = setTimeout(tryNow, SLACK));
      this.#tried = number;
      this.#number.form.requestSubmit();
    };
    this.#later = setTimeout(tryNow, Date.parse(dataset.retryAt) - Date.parse(this.#section.dataset.now) + SLACK);
  }

  get #number() {
    return this.#section.querySelector("[name=voucher_no]");
  }

  #announce(text) {
    // The same words again are news only after none.
    this.#live.textContent = "";
    setTimeout(() => (this.#live.textContent = text), 50);
  }

  #word(name, values = {}) {
    const words = this.#section.getAttribute(`data-word-${name}`) ?? "";
    return words.replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);
  }

  #watch(since = performance.now()) {
    this.#stopWatch();
    const timers = new Map();
    for (const timer of this.#section.querySelectorAll("[data-held-until]")) {
      timers.set(String(timers.size), timer);
    }
    const before = {};
    this.#stopWatch = watchHolds(
      {
        now: this.#section.dataset.now,
        redemptions: [...timers].map(([id, timer]) => ({ id, held_until: timer.dataset.heldUntil })),
      },
      (left) => {
        const say = [];
        let over = false;
        for (const [id, seconds] of Object.entries(left)) {
          const { voucher } = timers.get(id).dataset;
          const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
          timers.get(id).textContent = seconds ? this.#word("left", { time }) : "";
          timers.get(id).closest("li").toggleAttribute("data-soon", seconds <= LAST_CALL);
          const passed = (mark) => before[id] > mark && seconds <= mark;
          if (passed(0)) over = Boolean(say.push(this.#word("lapsed", { voucher })));
          else if (passed(LAST_CALL)) say.push(this.#word("minute", { voucher }));
          before[id] = seconds;
        }
        if (say.length) this.#announce(say.join(" "));
        if (over) this.#look(0);
      },
      { since },
    );
  }
}

function setFlag(element, name, on) {
  if (on) element.setAttribute(name, "true");
  else element.removeAttribute(name);
}

/** Return what the server wrote, without what is new in each answer or said only once. */
function bare(node) {
  const copy = node.cloneNode(true);
  const each = (selector, change) => copy.querySelectorAll(selector).forEach(change);
  for (const name of ["data-now", "data-notice"]) copy.removeAttribute(name);
  each("[name=csrfmiddlewaretoken], [name=session]", (one) => one.removeAttribute("value"));
  each("[role=timer]", (one) => (one.textContent = ""));
  each(".smartgift-vouchers__notice", (one) => one.remove());
  each("details", (one) => (one.open = false));
  each("[aria-describedby]", (one) => {
    for (const name of ["aria-describedby", "aria-invalid"]) one.removeAttribute(name);
  });
  return copy.outerHTML.replace(/\s+/g, " ");
}

/** Run `replace`, and put back what was typed, opened and focused, where it still is. */
function keeping(root, replace) {
  const active = root.contains(document.activeElement) ? document.activeElement : null;
  const caret = active && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
  const controls = root.querySelectorAll("input[id]:not([type=hidden]), select[id], textarea[id]");
  const typed = Array.from(controls)
    .filter((one) => one.value !== one.defaultValue || one.checked !== one.defaultChecked)
    .map(({ id, value, checked }) => ({ id, value, checked }));
  const open = Array.from(root.querySelectorAll("details[id][open]"), (one) => one.id);
  replace();
  for (const { id, value, checked } of typed) {
    const control = document.getElementById(id);
    if (control) Object.assign(control, { value, checked });
  }
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  if (!active || document.contains(active)) return;
  const same = document.getElementById(active.id);
  same?.focus({ preventScroll: true });
  if (same && caret?.[0] != null) same.setSelectionRange(...caret);
}

function isHere(address) {
  return address.origin + address.pathname + address.search === location.origin + location.pathname + location.search;
}

function unexpected(response) {
  return new SmartGiftError("unexpected", { status: response.status, cause: response });
}

for (const section of document.querySelectorAll("[data-smartgift-field]")) new Field(section);
