/**
 * The limits that clients meet, in one place: every door checks them, and `welcome` and the docs
 * tell them. Node-wide budgets (connections, the state's bytes) are configuration, not protocol.
 */
export const LIMITS = {
  /** A key, a prefix. */
  keyBytes: 4096,
  /** A name or a prefix to append below leaves room for `/` and 20 digits. */
  nameBytes: 4064,
  valueBytes: 1_048_576,
  /** `owner`, `actor`, and a label's value: bytes of UTF-8. */
  textBytes: 256,
  /** `progress`, `why` and `note`: what is said of work, in bytes of UTF-8. */
  remarkBytes: 1024,
  labelNameBytes: 64,
  labels: 16,
  /** One HTTP body; one WebSocket frame from a client. */
  bodyBytes: 2_097_152,
  frameBytes: 4_194_304,
  messagesPerFrame: 10_000,
  /** Requests under way on one connection (watches count). */
  outstandingRequests: 10_000,
  watchesPerConnection: 1000,
  /** Leases that one hello or keep-alive may name. */
  leasesPerMessage: 10_000,
  ttlMinMs: 1000,
  ttlMaxMs: 86_400_000,
  /** Names that one acquire may ask for at once, and permits of a semaphore. */
  namesPerAcquire: 64,
  permitsMax: 1_000_000,
  lockDelayMaxMs: 86_400_000,
  /** A year: the longest bound on holding. */
  holdMaxMs: 31_622_400_000,
  graceMaxMs: 86_400_000,
  /** The longest bounded wait; -1 is a wait without bound. */
  waitMaxMs: 2_147_483_647,
  pollMinMs: 10,
  pollMaxMs: 2_147_483_647,
  /** Keys that one command may change; keys that one lease may carry. */
  keysPerCommand: 10_000,
  keysPerLease: 10_000,
  /** A transaction's operations, its comparisons (nested ones included), and how deep it nests. */
  txnOperations: 128,
  txnCompares: 128,
  txnDepth: 4,
  /** Records that one answer may hold, and how many it holds when no limit is asked for. */
  rangeRecords: 10_000,
  rangeDefaultRecords: 1000,
  /** Of one member. */
  peerUrls: 16,
  /** An `Idempotency-Key`, in bytes. */
  idempotencyKeyBytes: 255,
} as const;
