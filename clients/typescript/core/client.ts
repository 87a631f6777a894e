/** A client: the parts put together. Everything of substance is in the parts. */
import type { OperationName, WireParamsOf, WireResultOf } from "holdfast-protocol";
import { checkOptions, invalid } from "./arguments.js";
import { ClusterOf } from "./cluster.js";
import { LOOPBACK, webSocketUrls } from "./endpoints.js";
import { Engine, isTimeLimit } from "./engine.js";
import { type Page, pageOf } from "./incoming.js";
import { LeaseKeeper } from "./keeper.js";
import { KvOf } from "./kv.js";
import { LeasesOf } from "./leases.js";
import { Link, type Welcome } from "./link.js";
import { infoOf } from "./lock.js";
import type { Platform } from "./platform.js";
import { Pulse } from "./pulse.js";
import { Requests } from "./requests.js";
import { Service } from "./service.js";
import { CLOSE_WITHIN_MS, closedError, leaseTimes, SessionOf } from "./session.js";
import type {
  CallOptions,
  Client,
  ClientState,
  Cluster,
  ConnectOptions,
  Election,
  Kv,
  Leases,
  Lock,
  LockOptions,
  LockSummary,
  Schedule,
  ScheduleOptions,
  Session,
} from "./surface.js";

const DEFAULT_TTL_MS = 15_000;
const DEFAULT_TIMEOUT_MS = 10_000;
const PAGE = 1000;

const CONNECT_OPTIONS = new Set(["ttlMs", "marginMs", "timeoutMs", "token", "owner", "labels"]);
const SESSION_OPTIONS = new Set(["ttlMs", "marginMs"]);

/**
 * A client over `platform`. Dials at the first call. Throws `INVALID_PARAMETER` for bad options.
 */
export function connectOver(
  platform: Platform,
  endpoints: string | readonly string[] = LOOPBACK,
  options: ConnectOptions = {},
): Client {
  return new ClientOf(platform, webSocketUrls(endpoints), options);
}

class ClientOf implements Client {
  readonly kv: Kv;
  readonly leases: Leases;
  readonly cluster: Cluster;
  readonly #engine: Engine;
  readonly #link: Link;
  readonly #requests: Requests;
  readonly #keeper: LeaseKeeper;
  readonly #service: Service;
  readonly #pulse: Pulse;
  readonly #session: SessionOf;
  readonly #ttlMs: number;
  readonly #marginMs: number | undefined;
  #clusterId: string | null = null;
  #closing: Promise<void> | null = null;

