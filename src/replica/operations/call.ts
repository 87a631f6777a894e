/**
 * One call from its start to its answer. The base of all: it goes out through the outbox, at most
 * once. What can be given up (waits, streams) says how through `onCancel`.
 */
import type { OperationName, ParamsOf, ResultOf } from "holdfast-protocol";
import type { Command, CommandResult, Refusal } from "../../state/index.js";
import type { ClientConnection } from "../connection.js";
import type { Call, CallContext, Failure, Outcome } from "../coordinator/index.js";
import type { Core } from "../core.js";
import { identityOf } from "../identity.js";
import type { Parcel } from "../outbox.js";
import type { Proposer } from "../proposals/proposal.js";
import type { ReadTask } from "../reads.js";
import { failureOf } from "../refusals.js";

export class PendingCall<Name extends OperationName> implements Call, Parcel {
  readonly core: Core;
  readonly connection: ClientConnection;
  readonly operation: Name;
  readonly context: CallContext;
  readonly #done: (outcome: Outcome<Name>) => void;
  #outcome: Outcome<Name> | null = null;
  onCancel: (() => void) | null = null;

  constructor(
    core: Core,
    connection: ClientConnection,
    operation: Name,
    context: CallContext,
    done: (outcome: Outcome<Name>) => void,
  ) {
    this.core = core;
    this.connection = connection;
    this.operation = operation;
    this.context = context;
    this.#done = done;
  }

  get answered(): boolean {
    return this.#outcome !== null;
  }

  succeed(result: ResultOf<Name>): void {
    this.finish({ ok: true, result });
  }

  fail(failure: Failure): void {
    this.finish({ ok: false, failure });
  }

  refuse(refusal: Refusal): void {
    this.fail(failureOf(refusal, this.core.clusterNowMs()));
  }

  finish(outcome: Outcome<Name>): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    this.core.parts.outbox.post(this);
  }

  deliver(): void {
    this.connection.finished();
    if (this.#outcome !== null && !this.connection.closed) this.#done(this.#outcome);
  }

  cancel(): void {
    this.onCancel?.();
  }
}

export type Handler<Name extends OperationName> = (
  call: PendingCall<Name>,
  params: ParamsOf<Name>,
) => void;

/** An answer, or null when the result is not one that this operation can have. */
type Answer<Name extends OperationName> = (
  result: CommandResult,
  call: PendingCall<Name>,
  params: ParamsOf<Name>,
) => ResultOf<Name> | Failure | null;

class Write<Name extends OperationName> implements Proposer {
  readonly #call: PendingCall<Name>;
  readonly #params: ParamsOf<Name>;
  readonly #answer: Answer<Name>;

  constructor(call: PendingCall<Name>, params: ParamsOf<Name>, answer: Answer<Name>) {
    this.#call = call;
    this.#params = params;
    this.#answer = answer;
  }

  get connection(): ClientConnection {
    return this.#call.connection;
  }

  applied(result: CommandResult): void {
    if (result.kind === "refused") {
      this.#call.refuse(result);
      return;
    }
    const answer = this.#answer(result, this.#call, this.#params);
    if (answer === null) this.#call.fail(misfit(this.#call.operation, result.kind));
    else if (isFailure(answer)) this.#call.fail(answer);
    else this.#call.succeed(answer);
  }

  failed(failure: Failure): void {
    this.#call.fail(failure);
  }
}

/** No result of ours has `code` and `message`. */
export function isFailure(value: object): value is Failure {
  return "code" in value && "message" in value;
}

/** An answer kept under this request's id is of another kind of operation. */
export const misfit = (operation: string, kind: string): Failure => ({
  code: "INTERNAL",
  message: `${operation} was answered with ${kind}: a bug of this node, please report it`,
});

/** An operation that is one command and one answer. */
export function writing<Name extends OperationName>(
  command: (params: ParamsOf<Name>, call: PendingCall<Name>) => Command | Failure,
  answer: Answer<Name>,
): Handler<Name> {
  return (call, params) => {
    const made = command(params, call);
    if (isFailure(made)) {
      call.fail(made);
      return;
    }
    const { operation, context, connection, core } = call;
    const identity = identityOf(context, operation, params, connection.sessionLease);
    const refused = core.propose(made, identity, new Write(call, params, answer));
    if (refused !== null) call.fail(refused);
  };
}

type Fallible = Pick<PendingCall<"kv.get">, "core" | "fail">;

class Read implements ReadTask {
  readonly #call: Fallible;
  readonly #read: () => void;

  constructor(call: Fallible, read: () => void) {
    this.#call = call;
    this.#read = read;
  }

  run(): void {
    this.#read();
  }

  fail(failure: Failure): void {
    this.#call.fail(failure);
  }
}

/** Runs `read` once everything that was committed anywhere before is applied here. */
export function linearizable(call: Fallible, read: () => void): void {
  call.core.parts.reads.read(new Read(call, read));
}

/** An operation that only reads the state; `consistency: "serializable"` reads this node's own. */
export function reading<Name extends OperationName>(
  answer: (call: PendingCall<Name>, params: ParamsOf<Name>) => ResultOf<Name> | Failure | Refusal,
): Handler<Name> {
  return (call, params) => {
    const read = (): void => {
      const result = answer(call, params);
      if (isRefusal(result)) call.refuse(result);
      else if (isFailure(result)) call.fail(result);
      else call.succeed(result);
    };
    const { consistency } = params as { readonly consistency?: string };
    if (consistency !== "serializable") linearizable(call, read);
    else call.core.parts.reads.readOwn(new Read(call, read));
  };
}

export function isRefusal(value: object): value is Refusal {
  return "kind" in value && value.kind === "refused";
}
