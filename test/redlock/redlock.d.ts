/** npm's `redlock` 5.0.0-beta.2, as far as the tests call it: its own types are not found by Node's rules. */
declare module "redlock" {
  import type { EventEmitter } from "node:events";
  import type { Cluster, Redis } from "ioredis";

  interface ExecutionStats {
    readonly membershipSize: number;
    readonly quorumSize: number;
    readonly votesFor: Set<unknown>;
    readonly votesAgainst: Map<unknown, Error>;
  }
  type Attempts = readonly Promise<ExecutionStats>[];
  interface Settings {
    readonly driftFactor: number;
    readonly retryCount: number;
    readonly retryDelay: number;
    readonly retryJitter: number;
    readonly automaticExtensionThreshold: number;
  }
  export class ResourceLockedError extends Error {}
  export class ExecutionError extends Error {
    readonly attempts: Attempts;
  }
  export class Lock {
    readonly resources: string[];
    readonly value: string;
    readonly attempts: Attempts;
    expiration: number;
    release(): Promise<{ readonly attempts: Attempts }>;
    extend(duration: number): Promise<Lock>;
  }
  type Signal = AbortSignal & { error?: Error };
  export default class Redlock extends EventEmitter {
    readonly settings: Settings;
    constructor(clients: Iterable<Redis | Cluster>, settings?: Partial<Settings>);
    quit(): Promise<void>;
    acquire(resources: string[], duration: number, settings?: Partial<Settings>): Promise<Lock>;
    release(lock: Lock, settings?: Partial<Settings>): Promise<{ readonly attempts: Attempts }>;
    extend(lock: Lock, duration: number, settings?: Partial<Settings>): Promise<Lock>;
    using<T>(
      resources: string[],
      duration: number,
      settings: Partial<Settings>,
      routine: (signal: Signal) => Promise<T>,
    ): Promise<T>;
    using<T>(
      resources: string[],
      duration: number,
      routine: (signal: Signal) => Promise<T>,
    ): Promise<T>;
  }
}
