/* The voucher field without reloads: sends its forms, reads the page anew and shows the
   field that it finds there. What is not as expected is left to the plain form. See
   docs/reference/javascript.md. */

import { request, watchHolds } from "./smartgift.js";

/** Seconds before its end at which a hold is spoken of. */
const LAST_CALL = 60;
// Milliseconds:
/** to wait after the end of somebody else's hold, and before looking again. */
const SLACK = 1_000;
/** after which a page that is looked at again is out of date. */
const STALE = 10_000;
/** after which waiting is spoken of. */
const LONG = 1_000;
/** The header in which what came of a form comes, and goes to the page that tells it. */
const NOTICE = "SmartGift-Notice";
/** Asks for a word or, reading, has none. Proxies drop a header that is empty. */
const NOTHING = "1";

const channel = new BroadcastChannel("smartgift");

class Field {
  #section;
  #live = document.createElement("p");
  #server;
  #busy = false;
  #reading = null;
  #readAt = performance.now();
  #outdated = false;
  #notice = NOTHING;
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
    channel.addEventListener("message", () => {
      this.#outdated = true;
      this.#look();
    });
    // The page left the server when its answer began, not when this script came.
    const [visit] = performance.getEntriesByType("navigation");
    this.#watch(visit?.responseStart);
  }

  /** Whether its forms come back to this page. */
  get #isHere() {
    const next = new URL(this.#section.querySelector("[name=next]")?.value ?? "", location.href);
    return ["origin", "pathname", "search"].every((part) => next[part] === location[part]);
  }

  // Sending

  #submit(event) {
    const form = event.target;
    // What leads to another page is told there, by the plain form.
    if (event.defaultPrevented || !form.elements.session || !this.#isHere) return;
    event.preventDefault();
    // A second click is no second wish.
    if (!this.#busy) this.#send(form);
  }

  async #send(form) {
    this.#setBusy(true);
    this.#reading?.abort();
    let sent = false;
    try {
      await request(form.getAttribute("action"), {
        method: "POST",
        headers: { [NOTICE]: NOTHING },
        body: new URLSearchParams(new FormData(form)),
        // The page is read separately, so that only reading is ever repeated.
        redirect: "manual",
        safe: false,
        read: (response) => {
          // Without the header where a proxy drops it. From the answer: done, no words.
          // From the form: done as a plain one, whose words wait for a plain reading.
          if (response.type === "opaqueredirect") this.#notice = null;
          else if (response.status === 204) this.#notice = response.headers.get(NOTICE) ?? NOTHING;
          else throw new Error("unexpected", { cause: response });
        },
      });
      sent = true;
      channel.postMessage("changed");
      const page = await this.#read();
      this.#setBusy(false);
      this.#show(page, form);
    } catch (error) {
      if (error.code === "network") {
        // What was sent may be done; it is seen as soon as there is a network again.
        this.#outdated = true;
        this.#setBusy(false);
        this.#complain(form);
      } else if (sent) location.reload();
      // As if this module were not there.
      else HTMLFormElement.prototype.submit.call(form);
    }
  }

  #setBusy(busy) {
    this.#busy = busy;
    this.#section.setAttribute("aria-busy", busy);
    // Not `disabled`, which would lose the focus.
    for (const button of this.#section.querySelectorAll("button")) button.setAttribute("aria-disabled", busy);
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
    if (document.hidden || this.#busy || this.#reading || !this.#isHere) return;
    if (!this.#outdated && performance.now() - this.#readAt < stale) return;
    this.#outdated = false;
    try {
      this.#show(await this.#read());
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
        headers: { Accept: "text/html", ...(this.#notice && { [NOTICE]: this.#notice }) },
        cache: "no-store",
        redirect: "manual",
        safe: true,
        signal: controller.signal,
        read: (response, text) => {
          const page = new DOMParser().parseFromString(text, "text/html");
          page.receivedAt = performance.now();
          // Asked once more, as without an answer: a reload would lose what is to be told.
          if (response.status > 499) throw Object.assign(new Error(), { code: "network" });
          if (!response.ok || !page.getElementById(this.#section.id)) throw new Error("unexpected", { cause: response });
          this.#notice = NOTHING;
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
    if (form || fresh.dataset.notice || server !== this.#server) this.#replace(fresh, form);
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
    // Told of a change while reading: this may have been the page before it.
    if (this.#outdated) this.#look();
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

  /** Ask once more after somebody else's hold; only an answer about a number undoes it. */
  #tryLater({ dataset, lastChild }, form) {
    if (!form.elements.voucher_no) return;
    clearTimeout(this.#later);
    // Kept nowhere else.
    const number = this.#number?.value;
    if (!dataset.retryAt || !number || number === this.#tried) return;
    lastChild.data += ` ${this.#word("again")}`;
    const tryNow = () => {
      if (this.#number?.value !== number) return;
      // Nobody looks, something else is being sent, or an amount is being typed.
      if (document.hidden || this.#busy || document.activeElement.name === "amount") {
        return (this.#later = setTimeout(tryNow, SLACK));
      }
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

  #word(name, value = "") {
    return (this.#section.getAttribute(`data-word-${name}`) ?? "").replace(/\{\w+\}/, () => value);
  }

  #watch(since) {
    this.#stopWatch();
    const timers = Array.from(this.#section.querySelectorAll("[data-held-until]"));
    let before = {};
    this.#stopWatch = watchHolds(
      {
        now: this.#section.dataset.now,
        redemptions: timers.map(({ dataset }, id) => ({ id, held_until: dataset.heldUntil })),
      },
      (left) => {
        const say = [];
        let over = false;
        timers.forEach((timer, id) => {
          const seconds = left[id];
          const passed = (mark) => before[id] > mark && seconds <= mark;
          const tell = (name) => say.push(this.#word(name, timer.dataset.voucher));
          const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
          timer.textContent = seconds ? this.#word("left", time) : "";
          timer.closest("li").toggleAttribute("data-soon", seconds <= LAST_CALL);
          if (passed(0)) over = tell("lapsed");
          else if (passed(LAST_CALL)) tell("minute");
        });
        before = left;
        if (say.length) this.#announce(say.join(" "));
        if (over) this.#look(0);
      },
      { since },
    );
  }
}

/** Return what the server wrote, without what is new in each answer or said only once. */
function bare(node) {
  const copy = node.cloneNode(true);
  const each = (selector, change) => copy.querySelectorAll(selector).forEach(change);
  for (const one of [copy, ...copy.querySelectorAll("details, [aria-describedby]")]) {
    for (const name of ["data-now", "data-notice", "open", "aria-describedby", "aria-invalid"]) one.removeAttribute(name);
  }
  each("[name=csrfmiddlewaretoken], [name=session]", (one) => one.removeAttribute("value"));
  each("[role=timer]", (one) => one.replaceChildren());
  each(".smartgift-vouchers__notice", (one) => one.remove());
  return copy.outerHTML.replace(/\s+/g, " ");
}

/** Run `replace`, and put back what was typed, opened and focused, where it still is. */
function keeping(root, replace) {
  const active = root.contains(document.activeElement) ? document.activeElement : null;
  const { selectionStart, selectionEnd } = active ?? {};
  const kept = Array.from(root.querySelectorAll("[id]:is(input:not([type=hidden]), select, textarea, details[open])"))
    .filter((one) => one.open || one.value !== one.defaultValue || one.checked !== one.defaultChecked)
    .map(({ id, value, checked, open }) => ({ id, value, checked, open }));
  replace();
  for (const one of kept) Object.assign(document.getElementById(one.id) ?? {}, one);
  if (!active || active.isConnected) return;
  const same = document.getElementById(active.id);
  same?.focus({ preventScroll: true });
  if (selectionStart != null) same?.setSelectionRange(selectionStart, selectionEnd);
}

for (const section of document.querySelectorAll("[data-smartgift-field]")) new Field(section);
