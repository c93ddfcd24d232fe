/* A whole checkout on the JSON API, without a framework and without a build step.

   The shop's backend places the order and takes the payment; everything about vouchers
   goes through the plugin's own client, with the secret of this one payment. Neither
   that secret nor a voucher's number is kept anywhere but in a variable and in the field
   that it was typed into. */

import { SmartGift, SmartGiftError, newKey, watchHolds } from "../wagtail_smartgift/smartgift.js";
import { shop, told } from "./headless-calls.js";
import { Words, countdown, fill, plainAmount } from "./headless-words.js";

/** What the shop itself says; its own words are English. */
const OURS = {
  card_declined:
    "Your card was declined. Nothing was taken, neither from your card nor from a voucher. You can try another card.",
  empty: "The shelves are empty: there is nothing to pay for.",
  unexpected: "Something went wrong that should not have. Please try again.",
};
/** Statuses of an order that change by themselves. */
const UNDER_WAY = ["paying", "confirming", "cancelling"];
/** Milliseconds between two looks at an order that is being confirmed. */
const PATIENCE = 2_000;
/** Milliseconds after which waiting is spoken of. */
const LONG = 1_000;
/** Milliseconds after which a payment that is looked at again is read anew. */
const STALE = 10_000;
/** Seconds before the end of a hold at which it is spoken of. */
const LAST_CALL = 60;
/** Milliseconds to wait after the end of somebody else's hold, and before looking again. */
const SLACK = 1_000;

const $ = (id) => document.getElementById(id);
const root = $("headless");
const message = $("message");
const words = new Words($("vouchers"), $("spoken"));
/** Tells this shop's other tabs that there is something new. */
const channel = new BroadcastChannel("mill-headless");

let order;
let client;
let session;
let readAt = 0;
let outdated = false;
let reading;
let busy = false;
let finished = false;
let stopWatch = () => {};
/** The id of what the message stands before: beside what it is about. */
let place = "add";
/** Redemption -> seconds that its hold had left when they were last counted. */
const counted = new Map();
/** An addition whose answer was lost: the same again is the same intent. */
let unsettled = null;
/** The timer of a promised second try, and the number that has had its own. */
let later;
let tried;

const money = (amount) => words.money(amount, session.currency);

// Saying

/** Say it to the eye, beside what it is about, and aloud. */
function say(text, { bad = false, language = words.language } = {}) {
  message.hidden = !text;
  message.textContent = text;
  message.lang = language;
  message.classList.toggle("messages__one--error", bad);
  ($(place) ?? $("add")).before(message);
  words.speak(text, language);
}

function explain({ code, detail, fields }, explanation = null) {
  if (explanation) return say(explanation, { bad: true });
  // What is being paid, or is, is nothing to try again.
  if (code in OURS && session.status === "open")
    return say(OURS[code], { bad: true, language: document.documentElement.lang });
  const wrong = Object.values(fields).join(" ");
  // What the API says names the time of day where it is about waiting.
  say(wrong || detail || words.word("offline"), { bad: true });
}

/** Lead the customer on, unless they have gone elsewhere on the page meanwhile. */
function lead(element) {
  const active = document.activeElement;
  if (!active || active === document.body || $("vouchers").contains(active)) element?.focus();
}

// Showing

function show(fresh) {
  session = fresh;
  readAt = performance.now();
  outdated = false;
  const focused = document.activeElement?.id;
  stopWatch();
  $("held").replaceChildren(...session.redemptions.map(row));
  stopWatch = watchHolds(session, count);
  // It may have stood in a row.
  ($(place) ?? $("add")).before(message);
  $(focused)?.focus({ preventScroll: true });
  $("covered").textContent = money(session.amount_covered);
  $("remaining").textContent = money(session.amount_remaining);
  const isOpen = session.status === "open";
  const byCard = Number(session.amount_remaining) > 0;
  $("card").hidden = !byCard;
  $("pay").hidden = !isOpen;
  $("pay").querySelector("button").textContent = byCard
    ? `Pay ${money(session.amount_remaining)} by card`
    : "Pay with your vouchers";
  // Nothing is left that another voucher could pay.
  $("add").hidden = !isOpen || Number(session.amount_covered) >= Number(session.amount_eligible);
}

