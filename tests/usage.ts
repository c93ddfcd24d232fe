/* What a storefront in TypeScript writes. Compiling it checks smartgift.d.ts:

     npx -p typescript@5 tsc --noEmit --strict --target es2022 --module nodenext tests/usage.ts

   It is never run. */

import {
  SmartGift,
  SmartGiftError,
  newKey,
  request,
  retryDelay,
  watchHolds,
  type ErrorCode,
  type Session,
} from "../wagtail_smartgift/static/wagtail_smartgift/smartgift.js";

export async function pay(clientSecret: string, voucherNo: string): Promise<string> {
  const client = new SmartGift({
    baseUrl: new URL("https://www.example.org/smartgift/api/"),
    clientSecret,
    language: "cy",
    site: "www.example.org",
    timeout: 30_000,
    fetch: (url, options) => fetch(url, options),
  });
  const stop = new AbortController();
  const { items, count } = await client.vouchers({ type: "monetary", limit: 10 });
  const first = items[0] && (await client.voucher(items[0].id, { signal: stop.signal }));
  const balance: string | null = (await client.balance(voucherNo)).balance;
  const idempotencyKey = newKey();
  let session: Session = await client.session();
  try {
    session = await client.addVoucher(voucherNo, { amount: "20.00", idempotencyKey });
    session = await client.changeVoucher(voucherNo, { experiences: [2, 8] });
  } catch (error) {
    if (!(error instanceof SmartGiftError)) throw error;
    const code: ErrorCode = error.code;
    if (code === "voucher_held" && error.retryAfter !== null) return `${error.retryAfter} s`;
    const again: number | null = retryDelay(error, { safe: true, attempt: 0 });
    return error.fields.voucher_no ?? error.detail ?? String(again);
  }
  const end: () => void = watchHolds(session, (left) => left[session.redemptions[0]!.id], {
    signal: stop.signal,
  });
  end();
  session = await client.renewHold(session.redemptions[0]!.id, { idempotencyKey });
  await client.removeVoucher(session.redemptions[0]!.id);
  const length: number = await request("/page", {
    safe: true,
    read: (response, text) => (response.ok ? text.length : 0),
  });
  return `${session.amount_remaining} ${count} ${first?.title} ${balance} ${length}`;
}

// What must not compile.

// @ts-expect-error: the address is required.
new SmartGift({ clientSecret: "sgs_…" });

declare const client: SmartGift;
// @ts-expect-error: there are two kinds.
client.vouchers({ type: "money" });
// @ts-expect-error: a redemption is named by its id, which is text.
client.removeVoucher(1);
// @ts-expect-error: ids are text.
client.renewHold(1);
client.session().then((session) => {
  // @ts-expect-error: amounts are text; adding them as numbers loses pennies.
  const sum: number = session.amount_due;
  return sum;
});
