/**
 * The limits that clients meet, in one place: every door checks them, and `welcome` and the docs
 * tell them. Node-wide budgets (connections, the state's bytes) are configuration, not protocol.
 */
export const LIMITS = {
  /** A key, prefix or name, in bytes. */
  keyBytes: 4096,
  /** A value, in bytes. */
  valueBytes: 1_048_576,
  /** `owner`, `actor`, and each label's name and value, in bytes of UTF-8. */
  textBytes: 512,
  labels: 32,
  /** One WebSocket frame or one HTTP body, in bytes, either way. */
  frameBytes: 4_194_304,
  messagesPerFrame: 4096,
  /** Requests under way on one connection (watches count). */
  outstandingRequests: 16_384,
  watchesPerConnection: 1024,
  /** Leases that one hello or keep-alive may name. */
  leasesPerMessage: 10_000,
  ttlMinMs: 1000,
  ttlMaxMs: 86_400_000,
  /** The longest bounded wait; -1 is a wait without bound. */
  waitMaxMs: 2_147_483_647,
  pollMinMs: 10,
  pollMaxMs: 2_147_483_647,
  /** Keys that one command may change; keys that one lease may carry. */
  keysPerCommand: 10_000,
  keysPerLease: 10_000,
  /** Operations of a transaction, nested ones included, and how deep they may nest. */
  transactionOperations: 1024,
  transactionDepth: 8,
  /** Records that one range may return. */
  rangeRecords: 10_000,
  /** An `Idempotency-Key`, in bytes. */
  idempotencyKeyBytes: 255,
} as const;