function row(one) {
  const item = $("voucher").content.firstElementChild.cloneNode(true);
  const part = (name) => item.querySelector(`[data-part=${name}]`);
  const isOpen = session.status === "open";
  const isGone = ["refused", "reversed"].includes(one.status);
  const isUnknown = one.status === "holding";
  // What is on the voucher beyond what it pays; experiences are no money.
  const rest = one.type === "monetary" && one.balance !== null ? one.balance - one.amount : null;
  const isHeld = isOpen && one.status === "held" && one.held_until !== null;
  const isLapsed = isOpen && one.status === "lapsed";
  fill(item, {
    code: one.display_code,
    amount: money(one.amount),
    rest: rest === null ? "" : money(rest.toFixed(2)),
    until: isHeld ? words.time(Date.parse(one.held_until)) : "",
  });
  item.id = `voucher-${one.id}`;
  part("pays").hidden = isGone || isUnknown;
  part("gone").hidden = !isGone;
  part("unknown").hidden = !isUnknown;
  part("rest").hidden = isGone || isUnknown || rest === null;
  part("kept").hidden = !isHeld;
  part("lapsed").hidden = !isLapsed;
  part("keep").hidden = !isLapsed || !Number(one.amount);
  part("buttons").hidden = !isOpen || isGone;
  part("buttons").id = `buttons-${one.id}`;
  for (const [name, act] of Object.entries({ keep, remove })) {
    part(name).id = `${name}-${one.id}`;
    part(name).addEventListener("click", () => wish(() => act(one), `buttons-${one.id}`));
  }
  return item;
}

/** Count the holds down: for the eye each second, aloud twice. Nothing is renewed here. */
function count(left) {
  const news = [];
  let over = false;
  for (const [id, seconds] of Object.entries(left)) {
    const one = session.redemptions.find((each) => each.id === id);
    if (session.status !== "open" || one.status !== "held") continue;
    const item = $(`voucher-${id}`);
    const part = (name) => item.querySelector(`[data-part=${name}]`);
    part("timer").textContent = seconds ? words.word("left", { time: countdown(seconds) }) : "";
    part("kept").hidden = !seconds;
    part("lapsed").hidden = seconds > 0;
    // A voucher that is kept for a good while yet needs no button for it.
    part("keep").hidden = seconds > LAST_CALL || !Number(one.amount);
    item.toggleAttribute("data-soon", seconds <= LAST_CALL);
    const passed = (mark) => counted.get(id) > mark && seconds <= mark;
    if (passed(0)) over = Boolean(news.push(words.word("lapsed", { voucher: one.display_code })));
    else if (passed(LAST_CALL)) news.push(words.word("minute", { voucher: one.display_code }));
    counted.set(id, seconds);
  }
  if (news.length) {
    // Good news of before would contradict it.
    if (!message.classList.contains("messages__one--error")) message.hidden = true;
    words.speak(news.join(" "));
  }
  if (over) look(0);
}

// Reading

/** Read the payment again if it is seen and may have changed. Never while it is hidden. */
async function look(stale = STALE) {
  if (!client || finished || busy || reading || document.hidden) return;
  if (!outdated && performance.now() - readAt < stale) return;
  reading = new AbortController();
  try {
    show(await client.session({ signal: reading.signal }));
  } catch {
    // Nobody waits for it, or something else is being done now.
    return;
  } finally {
    reading = null;
  }
  // Another tab has paid, or is about to.
  if (session.status !== "open") alone(follow, "pay");
}

// Doing

/** Do one thing at a time; a second click is no second wish. */
async function alone(act, at) {
  if (busy) return;
  busy = true;
  place = at;
  reading?.abort();
  root.setAttribute("aria-busy", "true");
  say("");
  const waiting = setTimeout(() => words.speak(words.word("wait")), LONG);
  try {
    await act();
  } catch (error) {
    await refused(error);
  } finally {
    clearTimeout(waiting);
    busy = false;
    root.removeAttribute("aria-busy");
    // Another tab has changed something meanwhile, or nobody knows what came of it.
    if (outdated) look();
  }
}

/** Do it for the customer who asks, and let the other tabs know. */
async function wish(act, at) {
  await alone(act, at);
  channel.postMessage("changed");
}

/** Say why nothing came of it. What the vouchers pay may have changed all the same. */
async function refused(error, explanation = null) {
  if (!(error instanceof SmartGiftError)) throw error;
  // Where a proxy answers in the shop's place, the order may be paid.
  const isAnswer = error.code !== "unexpected";
  if (isAnswer) explain(error, explanation);
  outdated = true;
  if (error.code === "network") return;
  try {
    show(await client.session());
    if (session.status !== "open") return await follow();
  } catch {
    // The next look will tell; this one was not asked for.
  }
  if (!isAnswer) explain(error);
}

async function add() {
  const number = $("number").value;
  const typed = $("amount").value.trim();
  const intent = JSON.stringify([number, typed]);
  const fresh = { intent, idempotencyKey: newKey(), before: session.redemptions.length };
  const { idempotencyKey, before } = unsettled?.intent === intent ? unsettled : fresh;
  unsettled = null;
  // Only an answer about a number takes the promise of another try back.
  clearTimeout(later);
  mark();
  try {
    // A number that is in the payment already: only its amount changes.
    const amount = typed ? plainAmount(typed, session.currency) : undefined;
    show(await client.addVoucher(number, { amount, idempotencyKey }));
  } catch (error) {
    if (error.status === 0 || error.code === "in_progress") unsettled = { intent, idempotencyKey, before };
    mark(error);
    const again = error.code === "voucher_held" && tryLater(number, error.retryAfter);
    return refused(error, again && `${error.detail} ${words.word("again")}`);
  }
  $("add").reset();
  $("part").open = false;
  say(words.word(session.redemptions.length > before ? "added" : "changed"));
  lead($("add").hidden ? $("pay").querySelector("button") : $("number"));
}

