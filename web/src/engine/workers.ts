// Starts a worker for each job; a job ends its worker, whether it is done, cancelled or dead.

import { initSync } from "metadump-wasm";

import { takeEmbedded } from "../io/embedded";
import { STAYING, type Answer, type Ask, type Job, type Progress, type Question, type Replied, type Reply, type Start } from "../io/jobs";

interface Engine {
  module: WebAssembly.Module;
  code: Blob;
  url: string;
}

async function start(): Promise<Engine> {
  const { wasm, worker } = takeEmbedded();
  const module = await WebAssembly.compile(wasm);
  initSync({ module });
  const code = new Blob([worker], { type: "text/javascript" });
  return { module, code, url: URL.createObjectURL(code) };
}

/** Ready when single lines can be decoded on the page and workers be started. */
export const engine: Promise<Engine> = start();

export class Cancelled extends Error {
  constructor() {
    super("cancelled");
  }
}

export interface Running {
  results: Promise<string[]>;
  /** Asks the worker of a job that stays. */
  ask(question: Question): Promise<Reply>;
  cancel(): void;
}

/**
 * Runs a job. A worker that dies is started once more, from the beginning; `restarted` hears of it.
 * The worker of a job that stays is asked when it is done.
 */
export function run(job: Job, progress: (report: Progress) => void, restarted: () => void): Running {
  let worker: Worker | null = null;
  let cancelled = false;
  let stop: () => void = () => {};
  const asked = new Map<number, (replied: Omit<Replied, "type" | "id">) => void>();
  let questions = 0;
  let lost = "";
  const lose = (message: string) => {
    lost = message;
    for (const answered of asked.values()) answered({ reply: undefined, failed: message });
    asked.clear();
  };
  const attempt = async (again: boolean): Promise<string[]> => {
    const { module, code, url } = await engine;
    if (cancelled) throw new Cancelled();
    return new Promise<string[]>((resolve, reject) => {
      const started = new Worker(url, { name: again ? `${job.type}, again` : job.type });
      worker = started;
      stop = () => reject(new Cancelled());
      let stays = false;
      const died = (message: string) => {
        if (worker !== started) return;
        started.terminate();
        if (stays) {
          lose(`The worker died: ${message || "perhaps for lack of memory"}.`);
          return;
        }
        if (again) {
          reject(new Error(`The worker died twice: ${message || "perhaps for lack of memory"}.`));
          return;
        }
        restarted();
        resolve(attempt(true));
      };
      started.onmessage = ({ data }: MessageEvent<Answer>) => {
        if (data.type === "progress") {
          progress(data);
          return;
        }
        if (data.type === "replied") {
          asked.get(data.id)?.(data);
          asked.delete(data.id);
          return;
        }
        if (data.type === "done" && STAYING.includes(job.type)) {
          stays = true;
          resolve(data.results);
          return;
        }
        if (data.type === "failed" && data.died) {
          died(data.message);
          return;
        }
        started.terminate();
        if (data.type === "done") resolve(data.results);
        else if (data.type === "failed") reject(new Error(data.message));
      };
      started.onerror = (event) => died(event.message);
      started.postMessage({ module, code, cores: navigator.hardwareConcurrency || 2, job } satisfies Start);
    });
  };
  return {
    results: attempt(false),
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (lost || cancelled) {
          reject(cancelled ? new Cancelled() : new Error(lost));
          return;
        }
        const id = questions++;
        asked.set(id, ({ reply, failed }) => {
          if (cancelled) reject(new Cancelled());
          else if (failed) reject(new Error(failed));
          else resolve(reply);
        });
        worker?.postMessage({ type: "ask", id, question } satisfies Ask);
      }),
    cancel() {
      cancelled = true;
      worker?.terminate();
      stop();
      lose("cancelled");
    },
  };
}
