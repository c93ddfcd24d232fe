/* A whole checkout on the JSON API, without a framework and without a build step.

   The shop's backend places the order and takes the payment; everything about vouchers
   goes through the plugin's own client, with the secret of this one payment. */

import { SmartGift, SmartGiftError, newKey, request, watchHolds } from "../wagtail_smartgift/smartgift.js";

const OFFLINE = "The shop could not be reached. Check your connection and try again; nothing is done twice.";
const UNEXPECTED = "Something went wrong that should not have. Please try again.";
/** Milliseconds between two looks at an order that is being confirmed. */
const PATIENCE = 2000;

const $ = (id) => document.getElementById(id);
const pounds = (amount) => `£${amount}`;
const root = $("headless");

let order;
let client;
let session;
let busy = false;
let stopWatch = () => {};
/** An addition whose answer was lost: the same number again is the same intent. */
let unsettled = null;

/** Fetch, and show what was asked: the call's name and answer, never what is in it. */
async function told(url, options) {
  const line = document.createElement("li");
  const path = new URL(url, location.href).pathname;
  line.textContent = `${options.method} ${path.replace(root.dataset.api, "…/")} `;
  $("calls").append(line);
  const answer = document.createElement("b");
  answer.textContent = "no answer";
  try {
    const response = await fetch(url, options);
    answer.textContent = response.status;
    return response;
  } finally {
    line.append(answer);
  }
}

/** Ask the shop's own backend. */
function shop(url, body) {
  return request(url, {
    fetch: told,
    method: body ? "POST" : "GET",
    safe: !body,
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": root.querySelector("[name=csrfmiddlewaretoken]").value,
    },
    body: body && JSON.stringify(body),
    read(response, text) {
      const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
      const answer = isJson ? JSON.parse(text) : {};
      if (response.ok && isJson) return answer;
      throw new SmartGiftError("unexpected", { status: response.status, detail: answer.detail });
    },
  });
}

function render() {
  stopWatch();
  const kept = {};
  $("held").replaceChildren(
    ...session.redemptions.map((one) => {
      const row = $("voucher").content.cloneNode(true);
      const part = (name) => row.querySelector(`[data-part=${name}]`);
      part("name").textContent = `Voucher ${one.display_code}`;
      part("pays").textContent = `pays ${pounds(one.amount)}.`;
      part("kept").textContent = one.status === "lapsed" ? "It is asked for again when you pay." : "";
      part("remove").textContent = `Remove voucher ${one.display_code}`;
      part("remove").addEventListener("click", () => alone(() => remove(one.id)));
      kept[one.id] = part("kept");
      return row;
    }),
  );
  stopWatch = watchHolds(session, (left) => {
    for (const [id, seconds] of Object.entries(left)) {
      const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      kept[id].textContent = seconds ? `Kept for you for ${time}.` : "It is asked for again when you pay.";
    }
  });
  $("covered").textContent = pounds(session.amount_covered);
  $("remaining").textContent = pounds(session.amount_remaining);
  const byCard = Number(session.amount_remaining) > 0;
  $("card").hidden = !byCard;
  $("pay").querySelector("button").textContent = byCard
    ? `Pay ${pounds(session.amount_remaining)} by card`
    : "Pay with your vouchers";
  // Nothing is left that another voucher could pay.
  $("add").hidden = Number(session.amount_covered) >= Number(session.amount_eligible);
}

function say(text, { bad = false } = {}) {
  $("message").hidden = !text;
  $("message").textContent = text;
  $("message").classList.toggle("messages__one--error", bad);
}

function explain(error) {
  if (!(error instanceof SmartGiftError)) throw error;
  const words = error.detail || (error.code === "network" ? OFFLINE : UNEXPECTED);
  const fields = Object.values(error.fields).join(" ");
  const wait = error.retryAfter ? ` Try again in ${Math.ceil(error.retryAfter / 60)} min.` : "";
  say((fields || words) + wait, { bad: true });
}

/** Do one thing at a time; a second click is no second wish. */
async function alone(act) {
  if (busy) return;
  busy = true;
  root.setAttribute("aria-busy", "true");
  say("");
  try {
    await act();
  } catch (error) {
    explain(error);
  } finally {
    busy = false;
    root.removeAttribute("aria-busy");
  }
}

async function add(number) {
  const idempotencyKey = unsettled?.number === number ? unsettled.key : newKey();
  unsettled = null;
  try {
    session = await client.addVoucher(number, { idempotencyKey });
  } catch (error) {
    $("number").setAttribute("aria-invalid", error.status === 422);
    $("number").focus();
    if (error.status === 0 || error.code === "in_progress") unsettled = { number, key: idempotencyKey };
    throw error;
  }
  $("number").setAttribute("aria-invalid", "false");
  $("add").reset();
  render();
  say("Your voucher was added.");
  ($("add").hidden ? $("pay").querySelector("button") : $("number")).focus();
}

async function remove(id) {
  await client.removeVoucher(id);
  session = await client.session();
  render();
  say("Your voucher was removed. Nothing was taken from it.");
  $("number").focus();
}

async function pay() {
  let state;
  try {
    state = await shop(order.pay_url, {
      card_amount: session.amount_remaining,
      card_number: $("card-number").value,
    });
  } catch (error) {
    // Whatever was refused may have changed what the vouchers pay.
    if (error.code !== "network") {
      session = await client.session();
      render();
    }
    throw error;
  }
  while (["paying", "confirming", "cancelling"].includes(state.status)) {
    say("We are confirming your vouchers. Please do not pay again.");
    await new Promise((resolve) => setTimeout(resolve, PATIENCE));
    state = await shop(order.url);
  }
  session = await client.session();
  render();
  if (state.status !== "paid") return say(`This order is: ${state.text.toLowerCase()}.`, { bad: true });
  say("");
  stopWatch();
  $("vouchers").hidden = $("pay").hidden = true;
  $("remaining-title").textContent = "Your card paid";
  $("done-reference").textContent = order.reference;
  $("done-link").href = state.page;
  $("done").hidden = false;
  $("done").focus();
}

$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  alone(() => add($("number").value));
});
$("pay").addEventListener("submit", (event) => {
  event.preventDefault();
  alone(pay);
});

$("without").hidden = true;
try {
  order = await shop(root.dataset.shop, {});
  client = new SmartGift({
    baseUrl: root.dataset.api,
    clientSecret: order.client_secret,
    language: document.documentElement.lang,
    fetch: told,
  });
  session = await client.session();
  for (const { name, total } of order.lines) {
    const line = document.createElement("div");
    line.append(document.createElement("dt"), document.createElement("dd"));
    line.firstChild.textContent = name;
    line.lastChild.textContent = pounds(total);
    $("lines").append(line);
  }
  render();
  root.hidden = false;
} catch (error) {
  $("failed").textContent = error.status === 404 ? "The shelves are empty: there is nothing to pay for." : OFFLINE;
  $("failed").hidden = false;
}
