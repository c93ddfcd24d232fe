/** Types of smartgift.js, for TypeScript and for editors. */

/** Two decimals: `"25.00"`. */
export type Money = string;
/** RFC 3339 in UTC: `"2026-03-01T14:32:00Z"`. */
export type Moment = string;

/** Codes of the API that a storefront can meet, and two of this module's own. */
export type ErrorCode =
  | "malformed"
  | "unauthenticated"
  | "session_expired"
  | "not_found"
  | "voucher_held"
  | "session_not_open"
  | "session_busy"
  | "session_cancelled"
  | "needs_attention"
  | "idempotency_conflict"
  | "in_progress"
  | "invalid"
  | "voucher_not_usable"
  | "throttled"
  | "busy"
  | "smartgift_unavailable"
  /** No answer: the network, a time-out, or a redirect, which is not followed. */
  | "network"
  /** An answer that is not the API's, such as a proxy's page. */
  | "unexpected"
  /** Others may come. */
  | (string & {});

export interface ErrorInit {
  detail?: string;
  status?: number;
  fields?: Record<string, string>;
  retryAfter?: number | null;
  cause?: unknown;
}

/** The one error of this module. */
export class SmartGiftError extends Error {
  constructor(code: ErrorCode, init?: ErrorInit);
  /** Says what happened; decide by this. */
  readonly code: ErrorCode;
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** For the customer, in their language; empty for `network` and `unexpected`. */
  readonly detail: string;
  /** What is wrong with which field. */
  readonly fields: Record<string, string>;
  /** Seconds after which asking again makes sense. */
  readonly retryAfter: number | null;
  /** Send the same intent again under this key; null where the call has none. */
  idempotencyKey: string | null;
}

export type VoucherType = "monetary" | "experience" | "unknown";

export interface Voucher {
  id: number;
  title: string;
  type: VoucherType;
  /** Sanitised by the server. */
  description_html: string;
  price: Money | null;
  min: Money | null;
  max: Money | null;
  increment: Money | null;
  persons_min: number | null;
  persons_max: number | null;
  available_count: number | null;
  available: boolean;
  image: string | null;
  url: string | null;
}

export interface VoucherList {
  count: number;
  items: Voucher[];
}

export interface Balance {
  type: VoucherType;
  balance: Money | null;
  experiences: { bit_value: number; name: string }[];
  held_until: Moment | null;
}

export interface Experience {
  bit_value: number;
  name: string;
  chosen: boolean;
}

export type RedemptionStatus =
  | "holding"
  | "held"
  | "lapsed"
  | "redeeming"
  | "redeemed"
  | "reversing"
  | "reversed"
  | "refused"
  | "needs_attention";

export interface Redemption {
  id: string;
  /** The last characters of the number. */
  display_code: string;
  type: VoucherType;
  status: RedemptionStatus;
  amount: Money;
  balance: Money | null;
  experiences: Experience[];
  held_until: Moment | null;
}

export type SessionStatus =
  | "open"
  | "confirming"
  | "confirmed"
  | "cancelling"
  | "refunding"
  | "cancelled"
  | "needs_attention";

export interface Session {
  reference: string;
  currency: string;
  amount_due: Money;
  amount_eligible: Money;
  amount_covered: Money;
  amount_remaining: Money;
  amount_redeemed: Money;
  amount_refunded: Money;
  status: SessionStatus;
  /** The server's clock when it answered. */
  now: Moment;
  redemptions: Redemption[];
}

export interface SmartGiftOptions {
  /** Where the API is, such as `/smartgift/api/`. */
  baseUrl: string | URL;
  /** Of one payment; not needed for the catalogue and for balances. */
  clientSecret?: string;
  /** Host name of the Wagtail site, where it is not the API's own. */
  site?: string;
  /** `Accept-Language`; the browser's own without it. */
  language?: string;
  /** Instead of the global one. */
  fetch?: typeof globalThis.fetch;
  /** Milliseconds for a whole call, retries included. */
  timeout?: number;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface VoucherQuery extends CallOptions {
  type?: VoucherType;
  search?: string;
  limit?: number;
  offset?: number;
}

export interface KeyedOptions extends CallOptions {
  /** That of an earlier attempt at the same; a new one without it. */
  idempotencyKey?: string;
}

export interface AddOptions extends KeyedOptions {
  /** The most to take from the voucher. */
  amount?: Money | number;
  /** Bit values; all of them without it. */
  experiences?: number[];
}

/** One customer's view of the API. Every method throws a `SmartGiftError`. */
export class SmartGift {
  constructor(options: SmartGiftOptions);
  /** What is on sale; an unchanged answer is not sent again (`ETag`). */
  vouchers(query?: VoucherQuery): Promise<VoucherList>;
  /** One product, also when it is off sale. */
  voucher(id: number, options?: CallOptions): Promise<Voucher>;
  /** What is on a voucher. Each look is counted, so it is never repeated. */
  balance(voucherNo: string, options?: CallOptions): Promise<Balance>;
  /** The payment as it is now. */
  session(options?: CallOptions): Promise<Session>;
  /** Hold a voucher and let it cover what it can. */
  addVoucher(voucherNo: string, options?: AddOptions): Promise<Session>;
  /** Set the amount and the experiences of a voucher that is in the payment: `addVoucher`. */
  changeVoucher(voucherNo: string, options?: AddOptions): Promise<Session>;
  /**
   * Keep a voucher for longer, because the customer asks for it: its hold is given back
   * and taken again, and somebody else may be faster (`voucher_held`). Never for a timer.
   */
  renewHold(id: string, options?: KeyedOptions): Promise<Session>;
  /** Give a voucher back, by the id of its redemption; repeating is harmless. */
  removeVoucher(id: string, options?: CallOptions): Promise<void>;
}

/** A key for one intent. */
export function newKey(): string;

/**
 * Milliseconds to wait before the next attempt; null: there is none. `safe` says that
 * the request can be repeated without being done twice.
 */
export function retryDelay(
  error: Pick<SmartGiftError, "code" | "status" | "retryAfter">,
  options: { safe: boolean; attempt: number; random?: () => number },
): number | null;

export interface RequestOptions<T> extends Omit<RequestInit, "signal"> {
  /** Makes the result of an answer, or throws a SmartGiftError. */
  read: (response: Response, text: string) => T;
  /** Whether the request may be repeated. */
  safe: boolean;
  signal?: AbortSignal;
  fetch?: typeof globalThis.fetch;
  timeout?: number;
}

/** Fetch, read and, where that is safe, try again. Stopped by `signal` it throws its reason. */
export function request<T>(url: string | URL, options: RequestOptions<T>): Promise<T>;

export interface WatchOptions {
  signal?: AbortSignal;
  /** The `performance.now()` at which a session came that no client here has fetched. */
  since?: number;
}

/** What `watchHolds` needs of a SESSION. */
export interface Holds {
  now: Moment;
  redemptions: { id: string; held_until: Moment | null }[];
}

/**
 * Calls `onTick` now and at each second, until all holds have ended. Counted from the
 * server's `now`: the customer's clock may be wrong. Returns what ends it before.
 */
export function watchHolds(
  session: Holds,
  onTick: (secondsLeft: Record<string, number>) => void,
  options?: WatchOptions,
): () => void;
