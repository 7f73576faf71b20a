// Saves what the page makes: into the file that the user chooses, or as a download.

import { size } from "./format";

/** The file that the user chooses; none when the browser cannot ask, or not on this page. */
async function chosenFile(suggestedName: string): Promise<FileSystemFileHandle | null> {
  if (!("showSaveFilePicker" in window)) return null;
  try {
    return await window.showSaveFilePicker({ suggestedName });
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === "SecurityError") return null;
    throw thrown;
  }
}

/** The name of a dump without what says how it is packed. */
export const stem = (name: string): string => name.replace(/(\.ndjson|\.txt|\.json)?(\.gz|\.zst)?(\.age)?$/, "");

/** What became of it, in words; `failed` when nothing was saved, both empty when the user changed his mind. */
export interface Saved {
  saved: string;
  failed: string;
}

/** Has the browser save a file under a name. */
export function offer(name: string, content: Blob): void {
  // What is made of slices of the dump is not in memory.
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 600_000);
}

/** Saves what `make` gives under a name. */
export async function save(suggestedName: string, make: () => Blob | Promise<Blob>): Promise<Saved> {
  try {
    // The dialog comes first: browsers only show it right after a click.
    const file = await chosenFile(suggestedName);
    const blob = await make();
    if (file) {
      await blob.stream().pipeTo(await file.createWritable());
      return { saved: `${file.name}, ${size(blob.size)}, is written.`, failed: "" };
    }
    offer(suggestedName, blob);
    return { saved: `${suggestedName}, ${size(blob.size)}, is being saved by the browser.`, failed: "" };
  } catch (error) {
    const aborted = error instanceof DOMException && error.name === "AbortError";
    return { saved: "", failed: aborted ? "" : `Nothing was saved. ${error instanceof Error ? error.message : String(error)}` };
  }
}