  constructor(platform: Platform, urls: readonly string[], options: ConnectOptions) {
    checkOptions(options, CONNECT_OPTIONS);
    const { ttlMs = DEFAULT_TTL_MS, timeoutMs = DEFAULT_TIMEOUT_MS, marginMs, token } = options;
    if (!isTimeLimit(timeoutMs)) throw invalid("timeoutMs", "a number greater than 0");
    const times = leaseTimes(ttlMs, marginMs);
    this.#ttlMs = ttlMs;
    this.#marginMs = marginMs;
    this.#service = new Service(platform);
    const linkOptions = {
      urls,
      client: clientId(platform),
      ...(token === undefined ? {} : { token }),
    };
    this.#link = new Link(platform, linkOptions, {
      isNeeded: () => this.#requests.isBusy || this.#keeper.size > 0,
      leases: () => this.#keeper.ids(),
      onOpen: welcome => this.#connected(welcome),
      onMessages: messages => this.#requests.receive(messages),
      onDown: () => this.#disconnected(),
    });
    this.#requests = new Requests(platform, this.#link, this.#service);
    this.#keeper = new LeaseKeeper(platform, this.#requests);
    this.#requests.onLost = event => this.#keeper.onEvent(event);
    this.#pulse = new Pulse(platform, this.#link, this.#requests);
    this.#service.attach(this.#link, this.#requests, () => this.#keeper.shortestMs);
    const { owner, labels } = options;
    const shown = {
      ...(owner === undefined ? {} : { owner }),
      ...(labels === undefined ? {} : { labels }),
    };
    const engine = new Engine(platform, this.#requests, this.#keeper, timeoutMs, shown);
    this.#engine = engine;
    this.#session = new SessionOf(engine, times, true);
    this.kv = new KvOf(engine, session => {
      if (session === this) return this.#session;
      return session instanceof SessionOf && session.isOf(engine) ? session : null;
    });
    this.leases = new LeasesOf(engine);
    this.cluster = new ClusterOf(engine);
  }

  lock(name: string | readonly string[], options?: LockOptions): Lock {
    return this.#session.lock(name, options);
  }

  semaphore(name: string, options: { readonly permits: number }): Lock {
    return this.#session.semaphore(name, options);
  }

  schedule(job: string, options?: ScheduleOptions): Schedule {
    return this.#session.schedule(job, options);
  }

  election(name: string): Election {
    return this.#session.election(name);
  }

  get signal(): AbortSignal {
    return this.#session.signal;
  }

  get remainingMs(): number {
    return this.#session.remainingMs;
  }

  session(options: { readonly ttlMs?: number; readonly marginMs?: number } = {}): Session {
    checkOptions(options, SESSION_OPTIONS);
    const { ttlMs = this.#ttlMs, marginMs = this.#marginMs } = options;
    return new SessionOf(this.#engine, leaseTimes(ttlMs, marginMs), false);
  }

  async *locks(
    options: {
      readonly prefix?: string;
      readonly owner?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): AsyncGenerator<LockSummary, void, undefined> {
    const { prefix, owner, signal } = options;
    const page = {
      limit: PAGE,
      ...(prefix === undefined ? {} : { prefix }),
      ...(owner === undefined ? {} : { owner }),
    };
    const callOptions = signal === undefined ? {} : { signal };
    let place: { readonly after?: unknown } = {};
    for (;;) {
      const params = { ...page, ...place };
      const { items, ok }: Page<Listed> = await this.#engine.ask(
        "lock.list",
        params,
        callOptions,
        locksOf,
      );
      for (const { info } of items) yield info;
      const last = ok.next ?? items.at(-1)?.wireName;
      if (ok.more !== true || last === undefined) return;
      place = { after: last };
    }
  }

  get state(): ClientState {
    return this.#service.state;
  }

  onState(listener: (state: ClientState) => void): () => void {
    return this.#service.onState(listener);
  }

  async ready(options?: CallOptions): Promise<void> {
    while (this.state !== "ready") {
      // The lightest question that only a node with a quorum answers.
      await this.#engine.ask(
        "election.leader",
        { name: "holdfast/ready" },
        options,
        () => undefined,
      );
    }
  }

  call<Name extends OperationName>(
    operation: Name,
    params: WireParamsOf<Name>,
    options?: CallOptions,
  ): Promise<WireResultOf<Name>> {
    const wire = params as unknown as Readonly<Record<string, unknown>>;
    return this.#engine.ask(operation, wire, options, ok => ok as unknown as WireResultOf<Name>);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const leases = this.#keeper.ids().flatMap(id => this.#keeper.find(id) ?? []);
    const closed = closedError("client");
    const revoked = leases.map(lease =>
      this.#keeper.revoke(lease, "the client was closed", CLOSE_WITHIN_MS, closed),
    );
    // What was released a moment ago may still have to leave.
    await Promise.all([this.#session.close(), ...revoked]);
    this.#keeper.stop();
    this.#pulse.stop();
    this.#requests.close(closed);
    this.#link.close();
    this.#service.close();
  }

  #connected(welcome: Welcome): void {
    const { clusterId } = welcome;
    if (this.#clusterId !== null && this.#clusterId !== clusterId) this.#requests.doubtAll();
    this.#clusterId = clusterId;
    this.#service.connected(welcome.leader);
    this.#pulse.connected();
    this.#requests.connected();
    this.#keeper.connected(welcome);
  }

  #disconnected(): void {
    this.#pulse.stop();
    this.#requests.disconnected();
    this.#service.disconnected();
  }
}

interface Listed {
  readonly info: LockSummary;
  /** As it came: pages go on after it. */
  readonly wireName: unknown;
}
const locksOf = pageOf<Listed>("locks", one => ({ info: infoOf(one), wireName: one.name }));

/** 64 random bits. */
function clientId(platform: Platform): string {
  const half = (): string =>
    platform
      .below(2 ** 32)
      .toString(16)
      .padStart(8, "0");
  return half() + half();
}