/** Mark the field that a refusal is about, and lead there. */
function mark({ code, fields } = {}) {
  const isAmount = Boolean(fields?.amount);
  const isNumber = !isAmount && ["invalid", "voucher_not_usable", "voucher_held"].includes(code);
  for (const [input, wrong, help] of [
    [$("amount"), isAmount, "amount-help"],
    [$("number"), isNumber, "number-help"],
  ]) {
    input.setAttribute("aria-invalid", wrong);
    input.setAttribute("aria-describedby", wrong ? `${help} message` : help);
  }
  if (isAmount) $("part").open = true;
  if (code) lead($(isAmount ? "amount" : "number"));
}

/** Add a number once more when somebody else's hold is over, if it still stands there. */
function tryLater(number, seconds) {
  if (number === tried || seconds === null) return false;
  const tryNow = () => {
    if ($("number").value !== number || $("add").hidden) return;
    // Nobody looks, something else is being done, or half an amount stands there.
    const isTyping = document.activeElement === $("amount");
    if (document.hidden || busy || isTyping) return (later = setTimeout(tryNow, SLACK));
    tried = number;
    $("add").requestSubmit();
  };
  later = setTimeout(tryNow, seconds * 1000 + SLACK);
  return true;
}

/** Keep a voucher for longer: only ever because its customer asks for it. */
async function keep({ id, amount }) {
  try {
    show(await client.renewHold(id));
  } catch (error) {
    // Here more is known than what the API says of any voucher.
    const time = error.retryAfter && words.timeIn(error.retryAfter);
    const wasFaster = error.code === "voucher_held" && time;
    return refused(
      error,
      (wasFaster && words.word("faster", { time })) ||
        (error.code === "voucher_not_usable" && words.word("unusable")),
    );
  }
  const now = session.redemptions.find((one) => one.id === id);
  const fell = Number(now?.amount ?? 0) < Number(amount);
  say(words.word(fell ? "fell" : "renewed"), { bad: fell });
  // Its button is gone.
  lead($(`voucher-${id}`));
}

async function remove({ id }) {
  await client.removeVoucher(id);
  show(await client.session());
  say(words.word("removed"));
  lead($("number"));
}

async function pay() {
  const card = { card_amount: session.amount_remaining, card_number: $("card-number").value };
  await shop(order.pay_url, card);
  await follow();
}

/** Wait until an order has come to rest, and show how. */
async function follow() {
  let state;
  for (;;) {
    state = await shop(order.url);
    show(await client.session());
    if (!UNDER_WAY.includes(state.status)) break;
    if (session.status === "needs_attention") return say(words.word("attention"), { bad: true });
    // Its payment may be open yet.
    $("pay").hidden = true;
    say(words.word("confirming"));
    await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  }
  if (state.status !== "paid") {
    return say(`This order is: ${state.text.toLowerCase()}.`, { bad: true, language: document.documentElement.lang });
  }
  finished = true;
  stopWatch();
  // What stays on the vouchers is still shown.
  const havePaid = Number(session.amount_covered) > 0;
  place = "add";
  say(havePaid ? words.word("paid") : "");
  $("vouchers").hidden = !havePaid;
  $("pay").hidden = true;
  $("remaining-title").textContent = "Your card paid";
  $("done-reference").textContent = order.reference;
  $("done-link").href = state.page;
  $("done").hidden = false;
  $("done").focus();
}

// Beginning

for (const [form, act] of Object.entries({ add, pay })) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    wish(act, form);
  });
}
document.addEventListener("visibilitychange", () => look());
// Back from another page, as it was left.
window.addEventListener("pageshow", (event) => event.persisted && look(0));
window.addEventListener("online", () => look(0));
channel.addEventListener("message", () => {
  outdated = true;
  look();
});

$("without").hidden = true;
try {
  order = await shop(root.dataset.shop, {});
  client = new SmartGift({
    baseUrl: root.dataset.api,
    clientSecret: order.client_secret,
    // Not the browser's: what the API says shall be in the language of the words here.
    language: words.language,
    fetch: told,
  });
  show(await client.session());
  for (const { name, total } of order.lines) {
    const line = document.createElement("div");
    line.append(document.createElement("dt"), document.createElement("dd"));
    line.firstChild.textContent = name;
    line.lastChild.textContent = money(total);
    $("lines").append(line);
  }
  root.hidden = false;
  // The page was left while it was being paid.
  if (order.status !== "awaiting_payment" || session.status !== "open") alone(follow, "pay");
} catch (error) {
  const isEmpty = error.status === 404;
  $("failed").lang = isEmpty ? document.documentElement.lang : words.language;
  $("failed").textContent = isEmpty ? OURS.empty : words.word("offline");
  $("failed").hidden = false;
}
