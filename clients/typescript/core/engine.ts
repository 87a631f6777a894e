/** What all parts of one client share. */
import type { OperationName } from "holdfast-protocol";
import { invalid, isSignal } from "./arguments.js";
import { type Answer, Call, type Decode } from "./call.js";
import type { HoldfastError } from "./errors.js";
import type { LeaseKeeper } from "./keeper.js";
import type { Platform } from "./platform.js";
import type { Requests } from "./requests.js";
import type { CallOptions } from "./surface.js";

export class Engine {
  readonly platform: Platform;
  readonly requests: Requests;
  readonly keeper: LeaseKeeper;
  readonly timeoutMs: number;
  readonly shown: Readonly<Record<string, unknown>>;

  constructor(
    platform: Platform,
    requests: Requests,
    keeper: LeaseKeeper,
    timeoutMs: number,
    /** `owner` and `labels`, as far as they are given. */
    shown: Readonly<Record<string, unknown>>,
  ) {
    this.platform = platform;
    this.requests = requests;
    this.keeper = keeper;
    this.timeoutMs = timeoutMs;
    this.shown = shown;
  }

  /** A plain request, bounded as its options say. */
  ask<T>(
    op: OperationName,
    params: Readonly<Record<string, unknown>>,
    options: CallOptions | undefined,
    decode: (ok: Answer, call: Call) => T,
  ): Promise<T> {
    return this.run(new Call(op, params, decode), options) as Promise<T>;
  }

  run(call: Call, options: CallOptions | undefined): Promise<unknown> {
    const refusal = this.refusal(options);
    if (refusal !== null) return this.requests.refuse(call, refusal);
    return this.requests.run(call, options?.timeoutMs ?? this.timeoutMs, options?.signal);
  }

  /** The options of a call of which a part has been spent since `sinceMs` on what it needs first. */
  restOf(options: CallOptions | undefined, sinceMs: number): CallOptions {
    const spentMs = this.platform.monotonicMs() - sinceMs;
    const timeoutMs = Math.max((options?.timeoutMs ?? this.timeoutMs) - spentMs, 1);
    return { ...options, timeoutMs };
  }

  /** What is wrong with the options of a call, if anything is. */
  refusal(options: CallOptions | undefined): HoldfastError | null {
    const timeoutMs = options?.timeoutMs ?? this.timeoutMs;
    if (!isTimeLimit(timeoutMs)) return invalid("timeoutMs", "a number greater than 0");
    const signal = options?.signal;
    return signal === undefined || isSignal(signal) ? null : invalid("signal", "an AbortSignal");
  }
}

export const isTimeLimit = (value: unknown): boolean => typeof value === "number" && value > 0;

export const asIs: Decode = ok => ok;
