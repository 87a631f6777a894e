/**
 * What is told to whoever waits in line: who has it and the place, as they change, and that no node
 * answers, when none has for a while. Nothing is decided here.
 */
import type { Client, ClientState, Waiting } from "holdfast-client";
import { describeWait, type Having } from "../output/holders.js";
import type { Announce } from "./announce.js";

/** So long a cluster may choose a leader, or a client a node, without a word. */
export const SILENT_FOR_MS = 5_000;
/** Of those who hold, so many are looked at. */
const LOOKED_AT = 16;

export interface Line {
  readonly names: readonly string[];
  readonly having: Having;
}

export interface WaitTeller {
  onWaiting(waiting: Waiting): void;
  /** Nothing is told any more. */
  end(): void;
}

type Told = Parameters<typeof describeWait>[0];

/** Where nobody is shown the line is shut; where one shares it there may be more. */
const isWholeStory = ({ holders: [first] }: Waiting): boolean =>
  first !== undefined && first.mode === undefined;

/** `endpoints`: as they were given. */
export function waitTeller(
  client: Client,
  announce: Announce,
  { names, having }: Line,
  endpoints: string | undefined,
): WaitTeller {
  let isOver = false;
  let looks = 0;
  const tell = (waiting: Told, holderCount = waiting.holders.length): void => {
    if (isOver) return;
    announce("waiting", describeWait(waiting, { having, holderCount }), { ...waiting });
  };
  const look = async (waiting: Waiting, mine: number): Promise<void> => {
    const [name = ""] = names;
    const { holders, holderCount } = await client.call("lock.inspect", { name, limit: LOOKED_AT });
    if (mine === looks) tell({ position: waiting.position, holders }, holderCount);
  };
  const stopWatch = watch(client, text => announce("unreachable", text, {}), endpoints);
  return {
    onWaiting(waiting) {
      looks += 1;
      if (names.length > 1 || isWholeStory(waiting)) tell(waiting);
      else look(waiting, looks).catch(() => tell(waiting));
    },
    end() {
      isOver = true;
      stopWatch();
    },
  };
}

/** Tells when no node could serve for a while, once until one can; what stops it. */
function watch(
  client: Client,
  tell: (text: string) => void,
  endpoints: string | undefined,
): () => void {
  let timer: NodeJS.Timeout | null = null;
  let hasAnswered = false;
  const silent = (): void => {
    const at = endpoints === undefined ? "" : ` (${endpoints})`;
    tell(`${hasAnswered ? "no node has a quorum" : "no node answers"}${at}; still waiting`);
  };
  const onState = (state: ClientState): void => {
    if (state === "no-quorum") hasAnswered = true;
    if (state === "connecting" || state === "no-quorum") {
      timer ??= setTimeout(silent, SILENT_FOR_MS);
      return;
    }
    if (timer !== null) clearTimeout(timer);
    timer = null;
    hasAnswered = false;
  };
  const stop = client.onState(onState);
  onState(client.state);
  return () => {
    stop();
    if (timer !== null) clearTimeout(timer);
  };
}
