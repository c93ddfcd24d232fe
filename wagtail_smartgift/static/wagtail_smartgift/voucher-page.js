/* The purchase form of a voucher's page: what it comes to, and the voucher as it will
   read, while somebody fills the form in. The form works without this; nothing is sent
   or kept here. */

/** Milliseconds in which a second click on the button is the first one's twin. */
const TWIN = 5000;
/** Digits, in groups of three if the writer likes that, and pennies; as amounts.py. */
const WRITTEN = /^([1-9]\d{0,2}(?:[.,\s'’]\d{3})+|\d+)(?:[.,](\d{1,2}))?$/;
/** What may stand before and behind the digits, and letters that may. */
const AROUND = /^[\s£€$]+|[\s£€$]+$/g;
const LETTERS = ["zł"];

/** What the server writes for 1234.56, and the signs in it. */
const SAMPLE = /^(\D*)1(\D*)234(\D+)56(\D*)$/;

/** Return the pennies of an amount as the server writes it: `25.00`. */
const pennies = (text) => Math.round(Number(text) * 100);

/** Return the pennies of an amount as somebody types it; NaN for what is none. */
function read(text, currency) {
  let bare = text.replace(AROUND, "").toLowerCase();
  const letters = [...LETTERS, currency.toLowerCase()].find((one) => bare.startsWith(one) || bare.endsWith(one));
  if (letters && bare.startsWith(letters)) bare = bare.slice(letters.length);
  if (letters && bare.endsWith(letters)) bare = bare.slice(0, -letters.length);
  const [, whole, part = "0"] = bare.replace(AROUND, "").match(WRITTEN) ?? [];
  const digits = whole?.replace(/\D/g, "") ?? "";
  return /^\d{1,8}$/.test(digits) ? Number(digits) * 100 + Number(part.padEnd(2, "0")) : NaN;
}

class Purchase {
  #form;
  #signs;
  #sentAt = -TWIN;

  constructor(form) {
    this.#form = form;
    this.#signs = form.dataset.money.match(SAMPLE).slice(1);
    form.addEventListener("input", () => {
      // What stands there when the page opens is no news to be read out.
      for (const output of form.querySelectorAll("output")) output.removeAttribute("aria-live");
      this.#show();
    });
    form.addEventListener("submit", (event) => {
      if (event.timeStamp - this.#sentAt < TWIN) event.preventDefault();
      else this.#sentAt = event.timeStamp;
    });
    addEventListener("pageshow", (event) => {
      // Not before: on its way to the form's anchor a browser drops the focus.
      if (!event.persisted) form.querySelector(".smartgift-errors")?.focus();
      // Back from the basket, and the browser has put back what was chosen.
      this.#sentAt = -TWIN;
      this.#show();
    });
    this.#show();
  }

  #show() {
    const { dataset } = this.#form;
    for (const part of this.#form.querySelectorAll("[data-smartgift-reveal]")) {
      // Of its own question: a method of delivery may be called the same.
      const question = part.closest("fieldset");
      const chosen = question.querySelector(`[type=radio][value="${part.dataset.smartgiftReveal}"]`)?.checked ?? true;
      // What is hidden is not sent: nobody means it any more.
      for (const input of part.querySelectorAll("input")) input.disabled = !chosen;
    }
    const price = this.#price();
    const delivery = pennies(this.#form.querySelector("[data-price]:has(:checked)")?.dataset.price ?? 0);
    const word = delivery ? dataset.wordTotalWithDelivery : dataset.wordTotal;
    const words = { total: this.#money(price + delivery), delivery: this.#money(delivery) };
    const text = price ? word.replace(/\{(\w+)\}/g, (all, key) => words[key] ?? all) : "";
    const output = this.#form.querySelector("[data-smartgift-total]");
    if (output && output.textContent !== text) output.textContent = text;
    this.#print("amount", price ? this.#money(price) : "");
    for (const name of ["to", "message", "sender"]) {
      this.#print(name, this.#form.elements.namedItem(name)?.value.trim() ?? "");
    }
  }

  /** Return what is to be paid for the voucher, in pennies; NaN where it is not clear. */
  #price() {
    const { lowest, highest, step, unitPrice, onlyPrice, currency = "" } = this.#form.dataset;
    if (onlyPrice) return pennies(onlyPrice);
    const chosen = new FormData(this.#form);
    if (unitPrice) return pennies(unitPrice) * Number(chosen.get("persons"));
    const amount = read(chosen.get("amount_other")?.trim() || chosen.get("amount") || "", currency);
    const isSold = amount >= pennies(lowest) && amount <= pennies(highest);
    return isSold && (amount - pennies(lowest)) % pennies(step) === 0 ? amount : NaN;
  }

  #money(amount) {
    const [before, group, point, after] = this.#signs;
    const [whole, part] = (amount / 100).toFixed(2).split(".");
    return before + whole.replace(/\B(?=(\d{3})+$)/g, group) + point + part + after;
  }

  #print(name, text) {
    const part = this.#form.querySelector(`[data-smartgift-part="${name}"]`);
    if (!part) return;
    part.textContent = text;
    (part.closest("p") ?? part).hidden = !text;
  }
}

for (const form of document.querySelectorAll("[data-smartgift-purchase]")) new Purchase(form);
