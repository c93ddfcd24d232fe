/* How the page's words, amounts and times are written, and said aloud: in the language of
   an element that has them in data-word-… attributes. The JSON API is asked in the same
   language, so that what it says and what the page says go together. */

/** Languages that a browser does not know are written like the page around. */
const PAGE = document.documentElement.lang;
const MINUTE = 60_000;
/** Digits, in groups of three if the writer likes that, and pennies. */
const WRITTEN = /^([1-9]\d{0,2}(?:[.,\s'’]\d{3})+|\d+)(?:[.,](\d{1,2}))?$/;
/** What may stand around them. */
const AROUND = /^[\s£€$]+|[\s£€$]+$/g;

export class Words {
  #element;
  #region;
  #speaking;
  #clock;

  constructor(element, region) {
    this.#element = element;
    this.#region = region;
    this.#clock = new Intl.DateTimeFormat([this.language, PAGE], {
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      // As in the API's own messages: two clocks on one page are one too many.
      timeZone: element.dataset.timeZone,
    });
  }

  get language() {
    return this.#element.lang;
  }

  word(name, values = {}) {
    return filled(this.#element.getAttribute(`data-word-${name}`), values);
  }

  /** Say it aloud, by a region that stays: only such a one is read out reliably. */
  speak(text, language = this.language) {
    // The same words again are news only after none.
    this.#region.textContent = "";
    this.#region.lang = language;
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => (this.#region.textContent = text), 50);
  }

  /** Write an amount of the API's ("1250.00"): £1,250.00, or 1.250,00 £. */
  money(amount, currency) {
    const format = { style: "currency", currency, currencyDisplay: "narrowSymbol" };
    return new Intl.NumberFormat([this.language, PAGE], format).format(amount);
  }

  /** Write a time of day: 14:32. */
  time(moment) {
    return this.#clock.format(moment);
  }

  /** Write the first whole minute after a wait from now, so that nobody comes back too early. */
  timeIn(seconds) {
    return this.time(Math.ceil((Date.now() + seconds * 1000) / MINUTE) * MINUTE);
  }
}

/** Write how long it lasts: 4:32. */
export function countdown(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Write values where `{name}` stands in the texts of a node. */
export function fill(node, values) {
  const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = filled(texts.currentNode.data, values);
}

/**
 * Write an amount as the API reads it, however somebody types it: "£12,50" is 12.50.
 * Three digits after a point or a comma are thousands; of letters, those of the currency
 * may stand around it. What is no amount stays as it is, for the API to refuse it in the
 * customer's language.
 */
export function plainAmount(text, currency) {
  let bare = text.replace(AROUND, "").toLowerCase();
  const letters = ["zł", currency.toLowerCase()].find((one) => bare.startsWith(one) || bare.endsWith(one));
  if (letters && bare.startsWith(letters)) bare = bare.slice(letters.length);
  if (letters && bare.endsWith(letters)) bare = bare.slice(0, -letters.length);
  const [, whole, pennies] = WRITTEN.exec(bare.replace(AROUND, "")) ?? [];
  return whole ? `${whole.replace(/\D/g, "")}.${pennies ?? "0"}` : text;
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}
