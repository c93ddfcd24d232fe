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

export class SmartGiftError extends Error {
  constructor(code: ErrorCode, init?: ErrorInit);
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: string;
  readonly fields: Record<string, string>;
  readonly retryAfter: number | null;
  idempotencyKey: string | null;
}

export type VoucherType = "monetary" | "experience";

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
  type: VoucherType | "unknown";
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

export interface AddOptions extends CallOptions {
  /** The most to take from the voucher. */
  amount?: Money | number;
  /** Bit values; all of them without it. */
  experiences?: number[];
  /** That of an earlier attempt at the same; a new one without it. */
  idempotencyKey?: string;
}

export class SmartGift {
  constructor(options: SmartGiftOptions);
  vouchers(query?: VoucherQuery): Promise<VoucherList>;
  voucher(id: number, options?: CallOptions): Promise<Voucher>;
  balance(voucherNo: string, options?: CallOptions): Promise<Balance>;
  session(options?: CallOptions): Promise<Session>;
  addVoucher(voucherNo: string, options?: AddOptions): Promise<Session>;
  changeVoucher(voucherNo: string, options?: AddOptions): Promise<Session>;
  removeVoucher(id: string, options?: CallOptions): Promise<void>;
}

export function newKey(): string;

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

export function request<T>(url: string | URL, options: RequestOptions<T>): Promise<T>;

export interface WatchOptions {
  signal?: AbortSignal;
  since?: number;
}

/** What `watchHolds` needs of a SESSION. */
export interface Holds {
  now: Moment;
  redemptions: { id: string; held_until: Moment | null }[];
}

/** Returns what ends it. */
export function watchHolds(
  session: Holds,
  onTick: (secondsLeft: Record<string, number>) => void,
  options?: WatchOptions,
): () => void;
